"""A feed as plain values, whatever the form it is written in, and how its items come from an edition."""

import datetime as dt
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from digests.models import EditionPaper
from papers.paper_ids import public_id

# What a feed says was updated before there was anything in it.
NEVER = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One paper. `id` is a tag URI (RFC 4151) that never changes; instants are in UTC."""

    id: str
    title: str
    url: str
    abstract: str
    authors: tuple[str, ...]
    topics: tuple[str, ...]
    published_at: dt.datetime
    updated_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A feed. `url` is its page for people, `self_url` its own address."""

    id: str
    title: str
    subtitle: str
    url: str
    self_url: str
    items: tuple[Item, ...]

    @property
    def updated_at(self) -> dt.datetime:
        return max((item.updated_at for item in self.items), default=NEVER)


def channel_of(
    entries: Iterable[EditionPaper], *, name: str, title: str, subtitle: str, page: str, own_path: str
) -> Channel:
    """The feed of these entries. `page` and `own_path` are paths of this site; `name` is what its id is made of."""
    return Channel(
        id=_tag(f"feed/{name}"),
        title=clean(title),
        subtitle=clean(subtitle),
        url=f"{settings.SITE_URL}{page}",
        self_url=f"{settings.SITE_URL}{own_path}",
        items=tuple(_item(entry) for entry in entries),
    )


def clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(sign for sign in text if sign in "\t\n\r" or unicodedata.category(sign) not in {"Cc", "Cs", "Cn"})


def _item(entry: EditionPaper) -> Item:
    paper, shown_at = entry.paper, entry.edition.published_at or entry.edition.cutoff_at
    return Item(
        id=_tag(f"paper/{paper.key}"),
        title=clean(paper.title),
        url=f"{settings.SITE_URL}/papers/{public_id(paper.key)}",
        abstract=clean(paper.abstract),
        authors=tuple(clean(str(name)) for name in paper.authors),
        topics=tuple(topic.name for topic in paper.topics.all() if topic.is_active),
        published_at=shown_at,
        updated_at=shown_at,
    )


def _tag(name: str) -> str:
    return f"tag:{settings.SITE_DOMAIN},2026:{name}"

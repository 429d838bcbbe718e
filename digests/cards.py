"""How a paper is shown, on the page and in the mail: the same facts, shortened the same way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext, ngettext

from digests.markdown import to_inline_html, to_text
from digests.models import EditionPaper
from digests.sentences import excerpt, fold
from papers.models import Announcement, Paper
from papers.paper_ids import public_id
from subscriptions.sql import one_of

SHOWN_AUTHORS = 4


class CardLink(NamedTuple):
    """A link of a card: what it leads to, in the language spoken now, and where."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One paper, ready for a template. What is words of ours is made when asked for, in the language spoken then."""

    paper_id: int
    key: str
    title: str
    authors: str
    more_authors: int = 0
    excerpt: str
    abstract: str
    topics: tuple[str, ...]
    link: str
    pdf_link: str
    code_link: str
    project_link: str
    upvotes: int | None
    is_pick: bool = False
    note_html: str = ""
    note_text: str = ""
    is_sample: bool = False
    is_withdrawn: bool = False
    # One line by a machine, where the owner has them made.
    summary: str = ""

    @property
    def public_id(self) -> str:
        """How it is called in addresses."""
        return public_id(self.key)

    @property
    def folded_abstract(self) -> list[tuple[str, bool]]:
        """The whole abstract in pieces, each with whether it is folded away at first: what the excerpt leaves out."""
        return fold(self.abstract)

    @property
    def is_folded(self) -> bool:
        """Whether anything is folded away."""
        return any(is_folded for _, is_folded in self.folded_abstract)

    @property
    def authors_in_words(self) -> str:
        """Like «Ada Lovelace, Alan Turing, Grace Hopper and 9 others»."""
        if not self.more_authors:
            return self.authors
        words = ngettext("%(names)s and %(count)d other", "%(names)s and %(count)d others", self.more_authors)
        return words % {"names": self.authors, "count": self.more_authors}

    @property
    def facts(self) -> str:
        """Its topics and how many voted for it, in one line."""
        votes = ngettext("%(count)d upvote", "%(count)d upvotes", self.upvotes or 0) % {"count": self.upvotes or 0}
        return " · ".join([*self.topics, *([votes] if self.upvotes else [])])

    @property
    def links(self) -> tuple[CardLink, ...]:
        """Where to read on, the abstract first: only what there is."""
        known = (
            CardLink(gettext("Abstract"), self.link),
            CardLink(gettext("PDF"), self.pdf_link),
            CardLink(gettext("Code"), self.code_link),
            CardLink(gettext("Project"), self.project_link),
        )
        return tuple([link for link in known if link.url])


def cards_for(paper_ids: Iterable[int], *, entries: Mapping[int, EditionPaper] | None = None) -> dict[int, Card]:
    """Cards of these papers, by id, in a fixed number of queries. `entries` tells which were picked, and why."""
    ids = list(paper_ids)
    entries = entries or {}
    samples = sample_ids(ids)
    papers = Paper.objects.filter(id__in=ids).select_related("one_liner").prefetch_related("topics")
    return {paper.pk: make_card(paper, entry=entries.get(paper.pk), is_sample=paper.pk in samples) for paper in papers}


def sample_ids(paper_ids: Iterable[int]) -> set[int]:
    """Those of these papers that only the sample ever showed."""
    return set(sample_sightings().filter(paper_id__in=one_of(paper_ids)).values_list("paper_id", flat=True))


def sample_sightings() -> QuerySet[Announcement]:
    """Where the sample showed papers that no other source ever did: what a real source showed, too, is real."""
    elsewhere = Announcement.objects.filter(paper=OuterRef("paper"), source__is_sample=False)
    return Announcement.objects.filter(~Exists(elsewhere), source__is_sample=True)


def make_card(paper: Paper, *, entry: EditionPaper | None = None, is_sample: bool = False) -> Card:
    """One paper as a card. Topics must be prefetched, and the machine's line selected, where many are made."""
    authors, more_authors = split_authors(paper.authors)
    return Card(
        paper_id=paper.pk,
        key=paper.key,
        title=paper.title,
        authors=authors,
        more_authors=more_authors,
        excerpt=excerpt(paper.abstract),
        abstract=paper.abstract,
        topics=tuple(topic.name for topic in paper.topics.all() if topic.is_active),
        link=paper.link,
        pdf_link=paper.pdf_link or _arxiv_pdf(paper.key),
        code_link=paper.code_link,
        project_link=paper.project_link,
        upvotes=paper.upvotes,
        is_pick=entry is not None and entry.choice == "pick",
        note_html=to_inline_html(entry.note) if entry else "",
        note_text=to_text(entry.note) if entry else "",
        is_sample=is_sample,
        is_withdrawn=paper.withdrawn_at is not None,
        summary=_summary(paper),
    )


def _summary(paper: Paper) -> str:
    line = getattr(paper, "one_liner", None)
    return line.text if line and not line.is_removed else ""


def _arxiv_pdf(key: str) -> str:
    # arXiv asks that its PDFs be linked to, never served by others.
    scheme, _, arxiv_id = key.partition(":")
    return f"https://arxiv.org/pdf/{arxiv_id}" if scheme == "arxiv" else ""


def split_authors(authors: list[str]) -> tuple[str, int]:
    """The names to show, joined, and how many people more there are: nobody stands for «1 other» alone."""
    if len(authors) <= SHOWN_AUTHORS:
        return ", ".join(authors), 0
    shown = authors[: SHOWN_AUTHORS - 1]
    return ", ".join(shown), len(authors) - len(shown)

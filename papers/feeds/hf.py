"""Hugging Face Daily Papers, `GET https://huggingface.co/api/daily_papers`: a JSON list of papers with their counts."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from papers.entries import AnnouncementKind, Entry, ParsedFeed, Signals
from papers.feeds.collecting import collect_entries
from papers.feeds.days import parse_instant
from papers.feeds.json_list import parse_json_list
from papers.feeds.wording import count_of, markup_of, take, take_abstract, take_authors, take_link, take_title
from papers.identity import paper_key, parse_arxiv_id

SITE = "https://huggingface.co"
TITLE = "Hugging Face Daily Papers"

_EASTERN = ZoneInfo("America/New_York")
_BARE_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:/|$)")


def parse_hf(*, body: bytes, content_type: str = "") -> ParsedFeed:
    """Read a day's list. Raises FeedRefusedError for what is no list, in the service's own words where it has some."""
    items, cut = parse_json_list(body)
    entries, problems = collect_entries(items=items, read=_read_entry, name_of=_name_of)
    days = [entry.announced_date for entry in entries if entry.announced_date]
    # A list without a day that can be trusted is still no older than the newest paper in it.
    outer = [moment.date() for item in items if isinstance(item, dict) and (moment := _outer(item))]
    return ParsedFeed(
        title=TITLE,
        feed_date=max(days or outer, default=None),
        entries=entries,
        problems=(*problems, *cut),
    )


def listed_date(item: Mapping[str, Any]) -> dt.date | None:
    """The day an item entered Daily Papers, in UTC, by which the service numbers its lists.

    `submittedOnDailyAt` says so. Lists from before mid-2025 lack it and say it in the outer `publishedAt`, which is US
    Eastern wall time labelled UTC; in later ones that is the arXiv date instead, in the same disguise.
    """
    paper = item.get("paper") or {}
    submitted = parse_instant(paper.get("submittedOnDailyAt") or item.get("submittedOnDailyAt"))
    if submitted:
        return submitted.astimezone(dt.UTC).date()
    outer, on_arxiv = _outer(item), parse_instant(paper.get("publishedAt"))
    if outer is None or outer == on_arxiv:
        return None
    entered = outer.replace(tzinfo=_EASTERN)
    return None if entered == on_arxiv else entered.astimezone(dt.UTC).date()


def _read_entry(item: object) -> Entry:
    if not isinstance(item, dict) or not isinstance(item.get("paper"), dict):
        raise ValueError("is no paper of Daily Papers")  # noqa: TRY004 - the reason of a problem, not a bug of ours
    paper = item["paper"]
    paper_id = take(paper.get("id"))
    arxiv_id = parse_arxiv_id(paper_id)
    if not paper_id:
        raise ValueError("has no id")
    link = f"https://arxiv.org/abs/{arxiv_id.id}" if arxiv_id else take_link(f"/papers/{paper_id}", base=SITE)
    title = take_title(_first_text(paper.get("title"), item.get("title")))
    abstract = take_abstract(_first_text(paper.get("summary"), item.get("summary")))
    return Entry(
        key=paper_key(arxiv_id=arxiv_id, link=link, guid=f"huggingface:{paper_id}"),
        title=title,
        abstract=abstract,
        authors=take_authors([author["name"] for author in _listed(paper.get("authors")) if not author.get("hidden")]),
        announced_date=listed_date(item),
        announcement=AnnouncementKind.WITHDRAWAL if paper.get("withdrawnAt") else AnnouncementKind.NEW,
        version=arxiv_id.version if arxiv_id else None,
        link=link,
        code_link=_link(paper.get("githubRepo")),
        project_link=_link(paper.get("projectPage")),
        submitter=_submitter(item),
        markup=markup_of(title, abstract),
        signals=Signals(
            upvotes=count_of(paper.get("upvotes")),
            comments=count_of(item.get("numComments")),
            github_stars=count_of(paper.get("githubStars")),
        ),
    )


def _outer(item: Mapping[str, Any]) -> dt.datetime | None:
    return parse_instant(item.get("publishedAt"))


def _first_text(*found: object) -> str:
    # A quarter of the items have no text at the top; where both are there, the paper's own is the same.
    return next((text for text in found if isinstance(text, str) and text.strip()), "")


def _listed(found: object) -> list[dict[str, Any]]:
    people = found if isinstance(found, list) else []
    return [person for person in people if isinstance(person, dict) and isinstance(person.get("name"), str)]


def _link(address: object) -> str:
    if not isinstance(address, str):
        return ""
    address = address.strip()
    return take_link(f"https://{address}" if _BARE_HOST.match(address) else address, base=SITE)


def _submitter(item: Mapping[str, Any]) -> str:
    person = item.get("submittedBy") or (item.get("paper") or {}).get("submittedOnDailyBy")
    return take(person.get("fullname") or person.get("name"))[:200] if isinstance(person, dict) else ""


def _name_of(item: object) -> str:
    paper = item.get("paper") if isinstance(item, dict) else None
    return take(paper.get("id") or paper.get("title")) if isinstance(paper, dict) else ""

"""arXiv: today's RSS 2.0 and Atom (https://info.arxiv.org/help/rss_specifications.html), the RSS 1.0 before it, and
answers of the API (https://info.arxiv.org/help/api/user-manual.html)."""

import datetime as dt
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from papers.entries import AnnouncementKind, Entry, FeedRefusedError, Markup, ParsedFeed
from papers.feeds.collecting import collect_entries
from papers.feeds.days import day_of
from papers.feeds.names import split_arxiv_names
from papers.feeds.taxonomy import arxiv_categories
from papers.feeds.wording import as_text, take, take_abstract, take_authors, take_link, take_title, unescape_once
from papers.feeds.xml import Document, parse_document
from papers.identity import ArxivId, paper_key, parse_arxiv_id, parse_doi
from papers.text import html_to_text

_HEADING = re.compile(r"\s*arXiv:\S+\s+Announce Type:\s*(?P<type>[\w-]+)\s*(?:Abstract:\s*)?")
_OLD_TITLE = re.compile(
    r"\.?\s*\((?P<id>arXiv:\S+)\s+\[(?P<category>[\w.-]+)\]\s*(?P<type>UPDATED|CROSS LISTED)?\)\s*$"
)
_WITHDRAWN = re.compile(
    r"\b(?:this|the) (?:paper|article|submission|manuscript|work|preprint|note|version)\b[\w ,]{0,40}?"
    r"\b(?:has been|have been|was|is|is being) (?:temporarily )?withdrawn\b",
    re.IGNORECASE,
)
_NO_ID = "has no arXiv id"
_TYPES = {
    "new": AnnouncementKind.NEW,
    "cross": AnnouncementKind.CROSS_LIST,
    "cross listed": AnnouncementKind.CROSS_LIST,
    "replace": AnnouncementKind.REPLACEMENT,
    "replace-cross": AnnouncementKind.REPLACEMENT,
    "updated": AnnouncementKind.REPLACEMENT,
}


def parse_arxiv(*, body: bytes, content_type: str = "") -> ParsedFeed:
    """Read one of arXiv's documents. Raises FeedRefusedError, with arXiv's own words, for its ways of saying error."""
    document = parse_document(body=body, content_type=content_type)
    _refuse_errors(document)
    feed_date = day_of(document.head, "published", "updated")
    # The API's dates are those of submission, and its feed is made on asking: neither is a day of announcement.
    is_query = "/api/" in str(document.head.get("id", ""))
    read = partial(_read_query_entry if is_query else _read_announcement, document=document, feed_date=feed_date)
    entries, problems = collect_entries(items=document.entries, read=read, name_of=_name_of)
    if document.entries and not entries and all(problem.reason == _NO_ID for problem in problems):
        raise FeedRefusedError("The feed is not arXiv's: none of its entries has an arXiv id.")
    days = [entry.announced_date for entry in entries if entry.announced_date]
    return ParsedFeed(
        title=take(document.head.get("title")),
        feed_date=feed_date or max(days, default=None),
        entries=entries,
        problems=(*problems, *document.problems),
    )


def _refuse_errors(document: Document) -> None:
    title = take(document.head.get("title"))
    if title.lower().startswith("feed error"):
        raise FeedRefusedError(". ".join(filter(None, [title, take(as_text(document.head.get("subtitle") or ""))])))
    for entry in document.entries:
        if "arxiv.org/api/errors" in str(entry.get("id", "")):
            raise FeedRefusedError(take(entry.get("summary")) or "arXiv answered with an error.")


def _read_announcement(raw: Mapping[str, Any], *, document: Document, feed_date: dt.date | None) -> Entry:
    if document.version == "rss10":
        return _read_old_announcement(raw, feed_date=feed_date)
    # Only RSS 2.0 has a second layer of entities: `Q&amp;amp;A`.
    layers = unescape_once if document.version.startswith("rss") else str
    abstract = layers(raw.get("summary") or "")
    heading = _HEADING.match(abstract)
    found_type = take(raw.get("arxiv_announce_type")) or (heading["type"] if heading else "")
    return _entry(
        raw,
        arxiv_id=_id_of(raw),
        title=layers(raw.get("title") or ""),
        abstract=abstract[heading.end() :] if heading else abstract,
        authors=_split_authors(raw),
        categories=[tag.get("term") for tag in raw.get("tags", [])],
        announced_date=day_of(raw, "published", "updated") or feed_date,
        found_type=found_type,
    )


def _read_old_announcement(raw: Mapping[str, Any], *, feed_date: dt.date | None) -> Entry:
    """RSS 1.0, to 2023: id, category and type behind the title, HTML in the abstract, authors as links, no dates."""
    title = raw.get("title") or ""
    tail = _OLD_TITLE.search(title)
    return _entry(
        raw,
        arxiv_id=(parse_arxiv_id(tail["id"]) if tail else None) or _id_of(raw),
        title=title[: tail.start()] if tail else title,
        abstract=html_to_text(raw.get("summary") or ""),
        authors=split_arxiv_names(html_to_text(", ".join(_author_fields(raw)))),
        categories=[tail["category"]] if tail else [],
        announced_date=feed_date,
        found_type=(tail["type"] or "new") if tail else "",
    )


def _read_query_entry(raw: Mapping[str, Any], *, document: Document, feed_date: dt.date | None) -> Entry:
    """An entry of the API. It has no day of announcement, and its `id` is the address of a version."""
    primary = raw.get("arxiv_primary_category") or {}
    return _entry(
        raw,
        arxiv_id=_id_of(raw),
        title=raw.get("title") or "",
        abstract=raw.get("summary") or "",
        authors=_author_fields(raw),
        categories=[primary.get("term"), *(tag.get("term") for tag in raw.get("tags", []))],
        announced_date=None,
        found_type="",
    )


def _entry(
    raw: Mapping[str, Any],
    *,
    arxiv_id: ArxivId | None,
    title: str,
    abstract: str,
    authors: list[str],
    categories: list[object],
    announced_date: dt.date | None,
    found_type: str,
) -> Entry:
    if arxiv_id is None:
        raise ValueError(_NO_ID)
    abstract = take_abstract(abstract)
    return Entry(
        key=paper_key(arxiv_id=arxiv_id),
        title=take_title(title),
        abstract=abstract,
        authors=take_authors(authors),
        categories=arxiv_categories(categories),
        announced_date=announced_date,
        announcement=_announcement(found_type, arxiv_id.version, f"{abstract} {take(raw.get('arxiv_comment'))}"),
        version=arxiv_id.version,
        doi=parse_doi(take(raw.get("arxiv_doi"))),
        link=f"https://arxiv.org/abs/{arxiv_id.id}",
        pdf_link=next((take_link(link.get("href")) for link in raw.get("links", []) if link.get("title") == "pdf"), ""),
        markup=Markup.TEX,
    )


def _announcement(found_type: str, version: int | None, words: str) -> AnnouncementKind:
    # A later version is never new, though a first version may come as a cross-list.
    default = AnnouncementKind.REPLACEMENT if version and version > 1 else AnnouncementKind.NEW
    announcement = _TYPES.get(found_type.lower(), default)
    if announcement is AnnouncementKind.REPLACEMENT and _WITHDRAWN.search(words):
        return AnnouncementKind.WITHDRAWAL
    return announcement


def _id_of(raw: Mapping[str, Any]) -> ArxivId | None:
    # The id carries the version, the link does not.
    return next(filter(None, (parse_arxiv_id(str(raw.get(name) or "")) for name in ("id", "link"))), None)


def _author_fields(raw: Mapping[str, Any]) -> list[str]:
    return [author["name"] for author in raw.get("authors", []) if author.get("name")]


def _split_authors(raw: Mapping[str, Any]) -> list[str]:
    return [name for field in _author_fields(raw) for name in split_arxiv_names(field)]


def _name_of(raw: Mapping[str, Any]) -> str:
    return take(raw.get("id") or raw.get("link") or raw.get("title"))

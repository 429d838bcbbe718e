"""arXiv's announcements: today's RSS 2.0 and Atom (https://info.arxiv.org/help/rss_specifications.html), and the
RSS 1.0 before it. An answer of the API is understood, too."""

import datetime as dt
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from papers.entries import Entry, FeedRefusedError, ParsedFeed
from papers.feeds.arxiv_api import is_answer, read_answer
from papers.feeds.arxiv_entry import NO_ID, arxiv_entry, refuse_arxiv_errors
from papers.feeds.collecting import collect_entries
from papers.feeds.days import day_of
from papers.feeds.names import split_arxiv_names
from papers.feeds.raw import arxiv_id_of, author_fields, name_of, pdf_link_of
from papers.feeds.wording import take, unescape_once
from papers.feeds.xml import Document, parse_document
from papers.identity import parse_arxiv_id
from papers.text import html_to_text

_HEADING = re.compile(r"\s*arXiv:\S+\s+Announce Type:\s*(?P<type>[\w-]+)\s*(?:Abstract:\s*)?")
_OLD_TITLE = re.compile(
    r"\.?\s*\((?P<id>arXiv:\S+)\s+\[(?P<category>[\w.-]+)\]\s*(?P<type>UPDATED|CROSS LISTED)?\)\s*$"
)


def parse_arxiv(*, body: bytes, content_type: str = "", holidays: frozenset[dt.date] = frozenset()) -> ParsedFeed:
    """Read one of arXiv's documents. Raises FeedRefusedError, with arXiv's own words, for its ways of saying error."""
    document = parse_document(body=body, content_type=content_type)
    refuse_arxiv_errors(document)
    if is_answer(document):
        return read_answer(document, holidays=holidays)
    feed_date = day_of(document.head, "published", "updated")
    read = partial(_read_announcement, document=document, feed_date=feed_date)
    entries, problems = collect_entries(items=document.entries, read=read, name_of=name_of)
    if document.entries and not entries and all(problem.reason == NO_ID for problem in problems):
        raise FeedRefusedError("The feed is not arXiv's: none of its entries has an arXiv id.")
    days = [entry.announced_date for entry in entries if entry.announced_date]
    return ParsedFeed(
        title=take(document.head.get("title")),
        feed_date=feed_date or max(days, default=None),
        entries=entries,
        problems=(*problems, *document.problems),
    )


def _read_announcement(raw: Mapping[str, Any], *, document: Document, feed_date: dt.date | None) -> Entry:
    if document.version == "rss10":
        return _read_old_announcement(raw, feed_date=feed_date)
    # Only RSS 2.0 has a second layer of entities: `Q&amp;amp;A`.
    layers = unescape_once if document.version.startswith("rss") else str
    abstract = layers(raw.get("summary") or "")
    heading = _HEADING.match(abstract)
    found_type = take(raw.get("arxiv_announce_type")) or (heading["type"] if heading else "")
    return arxiv_entry(
        arxiv_id=arxiv_id_of(raw),
        title=layers(raw.get("title") or ""),
        abstract=abstract[heading.end() :] if heading else abstract,
        authors=[name for field in author_fields(raw) for name in split_arxiv_names(field)],
        categories=[tag.get("term") for tag in raw.get("tags", [])],
        announced_date=day_of(raw, "published", "updated") or feed_date,
        found_type=found_type,
        comment=raw.get("arxiv_comment"),
        doi=raw.get("arxiv_doi"),
        pdf_link=pdf_link_of(raw),
    )


def _read_old_announcement(raw: Mapping[str, Any], *, feed_date: dt.date | None) -> Entry:
    """RSS 1.0, to 2023: id, category and type behind the title, HTML in the abstract, authors as links, no dates."""
    title = raw.get("title") or ""
    tail = _OLD_TITLE.search(title)
    return arxiv_entry(
        arxiv_id=(parse_arxiv_id(tail["id"]) if tail else None) or arxiv_id_of(raw),
        title=title[: tail.start()] if tail else title,
        abstract=html_to_text(raw.get("summary") or ""),
        authors=split_arxiv_names(html_to_text(", ".join(author_fields(raw)))),
        categories=[tail["category"]] if tail else [],
        announced_date=feed_date,
        found_type=(tail["type"] or "new") if tail else "",
    )

"""Answers of arXiv's API, a search or a list of ids (https://info.arxiv.org/help/api/user-manual.html)."""

import datetime as dt
from collections.abc import Mapping
from functools import partial
from typing import Any

from papers.entries import Entry, FeedRefusedError, ParsedFeed
from papers.feeds.announcing import estimate_announced_date
from papers.feeds.arxiv_entry import arxiv_entry, refuse_arxiv_errors
from papers.feeds.collecting import collect_entries
from papers.feeds.days import day_of, instant_of
from papers.feeds.raw import arxiv_id_of, author_fields, name_of, pdf_link_of
from papers.feeds.wording import count_of, take
from papers.feeds.xml import Document, parse_document


def parse_arxiv_api(*, body: bytes, content_type: str = "", holidays: frozenset[dt.date] = frozenset()) -> ParsedFeed:
    """Read an answer of the API. Raises FeedRefusedError, with arXiv's own words, for its way of saying error.

    `published` is when the first version was submitted and `updated` when this one was: the day of announcement is
    estimated from the former, with the `holidays` on which nothing is announced.
    """
    document = parse_document(body=body, content_type=content_type)
    refuse_arxiv_errors(document)
    if not is_answer(document):
        raise FeedRefusedError("The document is a feed, but no answer of arXiv's API.")
    return read_answer(document, holidays=holidays)


def is_answer(document: Document) -> bool:
    """Whether the API made this document; announcements are Atom, too."""
    return "/api/" in str(document.head.get("id", ""))


def read_answer(document: Document, *, holidays: frozenset[dt.date]) -> ParsedFeed:
    """The papers of an answer, and how many the whole list has."""
    read = partial(_read_entry, holidays=holidays)
    entries, problems = collect_entries(items=document.entries, read=read, name_of=name_of)
    return ParsedFeed(
        title=take(document.head.get("title")),
        feed_date=day_of(document.head, "published", "updated"),
        entries=entries,
        problems=(*problems, *document.problems),
        total=count_of(document.head.get("opensearch_totalresults")),
    )


def _read_entry(raw: Mapping[str, Any], *, holidays: frozenset[dt.date]) -> Entry:
    primary = raw.get("arxiv_primary_category") or {}
    submitted_at = instant_of(raw, "published")
    return arxiv_entry(
        arxiv_id=arxiv_id_of(raw),  # its `id` is the address of a version
        title=raw.get("title") or "",
        abstract=raw.get("summary") or "",
        authors=author_fields(raw),
        categories=[primary.get("term"), *(tag.get("term") for tag in raw.get("tags", []))],
        announced_date=estimate_announced_date(submitted_at, holidays=holidays) if submitted_at else None,
        comment=raw.get("arxiv_comment"),
        doi=raw.get("arxiv_doi"),
        pdf_link=pdf_link_of(raw),
    )

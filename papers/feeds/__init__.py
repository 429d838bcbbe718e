"""Documents of sources as entries: one adapter for each kind, and one door.

Pure: bytes in, plain values out. To add a kind, name it in `papers.feeds.kinds` and its adapter here.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Protocol

from papers.entries import FeedRefusedError, ParsedFeed, Problem
from papers.feeds.arxiv import parse_arxiv
from papers.feeds.arxiv_api import parse_arxiv_api
from papers.feeds.arxiv_oai import parse_arxiv_oai
from papers.feeds.biorxiv import parse_biorxiv
from papers.feeds.discovery import FoundFeed, find_feeds
from papers.feeds.hf import parse_hf
from papers.feeds.kinds import SourceKind
from papers.feeds.openreview import parse_openreview
from papers.feeds.paging import first_page, is_short, next_page
from papers.feeds.refusals import ResumeRefusedError
from papers.feeds.rss import parse_rss

__all__ = [
    "KINDS",
    "FoundFeed",
    "ResumeRefusedError",
    "find_feeds",
    "first_page",
    "is_short",
    "next_page",
    "parse_feed",
]


class Adapter(Protocol):
    """Reads the documents of one kind of source."""

    def __call__(self, *, body: bytes, content_type: str = "") -> ParsedFeed: ...


class SchedulingAdapter(Protocol):
    """Reads documents that do not say when a paper was announced, and dates it by arXiv's schedule."""

    def __call__(
        self, *, body: bytes, content_type: str = "", holidays: frozenset[dt.date] = frozenset()
    ) -> ParsedFeed: ...


_ADAPTERS: Mapping[SourceKind, Adapter] = {
    SourceKind.HF: parse_hf,
    SourceKind.BIORXIV: parse_biorxiv,
    SourceKind.OPENREVIEW: parse_openreview,
    SourceKind.RSS: parse_rss,
}
_SCHEDULING_ADAPTERS: Mapping[SourceKind, SchedulingAdapter] = {
    SourceKind.ARXIV: parse_arxiv,
    SourceKind.ARXIV_API: parse_arxiv_api,
    SourceKind.ARXIV_OAI: parse_arxiv_oai,
}
MAX_PROBLEMS = 200
KINDS = tuple(kind.value for kind in SourceKind)


def parse_feed(
    *, body: bytes, kind: str, content_type: str = "", holidays: frozenset[dt.date] = frozenset()
) -> ParsedFeed:
    """Read a document of this kind; `content_type` is the response header's, where there was one, and `holidays` are
    the days on whose evening arXiv announces nothing.

    Every entry that is whole comes in, in the document's order; every other one is a problem. Raises FeedRefusedError,
    with a sentence for the source's owner, for a document that is not of this kind or says error.
    """
    if kind not in KINDS:
        message = f"There is no kind of source called {kind!r}; there are {', '.join(KINDS)}."
        raise FeedRefusedError(message)
    feed = _adapter(SourceKind(kind), holidays)(body=body, content_type=content_type)
    return replace(feed, problems=_first_of(feed.problems))


def _adapter(kind: SourceKind, holidays: frozenset[dt.date]) -> Adapter:
    if kind in _SCHEDULING_ADAPTERS:
        return partial(_SCHEDULING_ADAPTERS[kind], holidays=holidays)
    return _ADAPTERS[kind]


def _first_of(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    # They are kept with the fetch; a document gone wrong all through says no more with its ten thousandth.
    if len(problems) <= MAX_PROBLEMS:
        return problems
    more = f"{len(problems) - MAX_PROBLEMS:,} more could not be taken"
    return (*problems[:MAX_PROBLEMS], Problem(item="others", reason=more))

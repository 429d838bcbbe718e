"""Documents of sources as entries: one adapter for each kind, and one door.

Pure: bytes in, plain values out. To add a kind, name it in `papers.feeds.kinds` and its adapter here.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from papers.entries import FeedRefusedError, ParsedFeed, Problem
from papers.feeds.arxiv import parse_arxiv
from papers.feeds.hf import parse_hf
from papers.feeds.kinds import SourceKind
from papers.feeds.rss import parse_rss

__all__ = ["KINDS", "parse_feed"]


class Adapter(Protocol):
    """Reads the documents of one kind of source."""

    def __call__(self, *, body: bytes, content_type: str = "") -> ParsedFeed: ...


_ADAPTERS: Mapping[SourceKind, Adapter] = {
    SourceKind.ARXIV: parse_arxiv,
    SourceKind.HF: parse_hf,
    SourceKind.RSS: parse_rss,
}
MAX_PROBLEMS = 200
KINDS = tuple(kind.value for kind in _ADAPTERS)


def parse_feed(*, body: bytes, kind: str, content_type: str = "") -> ParsedFeed:
    """Read a document of this kind; `content_type` is the response header's, where there was one.

    Every entry that is whole comes in, in the document's order; every other one is a problem. Raises FeedRefusedError,
    with a sentence for the source's owner, for a document that is not of this kind or says error.
    """
    if kind not in KINDS:
        message = f"There is no kind of source called {kind!r}; there are {', '.join(KINDS)}."
        raise FeedRefusedError(message)
    feed = _ADAPTERS[SourceKind(kind)](body=body, content_type=content_type)
    return replace(feed, problems=_first_of(feed.problems))


def _first_of(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    # They are kept with the fetch; a document gone wrong all through says no more with its ten thousandth.
    if len(problems) <= MAX_PROBLEMS:
        return problems
    more = f"{len(problems) - MAX_PROBLEMS:,} more could not be taken"
    return (*problems[:MAX_PROBLEMS], Problem(item="others", reason=more))

"""What one fetch of a source says, as plain values.

Pure: no Django, no network, no clock. A feed adapter turns bytes into these, `papers.changes` decides what they
mean for the papers we know, and `papers.storing` writes that down.
"""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum


class AnnouncementKind(StrEnum):
    """How a source announces a paper on a day (arXiv's own four types, plus the withdrawal)."""

    NEW = "new"
    CROSS_LIST = "cross-list"
    REPLACEMENT = "replacement"
    WITHDRAWAL = "withdrawal"


class Markup(StrEnum):
    """What the title and abstract of an entry are written in."""

    TEX = "tex"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What other readers did with a paper, as a source counted it. None means the source does not count it."""

    upvotes: int | None = None
    comments: int | None = None
    github_stars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One raw item of one fetch. Text is as the source wrote it, with white space folded and HTML reduced to text.

    `key` is the version-less canonical id of the paper (see `papers.identity`). `announced_date` is the announcement
    day in US Eastern time, or None where the item carries no usable date.

    No document says `seen_as`: where the work turns out to be one we have under another key, it goes under that one,
    and `seen_as` keeps the key of its own.
    """

    key: str
    title: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    announced_date: dt.date | None = None
    announcement: AnnouncementKind = AnnouncementKind.NEW
    version: int | None = None
    doi: str = ""
    link: str = ""
    pdf_link: str = ""
    code_link: str = ""
    project_link: str = ""
    submitter: str = ""
    markup: Markup = Markup.PLAIN
    signals: Signals = field(default_factory=Signals)
    seen_as: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One item of a document that could not be taken, and why, with enough of it to find it again."""

    item: str
    reason: str
    excerpt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFeed:
    """A document that was understood, even if it holds nothing. `feed_date` is the day the document speaks of.

    A long list comes in pages: `total` is how many items it has over all pages, where the document says so, and
    `resume` is the token with which its source gives the next page, where it gives one.
    """

    title: str = ""
    feed_date: dt.date | None = None
    entries: tuple[Entry, ...] = ()
    problems: tuple[Problem, ...] = ()
    total: int | None = None
    resume: str = ""


class FeedRefusedError(ValueError):
    """The document is no feed of its kind, or is the source's way of saying error. The message says which."""

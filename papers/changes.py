"""What the entries of a document mean for the papers we know. Pure: decides, and changes nothing.

Rules: one paper however many sources and categories show it; the more faithful text wins (arXiv's over a listing's);
an older version never overwrites a newer one; what another venue does with the work (a withdrawal, a version, its own
wording) changes nothing of the paper; a document read twice changes nothing the second time.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from papers.entries import AnnouncementKind, Entry, Markup
from papers.feeds.kinds import SourceKind
from papers.same_work import title_key
from papers.text import clean_text, fold

# How faithful each kind of source is to what the authors wrote: Hugging Face's text loses signs (`20times`).
TEXT_RANK = {
    SourceKind.ARXIV: 30,
    SourceKind.ARXIV_API: 30,
    SourceKind.ARXIV_OAI: 30,
    SourceKind.BIORXIV: 30,
    SourceKind.OPENREVIEW: 25,
    SourceKind.RSS: 20,
    SourceKind.HF: 10,
}

# For so many days a paper is news, and may come into an edition.
NEWS_DAYS = 7
# Kinds of source whose entries bear the day of the first version, whichever version they show.
_DATED_BY_FIRST_VERSION = (SourceKind.ARXIV_API, SourceKind.ARXIV_OAI)

# A withdrawal must not be hidden by anything, nor a new paper by its own cross-list.
_WEIGHT = (AnnouncementKind.WITHDRAWAL, AnnouncementKind.NEW, AnnouncementKind.CROSS_LIST, AnnouncementKind.REPLACEMENT)

_LINKS = ("link", "pdf_link", "code_link", "project_link", "doi")


@dataclass(frozen=True, slots=True)
class KnownPaper:
    """What we have of a paper: as much of the stored row as the decision needs."""

    key: str
    text_rank: int
    version: int | None
    raw_title: str
    raw_abstract: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PaperChange:
    """Fields to write for a paper. `is_new` ones are inserted; `text_changed` means readers see a difference."""

    key: str
    values: dict[str, Any]
    is_new: bool = False
    text_changed: bool = False


@dataclass(frozen=True, slots=True)
class Sighting:
    """A paper announced by the source on a day, and what the source counted for it."""

    entry: Entry
    date: dt.date


@dataclass(frozen=True, slots=True)
class Plan:
    """What to store for one document."""

    changes: list[PaperChange] = field(default_factory=list)
    sightings: list[Sighting] = field(default_factory=list)
    new: int = 0
    changed: int = 0
    known: int = 0


@dataclass
class TextCleaner:
    """Cleans each text once, however often a document's entries are gone through."""

    _clean: dict[tuple[str, Markup], str] = field(default_factory=dict)
    _keys: dict[tuple[str, tuple[str, ...], Markup], str] = field(default_factory=dict)

    def readable(self, text: str, markup: Markup) -> str:
        """The text as a reader should see it."""
        asked = (text, markup)
        if asked not in self._clean:
            self._clean[asked] = readable(text, markup)
        return self._clean[asked]

    def authors(self, entry: Entry) -> list[str]:
        """The names as a reader should see them."""
        return [self.readable(author, entry.markup) for author in entry.authors]

    def title_key(self, entry: Entry) -> str:
        """By what the work is told without an id; see `papers.same_work`."""
        asked = (entry.title, entry.authors[:1], entry.markup)
        if asked not in self._keys:
            first = [self.readable(author, entry.markup) for author in entry.authors[:1]]
            self._keys[asked] = title_key(self.readable(entry.title, entry.markup), first)
        return self._keys[asked]


def plan_changes(
    *,
    entries: Iterable[Entry],
    known: Mapping[str, KnownPaper],
    kind: SourceKind,
    today: dt.date,
    now: dt.datetime,
    cleaner: TextCleaner | None = None,
) -> Plan:
    """Decide what these entries change. `today` is the announcement day to use where an entry has none, or one that
    has not come yet."""
    cleaner = cleaner or TextCleaner()
    changes: list[PaperChange] = []
    sightings: list[Sighting] = []
    new = changed = same = 0
    for entry in merge_repeats(entries):
        day = entry.announced_date
        date = day if day is not None and day <= today else today
        paper = known.get(entry.key)
        if paper is None and _is_news(entry, kind, today=today):
            entry = replace(entry, announcement=AnnouncementKind.NEW)
        sightings.append(Sighting(entry, date))
        if paper is None:
            values = _first_values(entry, kind, date=date, now=now, cleaner=cleaner)
            changes.append(PaperChange(entry.key, values, is_new=True))
            new += 1
            continue
        change = _plan_update(entry, paper, kind, now=now, cleaner=cleaner)
        if change is None:
            same += 1
        else:
            changes.append(change)
            changed += 1
    return Plan(changes=changes, sightings=sightings, new=new, changed=changed, known=same)


def merge_repeats(entries: Iterable[Entry]) -> list[Entry]:
    """One entry a paper: a document may list one under several categories. The first keeps its text, the categories
    are joined, and of two announcements of the same day the weightier counts."""
    merged: dict[str, Entry] = {}
    for entry in entries:
        earlier = merged.get(entry.key)
        merged[entry.key] = _joined(earlier, entry) if earlier else entry
    return list(merged.values())


def _joined(earlier: Entry, later: Entry) -> Entry:
    # What stands under the paper's own key speaks for it, before what another venue says of the same work.
    own, other = (later, earlier) if earlier.seen_as and not later.seen_as else (earlier, later)
    kinds = [own.announcement]
    if bool(own.seen_as) == bool(other.seen_as) or other.announcement is not AnnouncementKind.WITHDRAWAL:
        kinds.append(other.announcement)
    extra = tuple(category for category in other.categories if category not in own.categories)
    return replace(own, categories=own.categories + extra, announcement=min(kinds, key=_WEIGHT.index))


def _is_news(entry: Entry, kind: SourceKind, *, today: dt.date) -> bool:
    """Whether a new version of a paper nobody knew stands for the paper itself: one of a day that went missing may have
    been revised before that day was made good, and lists of records show the newest version alone."""
    if entry.announcement is not AnnouncementKind.REPLACEMENT or kind not in _DATED_BY_FIRST_VERSION:
        return False
    return entry.announced_date is not None and today - entry.announced_date < dt.timedelta(days=NEWS_DAYS)


def _first_values(
    entry: Entry, kind: SourceKind, *, date: dt.date, now: dt.datetime, cleaner: TextCleaner
) -> dict[str, Any]:
    withdrawn = now if entry.announcement is AnnouncementKind.WITHDRAWAL else None
    return {
        **_text_values(entry, kind, cleaner),
        **{name: getattr(entry, name) for name in _LINKS},
        **_signal_values(entry),
        "categories": list(entry.categories),
        "announced_date": date,
        "first_seen_at": now,
        "withdrawn_at": withdrawn,
    }


def _plan_update(
    entry: Entry, paper: KnownPaper, kind: SourceKind, *, now: dt.datetime, cleaner: TextCleaner
) -> PaperChange | None:
    values: dict[str, Any] = {}
    if _text_wins(entry, paper, kind, cleaner):
        values |= _text_values(entry, kind, cleaner)
    # A source that does not number its versions does not make us forget the one we have.
    values["version"] = paper.version
    if _speaks_for(entry, paper, kind):
        is_newer = entry.version is not None and entry.version > (paper.version or 0)
        # A new version with the same title and abstract is one all the same.
        values["version"] = entry.version if is_newer else paper.version
        values["withdrawn_at"] = _withdrawn_at(entry, paper, is_newer=is_newer, now=now)
    if _extends_categories(entry, paper):
        values["categories"] = list(dict.fromkeys([*paper.values["categories"], *entry.categories]))
    values |= {name: found for name in _LINKS if (found := getattr(entry, name)) and not paper.values[name]}
    values |= {name: count for name, count in _signal_values(entry).items() if count is not None}
    values = _beside_corrections(values, paper)
    values = {name: value for name, value in values.items() if value != paper.values[name]}
    if not values:
        return None
    shown = {"title", "abstract", "authors", "code_link", "project_link", "pdf_link", "link"}
    return PaperChange(entry.key, values, text_changed=bool(shown & values.keys()))


def _beside_corrections(values: dict[str, Any], paper: KnownPaper) -> dict[str, Any]:
    """What was corrected by hand stays; what the source says now is kept beside it."""
    corrections = paper.values.get("corrections", {})
    told = {name: values.pop(name) for name in corrections if name in values}
    return {**values, "corrections": {**corrections, **told}} if told else values


def _text_wins(entry: Entry, paper: KnownPaper, kind: SourceKind, cleaner: TextCleaner) -> bool:
    rank = TEXT_RANK[kind]
    if rank != paper.text_rank or entry.seen_as:
        return rank > paper.text_rank
    if entry.version and paper.version and entry.version != paper.version:
        return entry.version > paper.version
    return _reads_otherwise(entry, paper, cleaner)


def _reads_otherwise(entry: Entry, paper: KnownPaper, cleaner: TextCleaner) -> bool:
    """Whether a reader would see a difference: arXiv has the accents of one text as TeX in one list and as Unicode in
    another, and by turns each would replace the other for ever."""
    texts = ((entry.title, paper.raw_title), (entry.abstract, paper.raw_abstract))
    return any(
        ours != theirs and cleaner.readable(ours, Markup.TEX) != cleaner.readable(theirs, Markup.TEX)
        for theirs, ours in texts
    )


def _speaks_for(entry: Entry, paper: KnownPaper, kind: SourceKind) -> bool:
    """Whether this source may say which version is the newest and that it is withdrawn: it shows the paper under its
    own key, and no better source is known. What was withdrawn from a conference stands on arXiv as before, and a
    journal counts its own versions."""
    return not entry.seen_as and TEXT_RANK[kind] >= paper.text_rank


def _withdrawn_at(entry: Entry, paper: KnownPaper, *, is_newer: bool, now: dt.datetime) -> dt.datetime | None:
    known: dt.datetime | None = paper.values["withdrawn_at"]
    if entry.announcement is AnnouncementKind.WITHDRAWAL:
        is_older = not is_newer and entry.version is not None and entry.version != paper.version
        return known if is_older else known or now
    return None if is_newer else known


def _extends_categories(entry: Entry, paper: KnownPaper) -> bool:
    return not set(entry.categories) <= set(paper.values["categories"])


def _text_values(entry: Entry, kind: SourceKind, cleaner: TextCleaner) -> dict[str, Any]:
    return {
        "title": cleaner.readable(entry.title, entry.markup),
        "abstract": cleaner.readable(entry.abstract, entry.markup),
        "authors": cleaner.authors(entry),
        "raw_title": entry.title,
        "raw_abstract": entry.abstract,
        "text_rank": TEXT_RANK[kind],
        "version": entry.version,
        "title_key": cleaner.title_key(entry),
    }


def readable(text: str, markup: Markup) -> str:
    """The text as a reader should see it: TeX as Unicode, white space folded, control characters gone."""
    return clean_text(text).text if markup is Markup.TEX else fold(text)


def _signal_values(entry: Entry) -> dict[str, int | None]:
    counts = entry.signals
    return {"upvotes": counts.upvotes, "comments": counts.comments, "github_stars": counts.github_stars}

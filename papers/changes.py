"""What the entries of a document mean for the papers we know. Pure: decides, and changes nothing.

Rules: one paper however many sources and categories show it; the more faithful text wins (arXiv's over a listing's);
an older version never overwrites a newer one; a document read twice changes nothing the second time.
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
        first = [self.readable(author, entry.markup) for author in entry.authors[:1]]
        return title_key(self.readable(entry.title, entry.markup), first)


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
        sightings.append(Sighting(entry, date))
        paper = known.get(entry.key)
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
        if earlier is None:
            merged[entry.key] = entry
            continue
        extra = tuple(category for category in entry.categories if category not in earlier.categories)
        kind = min(earlier.announcement, entry.announcement, key=_WEIGHT.index)
        merged[entry.key] = replace(earlier, categories=earlier.categories + extra, announcement=kind)
    return list(merged.values())


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
    if _text_wins(entry, paper, kind):
        values |= _text_values(entry, kind, cleaner)
        # A source that does not number its versions does not make us forget the one we have.
        values["version"] = entry.version or paper.version
    elif entry.version and entry.version > (paper.version or 0):
        values["version"] = entry.version  # A new version with the same title and abstract is one all the same.
    if _extends_categories(entry, paper):
        values["categories"] = list(dict.fromkeys([*paper.values["categories"], *entry.categories]))
    values |= {name: found for name in _LINKS if (found := getattr(entry, name)) and not paper.values[name]}
    values |= {name: count for name, count in _signal_values(entry).items() if count is not None}
    if entry.announcement is AnnouncementKind.WITHDRAWAL and paper.values["withdrawn_at"] is None:
        values["withdrawn_at"] = now
    values = {name: value for name, value in values.items() if value != paper.values[name]}
    if not values:
        return None
    shown = {"title", "abstract", "authors", "code_link", "project_link", "pdf_link", "link"}
    return PaperChange(entry.key, values, text_changed=bool(shown & values.keys()))


def _text_wins(entry: Entry, paper: KnownPaper, kind: SourceKind) -> bool:
    rank = TEXT_RANK[kind]
    if rank != paper.text_rank:
        return rank > paper.text_rank
    older = entry.version is not None and paper.version is not None and entry.version < paper.version
    return not older and (entry.title, entry.abstract) != (paper.raw_title, paper.raw_abstract)


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

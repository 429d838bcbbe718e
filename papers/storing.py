"""Writing down what a document said, in one transaction: all of it or nothing, and the same twice."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.db import DataError, connection, transaction
from django.db.models import F

from papers.bulk import insert_rows
from papers.changes import KnownPaper, PaperChange, Plan, TextCleaner, plan_changes
from papers.entries import Entry, ParsedFeed
from papers.feeds.kinds import SourceKind
from papers.identifying import Identities, identify
from papers.matching import TopicMatcher, current_matcher, match_changed
from papers.merging import merge_papers
from papers.models import Announcement, DailySignal, Paper, Source, SourceDay
from papers.signals import papers_changed

CHUNK = 500
_TURN = 7_072_657  # the number of the lock by which documents are stored one after the other
_COMPARED = (
    "title abstract authors categories raw_title raw_abstract text_rank version link pdf_link code_link project_link"
    " doi title_key withdrawn_at upvotes comments github_stars revision corrections"
).split()


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What came of a document, or of several; each entry is counted once. `unseen` papers were new to the source."""

    entries: int = 0
    new: int = 0
    unseen: int = 0
    changed: int = 0
    known: int = 0
    rejected: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)

    def __add__(self, other: "StoreReport") -> "StoreReport":
        return StoreReport(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


@dataclass(frozen=True, slots=True)
class Document:
    """Where the entries come from, and when."""

    source: Source
    kind: SourceKind
    today: dt.date
    now: dt.datetime
    matcher: TopicMatcher
    cleaner: TextCleaner


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written for some entries."""

    plan: Plan
    unseen: int = 0


def store_feed(
    *, source: Source, feed: ParsedFeed, today: dt.date, now: dt.datetime, kind: SourceKind | None = None
) -> StoreReport:
    """Store a parsed document of this source.

    `today` is the announcement day in US Eastern time; `kind` is the document's, where it is another than the source's.
    A database that turns away the whole lot (one value it cannot hold) is asked again entry by entry, so that one bad
    entry never stops the rest.
    """
    document = Document(
        source=source,
        kind=kind or SourceKind(source.kind),
        today=today,
        now=now,
        matcher=current_matcher(),
        cleaner=TextCleaner(),
    )
    problems = [asdict(problem) for problem in feed.problems]
    try:
        stored = [_store(document, feed.entries)]
    except (ValueError, OverflowError, DataError):
        stored, refused = _store_singly(document, feed.entries)
        problems += refused
    counts = Counter[str]()
    for part in stored:
        counts.update(new=part.plan.new, changed=part.plan.changed, known=part.plan.known, unseen=part.unseen)
    refused_count = len(problems) - len(feed.problems)
    repeats = len(feed.entries) - counts["new"] - counts["changed"] - counts["known"] - refused_count
    return StoreReport(
        entries=len(feed.entries) + len(feed.problems),
        new=counts["new"],
        unseen=counts["unseen"],
        changed=counts["changed"],
        known=counts["known"] + repeats,
        rejected=len(problems),
        problems=problems,
    )


def _store(document: Document, entries: Sequence[Entry]) -> Stored:
    if not entries:
        return Stored(Plan())
    # The long part, cleaning texts and matching topics, comes before the transaction: SQLite has one writer at a time,
    # and readers who sign up would wait for it.
    found = identify(entries, cleaner=document.cleaner)
    known = _known_papers({entry.key for entry in found.entries})
    plan = _plan(document, found, known)
    document.matcher.match_ahead(_rows_after(plan, known))
    with transaction.atomic():
        _take_turn()
        found_now = identify(entries, cleaner=document.cleaner)
        known_now = _known_papers({entry.key for entry in found_now.entries}, lock=True)
        if (found_now, known_now) != (found, known):
            # Another worker wrote some of these papers meanwhile, or two of them turned out to be one: decide again, by
            # what stands there now.
            found, plan = found_now, _plan(document, found_now, known_now)
        _write_papers(plan, known_now, document)
        ids = _ids_of({sighting.entry.key for sighting in plan.sightings})
        _write_aliases(document, found, ids)
        unseen = _write_sightings(document, plan, ids)
        _write_signals(document, plan, ids)
        changed = {ids[change.key]: change.is_new for change in plan.changes}
        match_changed(changed, rows=_rows_by_id(plan, known_now, ids), matcher=document.matcher)
        if seen := [ids[change.key] for change in plan.changes if _is_seen(change)]:
            papers_changed.send(sender=Paper, paper_ids=seen)
        for kept_key, other_id in found.twins:
            merge_papers(one_id=ids[kept_key], other_id=other_id)
    return Stored(plan, unseen)


def _is_seen(change: PaperChange) -> bool:
    """Whether readers see a paper that we had before differently."""
    return not change.is_new and (change.text_changed or "withdrawn_at" in change.values)


def _take_turn() -> None:
    """Until the transaction ends nobody else stores a document: SQLite has one writer at a time anyway.

    Two sources that bring the same new paper at one moment would otherwise both find it unknown, both count it as new,
    and the text of the one that comes second would be lost, however faithful.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def _store_singly(document: Document, entries: Iterable[Entry]) -> tuple[list[Stored], list[dict[str, str]]]:
    stored, refused = [], []
    for entry in entries:
        try:
            stored.append(_store(document, [entry]))
        except (ValueError, OverflowError, DataError) as error:
            reason = f"The database refused it: {error}"
            refused.append({"item": entry.key, "reason": reason, "excerpt": entry.title[:200]})
    return stored, refused


def _plan(document: Document, found: Identities, known: dict[str, KnownPaper]) -> Plan:
    return plan_changes(
        entries=found.entries,
        known=known,
        kind=document.kind,
        today=document.today,
        now=document.now,
        cleaner=document.cleaner,
    )


def _known_papers(keys: Iterable[str], *, lock: bool = False) -> dict[str, KnownPaper]:
    """What we have of these papers; with `lock` nobody else changes them until the transaction ends."""
    rows: list[dict[str, Any]] = []
    ordered = sorted(keys)
    papers = Paper.objects.order_by("key")
    if lock:
        # Not the keys: rows of others may go on pointing at these papers.
        papers = papers.select_for_update(no_key=True)
    for start in range(0, len(ordered), CHUNK):
        rows += papers.filter(key__in=ordered[start : start + CHUNK]).values("key", *_COMPARED)
    return {
        row["key"]: KnownPaper(
            key=row["key"],
            text_rank=row["text_rank"],
            version=row["version"],
            raw_title=row["raw_title"],
            raw_abstract=row["raw_abstract"],
            values=row,
        )
        for row in rows
    }


def _rows_after(plan: Plan, known: dict[str, KnownPaper]) -> dict[str, dict[str, Any]]:
    """Each changed paper as it will stand, by key."""
    return {
        change.key: {**(known[change.key].values if change.key in known else {}), **change.values}
        for change in plan.changes
        if change.is_new or change.values.keys() & {"title", "abstract", "categories"}
    }


def _rows_by_id(plan: Plan, known: dict[str, KnownPaper], ids: dict[str, int]) -> dict[int, dict[str, Any]]:
    return {ids[key]: row for key, row in _rows_after(plan, known).items()}


def _write_papers(plan: Plan, known: dict[str, KnownPaper], document: Document) -> None:
    # In the order of the keys: two feeds that list the same papers in other orders must not wait for each other.
    changes = sorted(plan.changes, key=lambda change: change.key)
    insert_rows(Paper, [{"key": change.key, **change.values} for change in changes if change.is_new])
    groups: dict[tuple[str, ...], list[PaperChange]] = defaultdict(list)
    for change in changes:
        if not change.is_new:
            groups[tuple(sorted(change.values))].append(change)
    for names, group in groups.items():
        # An upsert of rows that are all there, and locked: what an insert would need besides is never written.
        rows = [
            {
                "key": change.key,
                **change.values,
                "revision": known[change.key].values["revision"] + change.text_changed,
                "announced_date": document.today,
                "first_seen_at": document.now,
            }
            for change in group
        ]
        insert_rows(Paper, rows, unique=["key"], update=[*names, "revision"])


def _ids_of(keys: set[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), CHUNK):
        ids.update(Paper.objects.filter(key__in=ordered[start : start + CHUNK]).values_list("key", "id"))
    return ids


def _write_aliases(document: Document, found: Identities, ids: dict[str, int]) -> None:
    """Keep the keys under which other venues show a paper, each as a bare row that points to it: what was told by a
    DOI or a title stays known when either changes."""
    aliases = {entry.seen_as: entry for entry in found.entries if entry.seen_as}
    known = _ids_of(set(aliases))
    rows = [
        {
            "key": key,
            "title": document.cleaner.readable(entry.title, entry.markup),
            "merged_into_id": ids[entry.key],
            "announced_date": document.today,
            "first_seen_at": document.now,
        }
        for key, entry in sorted(aliases.items())
        if key not in known
    ]
    insert_rows(Paper, rows)


def _write_sightings(document: Document, plan: Plan, ids: dict[str, int]) -> int:
    """Keep every sighting, and count the papers that this source had never shown before. Returns how many they are."""
    paper_ids = [ids[sighting.entry.key] for sighting in plan.sightings]
    seen = Announcement.objects.filter(source=document.source, paper_id__in=paper_ids)
    seen_ids = set(seen.values_list("paper_id", flat=True))
    rows = [
        {
            "paper_id": ids[sighting.entry.key],
            "source_id": document.source.pk,
            "date": sighting.date,
            "kind": sighting.entry.announcement.value,
            "version": sighting.entry.version,
            "seen_at": document.now,
        }
        for sighting in plan.sightings
    ]
    insert_rows(Announcement, rows)
    unseen = Counter(sighting.date for sighting in plan.sightings if ids[sighting.entry.key] not in seen_ids)
    for date, count in sorted(unseen.items()):
        day, is_new = SourceDay.objects.get_or_create(source=document.source, date=date, defaults={"unseen": count})
        if not is_new:
            SourceDay.objects.filter(pk=day.pk).update(unseen=F("unseen") + count)
    return unseen.total()


def _write_signals(document: Document, plan: Plan, ids: dict[str, int]) -> None:
    rows = []
    for sighting in plan.sightings:
        signals = sighting.entry.signals
        if (signals.upvotes, signals.comments, signals.github_stars) != (None, None, None):
            paper = {"paper_id": ids[sighting.entry.key], "source_id": document.source.pk, "date": document.today}
            rows.append({**paper, **asdict(signals)})
    insert_rows(
        DailySignal, rows, unique=["paper_id", "source_id", "date"], update=["upvotes", "comments", "github_stars"]
    )

"""Writing down what a document said, in one transaction: all of it or nothing, and the same twice."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import DataError, transaction
from django.db.models import F

from papers.changes import KnownPaper, Plan, plan_changes
from papers.entries import Entry, ParsedFeed
from papers.feeds.kinds import SourceKind
from papers.matching import TopicMatcher, current_matcher, rematch_topics
from papers.models import Announcement, DailySignal, Paper, Source

_CHUNK = 500
_COMPARED = (
    "title abstract authors categories raw_title raw_abstract text_rank version link pdf_link code_link project_link"
    " doi withdrawn_at upvotes comments github_stars"
).split()


@dataclass(frozen=True, slots=True)
class StoreReport:
    """What came of one document; each entry is counted once."""

    entries: int = 0
    new: int = 0
    changed: int = 0
    known: int = 0
    rejected: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)


def store_feed(*, source: Source, feed: ParsedFeed, today: dt.date, now: dt.datetime) -> StoreReport:
    """Store a parsed document of this source.

    `today` is the announcement day in US Eastern time. A database that turns away the whole lot (one value it cannot
    hold) is asked again entry by entry, so that one bad entry never stops the rest.
    """
    problems = [asdict(problem) for problem in feed.problems]
    try:
        plan = _store(source, feed.entries, today=today, now=now)
    except (ValueError, OverflowError, DataError):
        plan, refused = _store_singly(source, feed.entries, today=today, now=now)
        problems += refused
    found = len(feed.entries) + len(feed.problems)
    repeats = len(feed.entries) - plan.new - plan.changed - plan.known - (len(problems) - len(feed.problems))
    return StoreReport(
        entries=found,
        new=plan.new,
        changed=plan.changed,
        known=plan.known + repeats,
        rejected=len(problems),
        problems=problems,
    )


def _store(source: Source, entries: Iterable[Entry], *, today: dt.date, now: dt.datetime) -> Plan:
    entries = list(entries)
    kind, keys = SourceKind(source.kind), {entry.key for entry in entries}
    # The long part, cleaning texts and matching topics, comes before the transaction: SQLite has one writer at a time,
    # and readers who sign up would wait for it.
    known = _known_papers(keys)
    plan = plan_changes(entries=entries, known=known, kind=kind, today=today, now=now)
    matcher = current_matcher()
    _match_ahead(plan, known, matcher)
    with transaction.atomic():
        known_now = _known_papers(keys, lock=True)
        if known_now != known:
            # Another worker wrote some of these papers meanwhile: decide again, by what stands there now.
            plan = plan_changes(entries=entries, known=known_now, kind=kind, today=today, now=now)
        _write_papers(plan)
        ids = _ids_of({sighting.entry.key for sighting in plan.sightings})
        _write_sightings(source, plan, ids, now=now)
        _write_signals(source, plan, ids, date=today)
        rematch_topics(list(ids.values()), matcher=matcher)
    return plan


def _match_ahead(plan: Plan, known: Mapping[str, KnownPaper], matcher: TopicMatcher) -> None:
    """Match every paper as it will stand, so that the matcher remembers it inside the transaction."""
    changed = {change.key: change.values for change in plan.changes}
    for key in {sighting.entry.key for sighting in plan.sightings}:
        before = known[key].values if key in known else {}
        row = {**before, **changed.get(key, {})}
        matcher.match(title=row["title"], abstract=row["abstract"], categories=row["categories"])


def _store_singly(
    source: Source, entries: Iterable[Entry], *, today: dt.date, now: dt.datetime
) -> tuple[Plan, list[dict[str, str]]]:
    total, refused = Plan(), []
    for entry in entries:
        try:
            plan = _store(source, [entry], today=today, now=now)
        except (ValueError, OverflowError, DataError) as error:
            refused.append(
                {"item": entry.key, "reason": f"The database refused it: {error}", "excerpt": entry.title[:200]}
            )
            continue
        total = Plan(new=total.new + plan.new, changed=total.changed + plan.changed, known=total.known + plan.known)
    return total, refused


def _known_papers(keys: set[str], *, lock: bool = False) -> dict[str, KnownPaper]:
    """What we have of these papers; with `lock` nobody else changes them until the transaction ends."""
    rows: list[dict[str, Any]] = []
    ordered = sorted(keys)
    papers = Paper.objects.order_by("key")
    if lock:
        # Not the keys: rows of others may go on pointing at these papers.
        papers = papers.select_for_update(no_key=True)
    for start in range(0, len(ordered), _CHUNK):
        rows += papers.filter(key__in=ordered[start : start + _CHUNK]).values("key", *_COMPARED)
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


def _write_papers(plan: Plan) -> None:
    # In the order of the keys: two feeds that list the same papers in other orders must not wait for each other.
    changes = sorted(plan.changes, key=lambda change: change.key)
    fresh = [Paper(key=change.key, **change.values) for change in changes if change.is_new]
    # Another worker may insert the same paper at the same moment; its row is as good as ours.
    Paper.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=_CHUNK)
    for change in changes:
        if not change.is_new:
            raised = {"revision": F("revision") + 1} if change.text_changed else {}
            Paper.objects.filter(key=change.key).update(**change.values, **raised)


def _ids_of(keys: set[str]) -> dict[str, int]:
    ids: dict[str, int] = {}
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        ids.update(Paper.objects.filter(key__in=ordered[start : start + _CHUNK]).values_list("key", "id"))
    return ids


def _write_sightings(source: Source, plan: Plan, ids: dict[str, int], *, now: dt.datetime) -> None:
    rows = [
        Announcement(
            paper_id=ids[sighting.entry.key],
            source=source,
            date=sighting.date,
            kind=sighting.entry.announcement.value,
            version=sighting.entry.version,
            seen_at=now,
        )
        for sighting in plan.sightings
    ]
    Announcement.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_CHUNK)


def _write_signals(source: Source, plan: Plan, ids: dict[str, int], *, date: dt.date) -> None:
    rows = []
    for sighting in plan.sightings:
        counts = asdict(sighting.entry.signals)
        if any(count is not None for count in counts.values()):
            rows.append(DailySignal(paper_id=ids[sighting.entry.key], source=source, date=date, **counts))
    DailySignal.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["paper", "source", "date"],
        update_fields=["upvotes", "comments", "github_stars"],
        batch_size=_CHUNK,
    )

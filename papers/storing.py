"""Writing down what a document said, in one transaction: all of it or nothing, and the same twice."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import DataError, transaction
from django.db.models import F

from papers.changes import KnownPaper, Plan, plan_changes
from papers.entries import Entry, ParsedFeed
from papers.feeds.kinds import SourceKind
from papers.models import Announcement, DailySignal, Paper, Source, Topic
from papers.topics import TopicRule, match_topics

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


@transaction.atomic
def _store(source: Source, entries: Iterable[Entry], *, today: dt.date, now: dt.datetime) -> Plan:
    entries = list(entries)
    known = _known_papers({entry.key for entry in entries})
    plan = plan_changes(entries=entries, known=known, kind=SourceKind(source.kind), today=today, now=now)
    _write_papers(plan)
    ids = _ids_of({sighting.entry.key for sighting in plan.sightings})
    _write_sightings(source, plan, ids, now=now)
    _write_signals(source, plan, ids, date=today)
    rematch_topics(list(ids.values()))
    return plan


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


def _known_papers(keys: set[str]) -> dict[str, KnownPaper]:
    rows: list[dict[str, Any]] = []
    ordered = sorted(keys)
    for start in range(0, len(ordered), _CHUNK):
        rows += Paper.objects.filter(key__in=ordered[start : start + _CHUNK]).values("key", *_COMPARED)
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


def rematch_topics(paper_ids: Iterable[int]) -> None:
    """Bring the stored topics of these papers in line with the topics as they are now."""
    topics = list(Topic.objects.active())
    rules = [topic.rule() for topic in topics]
    id_of = {topic.slug: topic.pk for topic in topics}
    wanted = sorted(set(paper_ids))
    for start in range(0, len(wanted), _CHUNK):
        _rematch(wanted[start : start + _CHUNK], rules, id_of)


def _rematch(paper_ids: list[int], rules: list[TopicRule], id_of: dict[str, int]) -> None:
    link = Paper.topics.through
    should: set[tuple[int, int]] = set()
    for row in Paper.objects.filter(id__in=paper_ids).values("id", "title", "abstract", "categories"):
        slugs = match_topics(title=row["title"], abstract=row["abstract"], categories=row["categories"], rules=rules)
        should |= {(row["id"], id_of[slug]) for slug in slugs}
    held = set(link.objects.filter(paper_id__in=paper_ids).values_list("paper_id", "topic_id"))
    link.objects.bulk_create(
        [link(paper_id=paper, topic_id=topic) for paper, topic in sorted(should - held)], ignore_conflicts=True
    )
    for paper, topic in held - should:
        link.objects.filter(paper_id=paper, topic_id=topic).delete()

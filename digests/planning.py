"""Who is due: turning the clock and the readers' wishes into delivery rows.

One transaction a chunk inserts the rows and moves the readers' `next_due_at` on. A crash anywhere leaves the rest due,
a second planner at the same moment inserts nothing twice, and nothing is ever counted by a cursor.
"""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction

from digests.models import Delivery, Edition, SkippedDay, age_limit
from subscriptions.models import Subscriber
from subscriptions.schedule import Schedule, next_due

CHUNK = 1000
# A reader whose hour comes before the edition does waits for it this long.
PATIENCE = dt.timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What one planning run did."""

    planned: int = 0
    waiting: int = 0
    skipped: int = 0


def plan_due(*, now: dt.datetime, dry_run: bool = False) -> PlanReport:
    """Give every reader who is due a delivery of the newest edition, or the reason why not."""
    edition = newest_sendable(now)
    planned = waiting = skipped = 0
    last_id = 0
    while chunk := list(Subscriber.objects.due(now).filter(id__gt=last_id).order_by("id")[:CHUNK]):
        last_id = chunk[-1].pk
        report = plan_subscribers(chunk, edition=edition, now=now, dry_run=dry_run)
        planned, waiting, skipped = planned + report.planned, waiting + report.waiting, skipped + report.skipped
    return PlanReport(planned, waiting, skipped)


def plan_subscribers(
    subscribers: list[Subscriber], *, edition: Edition | None, now: dt.datetime, dry_run: bool = False
) -> PlanReport:
    """Plan these due readers, in one transaction."""
    had = _already_has(subscribers, edition)
    ready = [reader for reader in subscribers if edition and reader.pk not in had]
    unserved = [reader for reader in subscribers if edition is None or reader.pk in had]
    late = [reader for reader in unserved if reader.next_due_at and now - reader.next_due_at > PATIENCE]
    report = PlanReport(planned=len(ready), waiting=len(unserved) - len(late), skipped=len(late))
    if dry_run:
        return report
    with transaction.atomic():
        if edition:
            Delivery.objects.bulk_create(
                [Delivery(edition=edition, subscriber=reader, due_at=reader.next_due_at or now) for reader in ready],
                ignore_conflicts=True,
            )
        SkippedDay.objects.bulk_create(
            [
                SkippedDay(subscriber=reader, due_at=reader.next_due_at or now, reason="No new edition was published.")
                for reader in late
            ],
            ignore_conflicts=True,
        )
        _advance(ready + late, now=now)
    return report


def newest_sendable(now: dt.datetime) -> Edition | None:
    """The edition a digest is recorded against today."""
    return Edition.objects.published().filter(date__gte=age_limit(now)).first()


def _already_has(subscribers: list[Subscriber], edition: Edition | None) -> set[int]:
    if edition is None:
        return set()
    rows = Delivery.objects.filter(edition=edition, subscriber__in=subscribers)
    return {pk for pk in rows.values_list("subscriber_id", flat=True) if pk is not None}


def _advance(subscribers: list[Subscriber], *, now: dt.datetime) -> None:
    """Move each reader to their next hour: one UPDATE for all who share a schedule."""
    groups: dict[Schedule, list[int]] = defaultdict(list)
    for reader in subscribers:
        groups[reader.schedule()].append(reader.pk)
    for schedule, ids in groups.items():
        # Still due, so that a reader who changed the hour meanwhile keeps what they chose.
        Subscriber.objects.due(now).filter(id__in=ids).update(next_due_at=next_due(schedule, after=now))

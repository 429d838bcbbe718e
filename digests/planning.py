"""Who is due: turning the clock and the readers' wishes into delivery rows.

One transaction a chunk inserts the rows and moves the readers' `next_due_at` on. A crash anywhere leaves the rest due,
a second planner at the same moment inserts nothing twice, and nothing is ever counted by a cursor. The rows are made
and moved by the database, a chunk a statement, so the number of readers changes neither memory nor queries a chunk.
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from digests.models import NO_EDITION, Delivery, Edition, EditionState, SkippedDay, age_limit
from subscriptions.models import Subscriber
from subscriptions.schedule import Cadence, Schedule, next_due
from subscriptions.sql import array_of

CHUNK = 5000
# A reader whose hour comes before the edition does waits for it this long.
PATIENCE = dt.timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class PlanReport:
    """What one planning run did."""

    planned: int = 0
    waiting: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class DueReader:
    """A reader who is due, as far as planning must know them."""

    pk: int
    due_at: dt.datetime
    schedule: Schedule


def plan_due(*, now: dt.datetime, dry_run: bool = False) -> PlanReport:
    """Give every reader who is due a delivery of the newest edition, or the reason why not."""
    edition = newest_sendable(now)
    planned = waiting = skipped = 0
    last_id = 0
    hours: dict[Schedule, dt.datetime] = {}
    while chunk := read_due(now=now, after_id=last_id):
        last_id = chunk[-1].pk
        report = plan_readers(chunk, edition=edition, now=now, dry_run=dry_run, hours=hours)
        planned, waiting, skipped = planned + report.planned, waiting + report.waiting, skipped + report.skipped
    return PlanReport(planned, waiting, skipped)


def plan_subscribers(
    subscribers: Iterable[Subscriber], *, edition: Edition | None, now: dt.datetime, dry_run: bool = False
) -> PlanReport:
    """Plan these readers, who are due now, in one transaction."""
    readers = [DueReader(reader.pk, reader.next_due_at or now, reader.schedule()) for reader in subscribers]
    return plan_readers(readers, edition=edition, now=now, dry_run=dry_run)


def read_due(*, now: dt.datetime, after_id: int = 0) -> list[DueReader]:
    """The next chunk of readers whose hour has come, in the order of their ids."""
    rows = Subscriber.objects.due(now).filter(id__gt=after_id).order_by("id")
    columns = rows.values_list("id", "next_due_at", "cadence", "hour", "zone", "weekday")[:CHUNK]
    return [
        DueReader(pk, due_at or now, Schedule(cadence=Cadence(cadence), hour=hour, zone=zone, weekday=weekday))
        for pk, due_at, cadence, hour, zone, weekday in columns
    ]


def plan_readers(
    readers: Sequence[DueReader],
    *,
    edition: Edition | None,
    now: dt.datetime,
    dry_run: bool = False,
    hours: dict[Schedule, dt.datetime] | None = None,
) -> PlanReport:
    """Plan these due readers, in one transaction. `hours` remembers when each schedule is next due after `now`."""
    if dry_run:
        had = _already_has([reader.pk for reader in readers], edition)
        ready = [reader for reader in readers if edition and reader.pk not in had]
        return _report(ready, _late(readers, ready, now=now), readers)
    with transaction.atomic():
        # What was there already is not named: those readers wait for the next edition.
        planned = _insert(readers, edition) if edition else set()
        ready = [reader for reader in readers if reader.pk in planned]
        hours = {} if hours is None else hours
        _advance(ready, now=now, hours=hours)
        # Whom another planner has served meanwhile is due no more, and missed nothing.
        moved = _advance(_late(readers, ready, now=now), now=now, hours=hours)
        late = [reader for reader in readers if reader.pk in moved]
        if late:
            reason = _why_nothing(now)
            days = [SkippedDay(subscriber_id=reader.pk, due_at=reader.due_at, reason=reason) for reader in late]
            SkippedDay.objects.bulk_create(days, ignore_conflicts=True)
    return _report(ready, late, readers)


def newest_sendable(now: dt.datetime) -> Edition | None:
    """The edition a digest is recorded against today."""
    return Edition.objects.published().filter(date__gte=age_limit(now)).first()


def _why_nothing(now: dt.datetime) -> str:
    """Why those who waited in vain got nothing."""
    newest = Edition.objects.filter(
        state__in=[EditionState.PUBLISHED, EditionState.PAUSED], date__gte=age_limit(now)
    ).first()
    if newest and newest.state == EditionState.PAUSED:
        return f"The edition of {newest.date:%Y-%m-%d} was paused."
    return NO_EDITION


def _late(readers: Sequence[DueReader], ready: Sequence[DueReader], *, now: dt.datetime) -> list[DueReader]:
    """Those who get nothing and have waited for an edition long enough."""
    served = {reader.pk for reader in ready}
    return [reader for reader in readers if reader.pk not in served and now - reader.due_at > PATIENCE]


def _report(ready: Sequence[DueReader], late: Sequence[DueReader], readers: Sequence[DueReader]) -> PlanReport:
    return PlanReport(planned=len(ready), waiting=len(readers) - len(ready) - len(late), skipped=len(late))


def _already_has(reader_ids: Collection[int], edition: Edition | None) -> set[int]:
    if edition is None:
        return set()
    rows = Delivery.objects.filter(edition=edition, subscriber_id__in=reader_ids)
    return {pk for pk in rows.values_list("subscriber_id", flat=True) if pk is not None}


def _insert(readers: Sequence[DueReader], edition: Edition) -> set[int]:
    """A queued delivery for each who has none, whatever another planner does at this moment. Returns for whom."""
    if not readers:
        return set()
    source, given = _given(readers, [reader.due_at for reader in readers])
    new_id = "REPLACE(GEN_RANDOM_UUID()::text, '-', '')" if _is_postgres() else "LOWER(HEX(RANDOMBLOB(16)))"
    # Who is erased at this very moment gets none, and must not cost the others theirs.
    lock = "FOR KEY SHARE OF reader" if _is_postgres() else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""INSERT INTO digests_delivery (public_id, state, reason, attempt, claim_token, worker_deaths, provider,
                    provider_message_id, paper_ids, reasons, edition_id, subscriber_id, due_at)
                SELECT {new_id}, 'queued', '', 0, '', 0, '', '', '[]', '[]', %s, given.id, given.at
                FROM {source} JOIN subscriptions_subscriber AS reader ON reader.id = given.id
                WHERE true {lock} ON CONFLICT DO NOTHING
                RETURNING subscriber_id""",  # noqa: S608 - values travel as parameters
            [edition.pk, *given],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _advance(readers: Sequence[DueReader], *, now: dt.datetime, hours: dict[Schedule, dt.datetime]) -> set[int]:
    """Move each reader to their next hour: those still due, so that who changed the hour meanwhile keeps it. Returns
    who they are."""
    if not readers:
        return set()
    for reader in readers:
        if reader.schedule not in hours:
            hours[reader.schedule] = next_due(reader.schedule, after=now)
    source, given = _given(readers, [hours[reader.schedule] for reader in readers])
    back = "reader.id" if _is_postgres() else "id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE subscriptions_subscriber AS reader SET next_due_at = given.at FROM {source}
                WHERE reader.id = given.id AND reader.state = 'active' AND reader.next_due_at <= %s
                RETURNING {back}""",  # noqa: S608
            [*given, _instant(now)],
        )
        return {pk for (pk,) in cursor.fetchall()}


def _given(readers: Sequence[DueReader], instants: Sequence[dt.datetime]) -> tuple[str, list[Any]]:
    """Readers with an instant each, as a table `given` (id, at) for FROM, and its parameters."""
    ids = [reader.pk for reader in readers]
    if _is_postgres():
        arrays = "UNNEST(%s::text::bigint[], %s::text::timestamptz[])"
        return f"{arrays} AS given (id, at)", [array_of(ids), array_of(instants)]
    rows = json.dumps(list(zip(ids, map(_instant, instants), strict=True)))
    pairs = "JSON_EXTRACT(value, '$[0]') AS id, JSON_EXTRACT(value, '$[1]') AS at"
    return f"(SELECT {pairs} FROM JSON_EACH(%s)) AS given", [rows]  # noqa: S608


def _instant(instant: dt.datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(instant)


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"

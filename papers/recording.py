"""Writing down how a visit to a source went: its state and why, the trail of its states, and when to come again."""

import datetime as dt
import logging
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from papers.feeds.kinds import SourceKind
from papers.fetching import Fetched
from papers.freshness import LONGEST_MEMORY_DAYS, Calendar, Freshness, Verdict, judge
from papers.holidays import announcement_holidays
from papers.models import Fetch, FetchStatus, Source, SourceChange, SourceDay, SourceState
from papers.storing import StoreReport

logger = logging.getLogger(__name__)

EASTERN = ZoneInfo("America/New_York")
EVERY = dt.timedelta(minutes=45)
# Lists that change once a day, or that cost their server a search, are asked less often.
EVERY_OF = {
    SourceKind.ARXIV_API: dt.timedelta(hours=6),
    SourceKind.BIORXIV: dt.timedelta(hours=3),
    SourceKind.OPENREVIEW: dt.timedelta(hours=6),
}
NIGHTLY_HOUR = 4  # UTC: after arXiv's records of the day are there, and after its quiet hour
FIRST_RETRY = dt.timedelta(minutes=5)
LONGEST_RETRY = dt.timedelta(hours=6)
# A visit put off for longer than a moment stands among the visits, so that the owner sees why nothing comes.
WORTH_A_LINE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one visit; `error` is a sentence for the owner, empty where all went well."""

    source: str
    status: FetchStatus
    report: StoreReport = field(default_factory=StoreReport)
    error: str = ""


def record_success(
    source: Source, report: StoreReport, *, now: dt.datetime, validators: Fetched | None = None, changed: bool = True
) -> Visit:
    """The source answered, with something or, where not `changed`, with «nothing changed».

    `validators` is the answer whose ETag and date make the next visit conditional; a list of several pages has none.
    """
    status = FetchStatus.STORED if changed else FetchStatus.NOT_MODIFIED
    values: dict[str, Any] = {
        "next_fetch_at": next_visit(source, now=now),
        "last_fetched_at": now,
        "last_success_at": now,
        "failures": 0,
        "last_error": "; ".join(f"{p['item']}: {p['reason']}" for p in report.problems[:3]),
    }
    if report.unseen:
        values["last_new_at"] = now
    if changed:
        values["etag"] = validators.etag[:300] if validators else ""
        values["last_modified"] = validators.last_modified[:100] if validators else ""
    _write(source, status, values, report=report, now=now)
    logger.info("source %s: %s, %d entries, %d new", source.slug, status, report.entries, report.new)
    return Visit(source.slug, status, report)


def record_failure(
    source: Source,
    message: str,
    *,
    now: dt.datetime,
    status: FetchStatus,
    wait: dt.timedelta | None = None,
    report: StoreReport | None = None,
    surprise: Exception | None = None,
) -> Visit:
    """The source did not answer, or not with what it should. What came before that in the same visit is `report`; with
    `surprise`, an error that no code of ours expects, the log says where it came from."""
    values = {
        "next_fetch_at": now + (back_off(source.failures) if wait is None else wait),
        "last_fetched_at": now,
        "failures": source.failures + 1,
        "last_error": message,
    }
    level = logging.ERROR if surprise else logging.WARNING
    logger.log(level, "source %s: %s", source.slug, message, exc_info=surprise)
    _write(source, status, values, error=message, report=report, now=now)
    return Visit(source.slug, status, report or StoreReport(), error=message)


def postpone(source: Source, message: str, *, wait: dt.timedelta, now: dt.datetime) -> Visit:
    """It is not our turn: nothing is wrong with the source, and it is tried again after `wait`."""
    Source.objects.on().filter(pk=source.pk, url=source.url).update(next_fetch_at=now + wait)
    logger.info("source %s: %s", source.slug, message)
    if wait >= WORTH_A_LINE:
        Fetch.objects.create(source=source, fetched_at=now, status=FetchStatus.POSTPONED, error=message)
    return Visit(source.slug, FetchStatus.POSTPONED, error=message)


def judge_source(source: Source, *, now: dt.datetime) -> Verdict:
    """How fresh the source is by what it has brought until now."""
    since = now.astimezone(EASTERN).date() - dt.timedelta(days=LONGEST_MEMORY_DAYS)
    if source.watched_since:
        # What was before belongs to another address, or to a time in which nobody asked.
        since = max(since, source.watched_since.astimezone(EASTERN).date())
    days = SourceDay.objects.filter(source=source, date__gte=since)
    return judge(
        counts=dict(days.values_list("date", "unseen")),
        since=source.watched_since or source.created_at,
        now=now,
        calendar=Calendar(SourceKind(source.kind), announcement_holidays()),
    )


def judge_again(source_id: int, *, now: dt.datetime) -> None:
    """Bring a source's state in line with what it has brought, without a visit: after days were made good."""
    source = Source.objects.on().filter(pk=source_id).first()
    if source:
        with transaction.atomic():
            _change(source, _judged(source, is_failing=source.failures > 0, now=now), now=now)


def judge_all(*, now: dt.datetime) -> None:
    """Once a minute: a source that is never asked, because its host is closed or no worker comes to it, must not go on
    looking fresh."""
    for source_id in Source.objects.on().values_list("id", flat=True):
        judge_again(source_id, now=now)


def switch(source: Source, *, on: bool, now: dt.datetime) -> bool:
    """Switch a source on or off, with a line in its trail. True where this call did it; a second changes nothing.

    One that is on again is judged from now on: nobody asked it meanwhile.
    """
    values: dict[str, Any]
    if on:
        values = {"state": SourceState.WAITING, "state_reason": "switched on", "next_fetch_at": now, "failures": 0}
        values |= {"watched_since": now, "missing_dates": []}
    else:
        values = {"state": SourceState.OFF, "state_reason": "switched off", "missing_dates": []}
    with transaction.atomic():
        before = Source.objects.filter(pk=source.pk).values_list("state", flat=True).first()
        if before is None or (before == SourceState.OFF) is not on:
            return False
        moved = Source.objects.filter(pk=source.pk, state=before).update(**values)
        if moved:
            SourceChange.objects.create(
                source=source, at=now, before=before, after=values["state"], reason=values["state_reason"]
            )
    return bool(moved)


def next_visit(source: Source, *, now: dt.datetime) -> dt.datetime:
    """When to come again after a visit that went well."""
    kind = SourceKind(source.kind)
    if kind is SourceKind.ARXIV_OAI:
        # Spread over the hour by a number that stays the same, so that many lists are not asked for at once.
        night = now.astimezone(dt.UTC).replace(hour=NIGHTLY_HOUR, minute=(source.pk * 7) % 60, second=0, microsecond=0)
        return night if night > now else night + dt.timedelta(days=1)
    return now + EVERY_OF.get(kind, EVERY)


def back_off(failures: int) -> dt.timedelta:
    """How long to wait after so many failures in a row: twice as long each time, and never quite the same."""
    wait: dt.timedelta = min(FIRST_RETRY * 2 ** min(failures, 10), LONGEST_RETRY)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - so that sources which failed together come back apart


def _write(
    source: Source,
    status: FetchStatus,
    values: Mapping[str, Any],
    *,
    now: dt.datetime,
    report: StoreReport | None = None,
    error: str = "",
) -> None:
    with transaction.atomic():
        # What came of another address says nothing of the one it has now, and one switched off meanwhile stays off.
        rows = Source.objects.on().filter(pk=source.pk, url=source.url, kind=source.kind)
        if rows.update(**values):
            _change(source, _judged(source, is_failing=bool(error), now=now), now=now)
        Fetch.objects.create(
            source=source, fetched_at=now, status=status, error=error, **asdict(report or StoreReport())
        )


def _judged(source: Source, *, is_failing: bool, now: dt.datetime) -> dict[str, Any]:
    verdict = judge_source(source, now=now)
    state, reason = SourceState(verdict.state.value), verdict.reason
    # A source that fails while nothing is missing is only failing. Once a day is missing it has stalled, however it
    # answers.
    if is_failing and verdict.state is not Freshness.STALLED:
        state, reason = SourceState.FAILING, "the last visit failed"
    missing = [day.isoformat() for day in verdict.missing]
    return {"state": state, "state_reason": reason[:300], "missing_dates": missing}


def _change(source: Source, values: dict[str, Any], *, now: dt.datetime) -> None:
    """Move the source into its new state, and keep the trail: of two workers who find the same, one writes it."""
    before = Source.objects.on().filter(pk=source.pk).values_list("state", flat=True).first()
    if before is None:
        return
    moved = Source.objects.filter(pk=source.pk, state=before).update(**values)
    if moved and before != values["state"]:
        SourceChange.objects.create(
            source=source, at=now, before=before, after=values["state"], reason=values["state_reason"]
        )

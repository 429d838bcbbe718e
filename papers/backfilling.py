"""Making good the days that went missing, and asking again each night whether any did.

A back-fill is a row with the pages still to ask; each page is fetched, stored and struck off the row, so that any end
of any process costs at most one page, which changes nothing the second time. What it brings counts for the source whose
days were missing, and papers of the last week go into the next edition like all others.
"""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F

from papers.entries import FeedRefusedError
from papers.feeds import ResumeRefusedError, first_page
from papers.feeds.kinds import SourceKind
from papers.fetching import FetchError
from papers.gates import HostClosedError
from papers.ingest import VISIT, Page, announcement_today, explain, read_page, wait_after
from papers.models import Backfill, BackfillState, Source, SourceState
from papers.recording import back_off, judge_again

logger = logging.getLogger(__name__)

# Every night so many days are asked for again, and a missing day is tried again after this.
NIGHTLY_DAYS = 4
NIGHTLY_HOUR = 2  # UTC: arXiv's day is complete, its quiet hour over
TRY_MISSING_AGAIN = dt.timedelta(hours=8)
MOST_FAILURES = 8
LONGEST_SPAN = dt.timedelta(days=3 * 366)
# Kinds whose own address can be asked for a span of days, and those that are asked for one day after the other.
_SPANS = {SourceKind.ARXIV_OAI, SourceKind.BIORXIV}
_DAY_BY_DAY = {SourceKind.HF}


class NoBackfillError(ValueError):
    """This source cannot be asked for days that are past. The message says what would help."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one page of a back-fill did; where it was not asked, when to try again and why."""

    is_asked: bool
    again_after: dt.timedelta = dt.timedelta(0)
    error: str = ""


def start_backfill(*, source: Source, since: dt.date, until: dt.date, why: str, now: dt.datetime) -> Backfill:
    """Ask this source for all papers of these days (both included) once more. Nothing is fetched yet.

    The same span that is still under way is not begun twice. Raises NoBackfillError, also while another span of this
    source is under way, or ValueError for a span that makes no sense.
    """
    if since > until:
        raise ValueError("The first day comes after the last.")
    if until - since > LONGEST_SPAN:
        raise ValueError("That is more than three years; please ask for less at a time.")
    if running := _running(source, since, until):
        return running
    starts = _starts(source, since, until)
    try:
        with transaction.atomic():
            return Backfill.objects.create(
                source=source,
                since=since,
                until=until,
                why=why,
                pages=[{"start": url, "next": url, "page": 0, "furthest": 0} for url in starts],
                lists_total=len(starts),
                next_page_at=now,
            )
    except IntegrityError:
        # Somebody else began one at the same moment.
        if running := _running(source, since, until):
            return running
        raise


def _running(source: Source, since: dt.date, until: dt.date) -> Backfill | None:
    running = source.backfills.filter(state=BackfillState.RUNNING).first()
    if running and (running.since, running.until) != (since, until):
        raise NoBackfillError(
            f"«{source}» is being asked for {running.since} to {running.until} just now. One span at a time, please."
        )
    return running


def can_backfill(source: Source) -> bool:
    """Whether days that are past can be asked for."""
    return bool(source.backfill_url) or SourceKind(source.kind) in _SPANS | _DAY_BY_DAY


def plan_backfills(*, now: dt.datetime) -> list[Backfill]:
    """Once a minute: begin what is due. Days that went missing are asked for at once, all recent ones every night."""
    begun = []
    for source in Source.objects.on().filter(is_sample=False):
        span = _wanted_span(source, now=now) if can_backfill(source) and not settings.OFFLINE else None
        if span:
            since, until, why = span
            begun.append(start_backfill(source=source, since=since, until=until, why=why, now=now))
    return begun


def due_backfills(*, now: dt.datetime) -> list[int]:
    """Back-fills with a page to ask now, of sources that are on."""
    running = Backfill.objects.filter(state=BackfillState.RUNNING, next_page_at__lte=now)
    running = running.exclude(source__state=SourceState.OFF)
    return list(running.order_by("id").values_list("id", flat=True))


def continue_backfill(*, backfill_id: int, now: dt.datetime, patience: float = 30.0) -> Step:
    """Ask for the next page. Safe to call from any number of workers: one of them gets it, the others do nothing."""
    rows = Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING, next_page_at__lte=now)
    if not rows.update(next_page_at=now + VISIT):
        return Step(is_asked=False)
    backfill = Backfill.objects.select_related("source").get(pk=backfill_id)
    if not backfill.pages:
        return _finish(backfill, BackfillState.DONE, now=now)
    url = backfill.pages[0]["next"]
    try:
        page = read_page(backfill.source, url, kind=_kind(backfill.source), now=now, patience=patience)
    except HostClosedError as closed:
        return _try_again(backfill, closed.wait, str(closed), now=now, is_failure=False)
    except FetchError as error:
        wait = wait_after(error, failures=backfill.failures)
        return _try_again(backfill, wait, explain(error, kind=backfill.source.kind), now=now)
    except ResumeRefusedError as refusal:
        _begin_anew(backfill)
        return _try_again(backfill, back_off(backfill.failures), str(refusal), now=now)
    except FeedRefusedError as refusal:
        return _try_again(backfill, back_off(backfill.failures), str(refusal), now=now)
    except Exception as error:
        logger.exception("a page of the back-fill of %s could not be read", backfill.source.slug)
        message = f"A page could not be read: {error.__class__.__name__}. The log says more."
        return _try_again(backfill, back_off(backfill.failures), message, now=now)
    if page.is_short:
        message = "A page of the list stays cut off or empty."
        return _try_again(backfill, back_off(backfill.failures), message, now=now)
    return _strike_off(backfill, page, now=now)


def _starts(source: Source, since: dt.date, until: dt.date) -> list[str]:
    kind = _kind(source)
    url = source.backfill_url or source.url
    if kind in _DAY_BY_DAY:
        days = [since + dt.timedelta(days=offset) for offset in range((until - since).days + 1)]
        return [first_page(kind=kind, url=url, since=day, until=day) for day in days]
    if kind in _SPANS:
        return [first_page(kind=kind, url=url, since=since, until=until)]
    raise NoBackfillError(
        f"«{source}» shows its latest papers only. Give it a back-fill address: the OAI-PMH list of the same papers."
    )


def _kind(source: Source) -> SourceKind:
    return SourceKind.ARXIV_OAI if source.backfill_url else SourceKind(source.kind)


def _wanted_span(source: Source, *, now: dt.datetime) -> tuple[dt.date, dt.date, str] | None:
    today = announcement_today(now)
    if source.backfills.filter(state=BackfillState.RUNNING).exists():
        return None
    recent = source.backfills.filter(created_at__gt=now - TRY_MISSING_AGAIN)
    if source.missing_dates and not recent.exists():
        since = min(dt.date.fromisoformat(day) for day in source.missing_dates)
        return since, today, "days were missing"
    tonight = now.replace(hour=NIGHTLY_HOUR, minute=source.pk * 7 % 60, second=0, microsecond=0)
    is_due = now >= tonight and not source.backfills.filter(created_at__gte=tonight).exists()
    if source.backfill_url and is_due and source.created_at < tonight:
        return today - dt.timedelta(days=NIGHTLY_DAYS), today, "nightly reconciliation"
    return None


def _strike_off(backfill: Backfill, page: Page, *, now: dt.datetime) -> Step:
    first, *rest = backfill.pages
    asked = first["page"] + 1
    is_further = asked > first["furthest"]
    following = {**first, "next": page.next_url, "page": asked, "furthest": max(asked, first["furthest"])}
    pages = [following, *rest] if page.next_url else rest
    values: dict[str, Any] = {"pages": pages, "next_page_at": now, "error": ""}
    if page.feed.total is not None and backfill.lists_total == 1:
        values["total"] = page.feed.total
    if is_further:
        # Pages that come again after a new beginning were counted, and are no progress.
        report = page.report
        values |= {
            "failures": 0,
            "entries": F("entries") + report.entries,
            "new": F("new") + report.new,
            "changed": F("changed") + report.changed,
            "rejected": F("rejected") + report.rejected,
        }
    Backfill.objects.filter(pk=backfill.pk).update(**values)
    backfill.refresh_from_db()
    if not pages:
        _finish(backfill, BackfillState.DONE, now=now)
    return Step(is_asked=True)


def _begin_anew(backfill: Backfill) -> None:
    """A token that is no longer good (they end with the day) means beginning its list anew: what is known already
    changes nothing."""
    first, *rest = backfill.pages
    again = {**first, "next": first["start"], "page": 0}
    Backfill.objects.filter(pk=backfill.pk).update(pages=[again, *rest])


def _try_again(
    backfill: Backfill, wait: dt.timedelta, error: str, *, now: dt.datetime, is_failure: bool = True
) -> Step:
    failures = backfill.failures + is_failure
    Backfill.objects.filter(pk=backfill.pk).update(next_page_at=now + wait, failures=failures, error=error)
    if failures >= MOST_FAILURES:
        backfill.error = error
        return _finish(backfill, BackfillState.FAILED, now=now)
    logger.info("back-fill of %s: %s", backfill.source.slug, error)
    return Step(is_asked=False, again_after=wait, error=error)


def _finish(backfill: Backfill, state: BackfillState, *, now: dt.datetime) -> Step:
    Backfill.objects.filter(pk=backfill.pk).update(state=state, finished_at=now)
    judge_again(backfill.source_id, now=now)
    logger.info("back-fill of %s, %s to %s: %s", backfill.source.slug, backfill.since, backfill.until, state)
    return Step(is_asked=False, error=backfill.error if state == BackfillState.FAILED else "")

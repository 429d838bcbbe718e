"""One visit to a source, from «is it time?» to «what came of it»: claim, fetch, parse, store, record.

No network inside a transaction: the visit is claimed in one, the document stored in another.
"""

import datetime as dt
import logging
import random
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction

from papers.entries import FeedRefusedError
from papers.feeds import parse_feed
from papers.fetching import BadStatusError, Fetched, FetchError, FetchPolicy, fetch
from papers.gates import HostClosedError, close_gate, pass_gate
from papers.models import Fetch, FetchStatus, Source, SourceState
from papers.storing import StoreReport, store_feed

logger = logging.getLogger(__name__)

EASTERN = ZoneInfo("America/New_York")
EVERY = dt.timedelta(minutes=45)
FIRST_RETRY = dt.timedelta(minutes=5)
LONGEST_RETRY = dt.timedelta(hours=6)
# While a visit is under way nobody else starts one; a worker that died over it is forgotten after this.
VISIT = dt.timedelta(minutes=10)
STALLED_AFTER = dt.timedelta(days=4)  # longer than a week-end with a holiday beside it
_SILENCE_STATUSES = {429, 503}
SILENCE = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of one visit; `error` is a sentence for the owner, empty where all went well."""

    source: str
    status: FetchStatus
    report: StoreReport = field(default_factory=StoreReport)
    error: str = ""


def announcement_today(now: dt.datetime) -> dt.date:
    """The announcement day at this instant: arXiv's calendar is US Eastern."""
    return now.astimezone(EASTERN).date()


def claim_due_sources(*, now: dt.datetime) -> list[int]:
    """Take every source whose time has come, so that no other worker visits it meanwhile. Returns their ids."""
    due = Source.objects.due(now).filter(is_sample=True) if settings.OFFLINE else Source.objects.due(now)
    return [pk for pk in due.values_list("id", flat=True) if _claim(pk, now=now)]


def visit_source(*, source_id: int, now: dt.datetime, connect_timeout: float = 5.0) -> Visit:
    """Fetch one source, store what is new, and write down how it went. Never raises for what the source does."""
    source = Source.objects.get(pk=source_id)
    try:
        _check_offline(source)
        pass_gate(host=urlsplit(source.url).netloc)
        fetched = fetch(
            source.url, policy=fetch_policy(connect_timeout), etag=source.etag, last_modified=source.last_modified
        )
    except (FetchError, HostClosedError) as error:
        return _record_failure(source, error, now=now)
    except Exception as error:
        logger.exception("source %s could not be read", source.slug)
        return _record_surprise(source, error, now=now)
    if fetched.not_modified:
        return _record_success(source, FetchStatus.NOT_MODIFIED, StoreReport(), fetched, now=now)
    return take_document(source=source, body=fetched.body, content_type=fetched.content_type, now=now, fetched=fetched)


def take_document(
    *,
    source: Source,
    body: bytes,
    now: dt.datetime,
    content_type: str = "",
    fetched: Fetched | None = None,
    today: dt.date | None = None,
) -> Visit:
    """Parse and store a document of this source, from wherever it came. Never raises for what stands in it."""
    try:
        feed = parse_feed(body=body, kind=source.kind, content_type=content_type)
        report = store_feed(source=source, feed=feed, today=today or announcement_today(now), now=now)
    except FeedRefusedError as error:
        return _record_refusal(source, str(error), now=now)
    except Exception as error:
        logger.exception("source %s could not be read", source.slug)
        return _record_surprise(source, error, now=now)
    return _record_success(source, FetchStatus.STORED, report, fetched, now=now)


def fetch_policy(connect_timeout: float = 5.0) -> FetchPolicy:
    """How this installation fetches: who it says it is, and what it is allowed to reach."""
    return FetchPolicy(
        user_agent=settings.FETCH_USER_AGENT, connect_timeout=connect_timeout, allow=settings.FETCH_ALLOW
    )


def _check_offline(source: Source) -> None:
    # The sample's own server, and those of tests, are named in FETCH_ALLOW: they are on this machine.
    if settings.OFFLINE and urlsplit(source.url).netloc not in settings.FETCH_ALLOW:
        raise FetchError("OFFLINE is set: nothing outside this machine is fetched.", url=source.url)


def _claim(source_id: int, *, now: dt.datetime) -> bool:
    claimed = Source.objects.due(now).filter(pk=source_id).update(next_fetch_at=now + VISIT)
    return claimed == 1


def _record_success(
    source: Source, status: FetchStatus, report: StoreReport, fetched: Fetched | None, *, now: dt.datetime
) -> Visit:
    state = _state_after(source, report, now=now)
    values = {
        "state": state,
        "next_fetch_at": now + EVERY,
        "last_fetched_at": now,
        "last_success_at": now,
        "failures": 0,
        "last_error": "; ".join(f"{p['item']}: {p['reason']}" for p in report.problems[:3]),
    }
    if report.new:
        values["last_new_at"] = now
    if fetched and not fetched.not_modified:
        values |= {"etag": fetched.etag[:300], "last_modified": fetched.last_modified[:100]}
    _write(source, status, values, report=report, now=now)
    logger.info("source %s: %s, %d entries, %d new", source.slug, status, report.entries, report.new)
    return Visit(source.slug, status, report)


def _record_failure(source: Source, error: FetchError | HostClosedError, *, now: dt.datetime) -> Visit:
    wait = _back_off(source)
    message = str(error)
    if isinstance(error, BadStatusError):
        message = _explain(source, error)
        if error.retry_after_seconds is not None:
            wait = max(wait, dt.timedelta(seconds=error.retry_after_seconds))
        if error.status in _SILENCE_STATUSES:
            wait = max(wait, SILENCE)
            close_gate(host=urlsplit(source.url).netloc, until=now + wait)
    logger.warning("source %s could not be fetched: %s", source.slug, message)
    return _write_failing(source, FetchStatus.UNREACHABLE, message, wait=wait, now=now)


def _record_refusal(source: Source, message: str, *, now: dt.datetime) -> Visit:
    logger.warning("source %s sent something else: %s", source.slug, message)
    return _write_failing(source, FetchStatus.REFUSED, message, wait=EVERY, now=now)


def _record_surprise(source: Source, error: Exception, *, now: dt.datetime) -> Visit:
    """Something that no code of ours expects: it is told to the owner, and tried less and less."""
    message = f"The document could not be read: {error.__class__.__name__}. The log says more."
    return _write_failing(source, FetchStatus.REFUSED, message, wait=_back_off(source), now=now)


def _write_failing(source: Source, status: FetchStatus, message: str, *, wait: dt.timedelta, now: dt.datetime) -> Visit:
    values = {
        "state": SourceState.FAILING,
        "next_fetch_at": now + wait,
        "last_fetched_at": now,
        "failures": source.failures + 1,
        "last_error": message,
    }
    _write(source, status, values, error=message, now=now)
    return Visit(source.slug, status, error=message)


def _back_off(source: Source) -> dt.timedelta:
    wait: dt.timedelta = min(FIRST_RETRY * 2 ** min(source.failures, 10), LONGEST_RETRY)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311 - so that sources which failed together come back apart


def _explain(source: Source, error: BadStatusError) -> str:
    """arXiv says what is wrong in a feed of its own, behind the status."""
    try:
        parse_feed(body=error.body_excerpt, kind=source.kind, content_type="")
    except FeedRefusedError as refusal:
        return f"{error} {refusal}"
    except Exception:
        logger.exception("source %s: the page behind its %d could not be read", source.slug, error.status)
    return str(error)


def _state_after(source: Source, report: StoreReport, *, now: dt.datetime) -> SourceState:
    if report.new:
        return SourceState.FRESH
    if announcement_today(now).weekday() >= 5:
        return SourceState.QUIET
    if source.last_new_at and now - source.last_new_at > STALLED_AFTER:
        return SourceState.STALLED
    if source.last_new_at and announcement_today(source.last_new_at) == announcement_today(now):
        return SourceState.FRESH
    return SourceState.WAITING


def _write(
    source: Source,
    status: FetchStatus,
    values: dict[str, object],
    *,
    now: dt.datetime,
    report: StoreReport | None = None,
    error: str = "",
) -> None:
    with transaction.atomic():
        # A source that its owner switched off meanwhile stays off, and what came of another address says nothing of
        # the one it has now.
        rows = Source.objects.filter(pk=source.pk, url=source.url, kind=source.kind)
        rows.exclude(state=SourceState.OFF).update(**values)
        Fetch.objects.create(
            source=source, fetched_at=now, status=status, error=error, **asdict(report or StoreReport())
        )

"""One visit to a source, from «is it time?» to «what came of it»: claim, fetch, parse, store, record.

No network inside a transaction: the visit is claimed in one, each page of the document stored in another.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from django.conf import settings

from limits.buckets import extend, hold, release
from papers.entries import FeedRefusedError, ParsedFeed
from papers.feeds import parse_feed
from papers.feeds.kinds import SourceKind
from papers.feeds.paging import first_page, is_short, next_page
from papers.fetching import BadStatusError, Fetched, FetchError, FetchPolicy, fetch
from papers.gates import HostClosedError, close_gate, turn
from papers.holidays import announcement_holidays
from papers.models import FetchStatus, Source
from papers.recording import EASTERN, EVERY, Visit, back_off, postpone, record_failure, record_success
from papers.storing import StoreReport, store_feed

logger = logging.getLogger(__name__)

# While a visit is under way nobody else starts one; a worker that died over it is forgotten after this.
VISIT = dt.timedelta(minutes=10)
LOOK_AGAIN = dt.timedelta(seconds=30)
_SILENCE_STATUSES = {429, 503}
SILENCE = dt.timedelta(minutes=10)
# How long a worker waits for its turn at a host: for the first page not at all long, other sources can be visited.
PATIENCE = 10.0
PATIENCE_WITHIN = 60.0
MOST_PAGES = 300
# A list of everything there is, newest first, has no end that matters: so many pages, or until all is known.
MOST_PAGES_OF = {SourceKind.HF: 3, SourceKind.ARXIV_API: 10, SourceKind.OPENREVIEW: 10}
_NEWEST_FIRST = {SourceKind.ARXIV_API, SourceKind.OPENREVIEW}
# Kinds that are asked for a span of days, and how far the span reaches back behind the last visit.
_OVERLAP = {SourceKind.ARXIV_OAI: dt.timedelta(days=2), SourceKind.BIORXIV: dt.timedelta(days=2)}
_FIRST_SPAN = dt.timedelta(days=3)
_IN_PAGES = {SourceKind.ARXIV_API, SourceKind.ARXIV_OAI, SourceKind.OPENREVIEW, SourceKind.BIORXIV}
SHORT_PAGE_RETRIES = 2


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a source's list: what it said, what came of it, and the address of the next, if there is one."""

    fetched: Fetched
    feed: ParsedFeed
    report: StoreReport
    next_url: str = ""
    is_short: bool = False


class ShortPageError(FetchError):
    """A page in the middle of a list stays cut off or empty: what follows it cannot be had now."""


def announcement_today(now: dt.datetime) -> dt.date:
    """The announcement day at this instant: arXiv's calendar is US Eastern."""
    return now.astimezone(EASTERN).date()


def claim_due_sources(*, now: dt.datetime) -> list[int]:
    """Take every source whose time has come, so that no other worker visits it meanwhile. Returns their ids."""
    due = Source.objects.due(now).filter(is_sample=True) if settings.OFFLINE else Source.objects.due(now)
    return [pk for pk in due.values_list("id", flat=True) if _claim(pk, now=now)]


def visit_source(*, source_id: int, now: dt.datetime, connect_timeout: float = 5.0) -> Visit:
    """Fetch one source, page by page, store what is new, and write down how it went.

    Never raises for what the source does. Each page is stored by itself, so a visit that breaks off keeps what it has,
    and the next one begins anew.
    """
    source = Source.objects.get(pk=source_id)
    mine = hold(_visit_of(source), seconds=VISIT.total_seconds())
    if not mine:
        return postpone(source, "It is being visited by another worker.", wait=LOOK_AGAIN, now=now)
    try:
        return _visit(source, mine, now=now, connect_timeout=connect_timeout)
    finally:
        release(_visit_of(source), token=mine)


def _visit(source: Source, mine: str, *, now: dt.datetime, connect_timeout: float) -> Visit:
    total, pages = StoreReport(), list[Fetched]()
    try:
        for page in read_pages(source, now=now, connect_timeout=connect_timeout):
            extend(_visit_of(source), token=mine, seconds=VISIT.total_seconds())
            total += page.report
            pages.append(page.fetched)
    except HostClosedError as closed:
        return postpone(source, str(closed), wait=closed.wait, now=now)
    except FetchError as error:
        return _record_fetch_error(source, error, report=total, now=now)
    except FeedRefusedError as error:
        return record_failure(source, str(error), status=FetchStatus.REFUSED, wait=EVERY, report=total, now=now)
    except Exception as error:  # noqa: BLE001 - logged with its traceback, and told to the owner
        return _record_surprise(source, error, report=total, now=now)
    validators = pages[0] if len(pages) == 1 else None
    return record_success(source, total, validators=validators, changed=not pages[0].not_modified, now=now)


def take_document(
    *, source: Source, body: bytes, now: dt.datetime, content_type: str = "", today: dt.date | None = None
) -> Visit:
    """Parse and store a document of this source, from wherever it came. Never raises for what stands in it."""
    try:
        feed = _parse(body, SourceKind(source.kind), content_type=content_type)
        report = store_feed(source=source, feed=feed, today=today or announcement_today(now), now=now)
    except FeedRefusedError as error:
        return record_failure(source, str(error), status=FetchStatus.REFUSED, wait=EVERY, now=now)
    except Exception as error:  # noqa: BLE001 - as above
        return _record_surprise(source, error, now=now)
    return record_success(source, report, now=now)


def read_pages(source: Source, *, now: dt.datetime, connect_timeout: float = 5.0) -> Iterator[Page]:
    """The pages of a source's list, each stored before it is given out.

    Raises FetchError, HostClosedError or FeedRefusedError at the page that cannot be had.
    """
    kind, begun = SourceKind(source.kind), time.monotonic()
    url, patience = _first_page(source, kind, now=now), PATIENCE
    # After a visit that broke off there may be unseen papers behind pages that are all known.
    may_stop_early = kind in _NEWEST_FIRST and not source.failures and "id_list=" not in source.url
    for number in range(1, MOST_PAGES_OF.get(kind, MOST_PAGES) + 1):
        page = read_page(
            source,
            url,
            kind=kind,
            now=now + dt.timedelta(seconds=time.monotonic() - begun),
            patience=patience,
            connect_timeout=connect_timeout,
            is_conditional=number == 1,
        )
        yield page
        if page.is_short:
            raise ShortPageError(f"A page of the list came short {SHORT_PAGE_RETRIES + 1} times.", url=url)
        if not page.next_url or (may_stop_early and not page.report.unseen):
            return
        url, patience = page.next_url, PATIENCE_WITHIN


def read_page(
    source: Source,
    url: str,
    *,
    kind: SourceKind,
    now: dt.datetime,
    patience: float = PATIENCE_WITHIN,
    connect_timeout: float = 5.0,
    is_conditional: bool = False,
) -> Page:
    """Fetch one page of a list and store what it says, as entries of this source.

    Servers give short pages in the middle of a list now and then (arXiv's API empty ones): such a page is asked for
    again. One that stays short and leads nowhere is stored as far as it goes, and says so: the list did not end there.
    """
    for _ in range(SHORT_PAGE_RETRIES + 1):
        fetched = fetch_page(
            url,
            policy=fetch_policy(connect_timeout),
            now=now,
            patience=patience,
            etag=source.etag if is_conditional else "",
            last_modified=source.last_modified if is_conditional else "",
        )
        if fetched.not_modified:
            return Page(fetched, ParsedFeed(), StoreReport())
        feed = _parse(fetched.body, kind, content_type=fetched.content_type)
        lacks_some = kind in _IN_PAGES and is_short(kind=kind, url=url, feed=feed)
        if not lacks_some:
            break
    next_url = next_page(kind=kind, url=url, feed=feed)
    report = store_feed(source=source, feed=feed, kind=kind, today=announcement_today(now), now=now)
    return Page(fetched, feed, report, next_url, is_short=lacks_some and not next_url)


def fetch_page(
    url: str, *, policy: FetchPolicy, now: dt.datetime, patience: float, etag: str = "", last_modified: str = ""
) -> Fetched:
    """Fetch an address when it is our turn at its host. Raises FetchError, or HostClosedError where that takes longer
    than `patience` seconds."""
    _check_offline(url)
    turn_at = partial(_turn_at, now=now, patience=patience)
    return fetch(url, policy=policy, etag=etag, last_modified=last_modified, turn=turn_at)


def _turn_at(host: str, *, now: dt.datetime, patience: float) -> AbstractContextManager[None]:
    return turn(host=host, now=now, patience=patience)


def fetch_policy(connect_timeout: float = 5.0) -> FetchPolicy:
    """How this installation fetches: who it says it is, and what it is allowed to reach."""
    return FetchPolicy(
        user_agent=settings.FETCH_USER_AGENT, connect_timeout=connect_timeout, allow=settings.FETCH_ALLOW
    )


def wait_after(error: FetchError, *, failures: int = 0) -> dt.timedelta:
    """How long to leave a source alone after this error; a host that asked for silence gets it from all of us."""
    wait = back_off(failures)
    if isinstance(error, BadStatusError):
        if error.retry_after_seconds is not None:
            wait = max(wait, dt.timedelta(seconds=error.retry_after_seconds))
        if error.status in _SILENCE_STATUSES:
            wait = max(wait, SILENCE)
            # The one that said so, which a redirect may have led to.
            close_gate(host=urlsplit(error.url).netloc, wait=wait)
    return wait


def explain(error: FetchError, *, kind: str) -> str:
    """The error in words for the owner. arXiv says what is wrong in a feed of its own, behind the status."""
    if not isinstance(error, BadStatusError):
        return str(error)
    try:
        parse_feed(body=error.body_excerpt, kind=kind, content_type="")
    except FeedRefusedError as refusal:
        return f"{error} {refusal}"
    except Exception:
        logger.exception("the page behind the status %d could not be read", error.status)
    return str(error)


def _first_page(source: Source, kind: SourceKind, *, now: dt.datetime) -> str:
    overlap = _OVERLAP.get(kind)
    if overlap is None:
        return first_page(kind=kind, url=source.url)
    since = source.last_success_at - overlap if source.last_success_at else now - _FIRST_SPAN
    return first_page(kind=kind, url=source.url, since=since.date(), until=now.date())


def _parse(body: bytes, kind: SourceKind, *, content_type: str) -> ParsedFeed:
    return parse_feed(body=body, kind=kind, content_type=content_type, holidays=announcement_holidays().dates)


def _visit_of(source: Source) -> str:
    return f"visit:{source.pk}"


def _check_offline(url: str) -> None:
    # The sample's own server, and those of tests, are named in FETCH_ALLOW: they are on this machine.
    if settings.OFFLINE and urlsplit(url).netloc not in settings.FETCH_ALLOW:
        raise FetchError("OFFLINE is set: nothing outside this machine is fetched.", url=url)


def _claim(source_id: int, *, now: dt.datetime) -> bool:
    claimed = Source.objects.due(now).filter(pk=source_id).update(next_fetch_at=now + VISIT)
    return claimed == 1


def _record_fetch_error(source: Source, error: FetchError, *, report: StoreReport, now: dt.datetime) -> Visit:
    wait = wait_after(error, failures=source.failures)
    message = explain(error, kind=source.kind)
    return record_failure(source, message, status=FetchStatus.UNREACHABLE, wait=wait, report=report, now=now)


def _record_surprise(source: Source, error: Exception, *, now: dt.datetime, report: StoreReport | None = None) -> Visit:
    """Something that no code of ours expects: it is told to the owner, and tried less and less."""
    message = f"The document could not be read: {error.__class__.__name__}. The log says more."
    return record_failure(source, message, status=FetchStatus.REFUSED, report=report, surprise=error, now=now)

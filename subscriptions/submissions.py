"""Papers that readers bring: taken, fetched by the worker, shown to the curators, accepted or declined.

Nothing is fetched in a request. What a page says of its paper is kept as a preview until a curator says yes; only then
does it stand among our papers, stored as any source's would be.
"""

import datetime as dt
import logging
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from limits.buckets import Rate, take
from papers.entries import ParsedFeed
from papers.gates import HostClosedError
from papers.identity import paper_key, parse_arxiv_id, parse_doi
from papers.ingest import announcement_today
from papers.merging import survivor_of
from papers.models import Paper, Source, SourceState
from papers.storing import store_feed
from papers.submitted import (
    CannotReadError,
    entry_from_preview,
    kind_of_preview,
    preview_of,
    read_submitted,
)
from subscriptions.models import Notice, NoticeKind, Submission, SubmissionState, Subscriber, SubscriberState
from subscriptions.signals import submission_accepted

logger = logging.getLogger(__name__)

A_DAY = 5
SOURCE = "readers"
MOST_ATTEMPTS = 4
_LEASE = dt.timedelta(minutes=10)
_UNDECIDED = (SubmissionState.ASKED, SubmissionState.READ)
_BATCH = 10


class NotSubmittedError(ValueError):
    """It was not taken; the message says why, to the reader."""


class KnownPaperError(NotSubmittedError):
    """We have this paper."""

    def __init__(self, paper: Paper) -> None:
        super().__init__("We have this paper already.")
        self.paper = paper


@dataclass(frozen=True, slots=True)
class Given:
    """What a reader typed, and the key of the paper it means."""

    text: str
    key: str


def read_given(text: str) -> Given:
    """What paper a text means: an arXiv id, a DOI, or an address of one. Raises NotSubmittedError."""
    text = text.strip()
    is_address = text.lower().startswith(("https://", "http://"))
    if len(text) > 500 or not text.isprintable():
        raise NotSubmittedError(gettext("This is too long, or has signs in it that do not belong into an address."))
    if not (parse_arxiv_id(text) or parse_doi(text) or is_address):
        raise NotSubmittedError(
            gettext("Please give an arXiv id like 2509.02547, a DOI, or a link that begins with https://.")
        )
    try:
        return Given(
            text, paper_key(doi=parse_doi(text), link=text if is_address else "", arxiv_id=parse_arxiv_id(text))
        )
    except ValueError as error:
        raise NotSubmittedError(gettext("This does not say which paper is meant.")) from error


def submit_paper(*, subscriber: Subscriber, text: str, now: dt.datetime) -> Submission:
    """Take a paper from a reader. Raises NotSubmittedError or KnownPaperError.

    Takes a token of the reader's day: call it outside of transactions.
    """
    given = read_given(text)
    if known := _paper_of(given.key):
        raise KnownPaperError(known)
    if Submission.objects.filter(key=given.key, state__in=_UNDECIDED).exists():
        raise NotSubmittedError(gettext("Somebody submitted this paper already; a curator will look at it."))
    rate = Rate(per_second=A_DAY / 86_400, burst=A_DAY)
    if not take(f"reader:submit:{subscriber.public_id}", rate=rate).count:
        raise NotSubmittedError(
            gettext("You have submitted %(count)d papers lately. Please come again tomorrow.") % {"count": A_DAY}
        )
    try:
        with transaction.atomic():
            return Submission.objects.create(
                subscriber=subscriber, key=given.key, given=given.text, asked_at=now, next_read_at=now
            )
    except IntegrityError as error:
        raise NotSubmittedError(gettext("Somebody submitted this paper already; a curator will look at it.")) from error


def submissions_to_read(*, now: dt.datetime) -> list[int]:
    """Those whose time to be fetched has come."""
    due = Submission.objects.filter(state=SubmissionState.ASKED, next_read_at__lte=now).order_by("next_read_at")
    return list(due.values_list("pk", flat=True)[:_BATCH])


def read_submission(*, submission_id: int, now: dt.datetime) -> SubmissionState | None:
    """Fetch what a submission points to and keep what it says. Never raises for what stands there. Safe twice."""
    due = Submission.objects.filter(pk=submission_id, state=SubmissionState.ASKED, next_read_at__lte=now)
    if not due.update(next_read_at=now + _LEASE):
        return None
    submission = Submission.objects.get(pk=submission_id)
    try:
        found = read_submitted(submission.given, now=now)
    except HostClosedError as closed:
        return _later(submission, str(closed), wait=closed.wait, now=now, counts=False)
    except CannotReadError as error:
        return _failed(submission, str(error)) if error.is_final else _later(submission, str(error), now=now)
    except Exception:
        logger.exception("submission %d could not be read", submission_id)
        return _later(submission, "The page could not be read.", now=now)
    known = _paper_of(found.entry.key)
    state = SubmissionState.KNOWN if known else SubmissionState.READ
    return _settle(submission, state, paper=known, preview=preview_of(found), problem="")


def accept_submission(*, submission: Submission, is_pick: bool, now: dt.datetime) -> Paper | None:
    """A curator said yes: the paper is stored, goes among the open edition's, and the submitter is told.

    None where nothing was left to decide.
    """
    waiting = Submission.objects.filter(pk=submission.pk, state=SubmissionState.READ)
    if not submission.preview or not waiting.exists():
        return None
    entry, kind = entry_from_preview(submission.preview), kind_of_preview(submission.preview)
    today = announcement_today(now)
    source, _ = Source.objects.get_or_create(
        slug=SOURCE,
        defaults={
            "name": "Submitted by readers",
            "kind": "rss",
            "url": f"{settings.SITE_URL}/submit/",
            "state": SourceState.OFF,
        },
    )
    # Today it is announced here, however old it is.
    with transaction.atomic():
        if not waiting.update(state=SubmissionState.ACCEPTED, accepted_at=now, decided_at=now):
            return None
        report = store_feed(
            source=source,
            feed=ParsedFeed(entries=(replace(entry, announced_date=today),)),
            today=today,
            now=now,
            kind=kind,
        )
        paper = _paper_of(entry.key)
        if paper is None:
            raise ValueError(f"The paper cannot be stored: {report.problems}")
        Submission.objects.filter(pk=submission.pk).update(paper=paper)
        submission_accepted.send(sender=Submission, paper_id=paper.pk, is_pick=is_pick, now=now)
        _answer(submission, is_accepted=True, paper=paper, now=now)
    return paper


def waiting_submissions() -> QuerySet[Submission]:
    """Those that were fetched and wait for a curator, the oldest first."""
    waiting = Submission.objects.filter(state=SubmissionState.READ).order_by("asked_at", "pk")
    return waiting.select_related("subscriber__profile")


def decline_submission(*, submission: Submission, now: dt.datetime) -> bool:
    """A curator said no; the submitter is told. False where nothing was left to decide."""
    with transaction.atomic():
        waiting = Submission.objects.filter(pk=submission.pk, state__in=_UNDECIDED)
        if not waiting.update(state=SubmissionState.DECLINED, decided_at=now):
            return False
        _answer(submission, is_accepted=False, paper=None, now=now)
    return True


def _answer(submission: Submission, *, is_accepted: bool, paper: Paper | None, now: dt.datetime) -> None:
    reader = Subscriber.objects.get(pk=submission.subscriber_id)
    if reader.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
        return
    Notice.objects.create(
        kind=NoticeKind.SUBMISSION_ANSWER,
        subscriber=reader,
        address_hash=reader.address_hash,
        key=f"submission:{submission.pk}",
        details={
            "is_accepted": "yes" if is_accepted else "",
            "title": paper.title if paper else str(submission.preview.get("shown_title") or submission.key),
            "path": f"/papers/{paper.key.removeprefix('arxiv:')}" if paper else "/submit/",
        },
        created_at=now,
    )


def _paper_of(key: str) -> Paper | None:
    paper = Paper.objects.select_related("merged_into").filter(key=key).first()
    return survivor_of(paper) if paper else None


def _later(
    submission: Submission,
    why: str,
    *,
    now: dt.datetime,
    wait: dt.timedelta = dt.timedelta(minutes=15),
    counts: bool = True,
) -> SubmissionState:
    attempts = submission.attempts + counts
    if attempts >= MOST_ATTEMPTS:
        return _failed(submission, why)
    return _settle(submission, SubmissionState.ASKED, attempts=attempts, next_read_at=now + wait, problem=why[:300])


def _failed(submission: Submission, why: str) -> SubmissionState:
    return _settle(submission, SubmissionState.FAILED, problem=why[:300])


def _settle(submission: Submission, state: SubmissionState, **values: Any) -> SubmissionState:
    Submission.objects.filter(pk=submission.pk, state=SubmissionState.ASKED).update(state=state, **values)
    return state

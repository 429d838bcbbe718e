"""Once a year: «do you still want this?» to readers who gave no sign of life, and a pause for those who do not answer.

A sign is whatever a reader did with us: confirming, changing a choice, a word on a paper. Off unless
ASK_AGAIN_AFTER_DAYS is set.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from subscriptions.consent import record_consent
from subscriptions.models import (
    ConsentEvent,
    ConsentKind,
    Notice,
    NoticeKind,
    ReaderSignal,
    Subscriber,
    SubscriberState,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.pausing import resume
from subscriptions.suppression import not_suppressed

ANSWER_WITHIN = dt.timedelta(days=30)
MOST_AT_ONCE = 1000
NO_ANSWER = "no answer to the yearly question"
ANSWERED = "yearly question"
# The question has arrived, as far as anybody knows.
_ARRIVED = (OutgoingState.ACCEPTED, OutgoingState.DELIVERED)


@dataclass(frozen=True, slots=True)
class AskReport:
    """What one run did: the notices it wrote, and how many readers it paused."""

    notice_ids: tuple[int, ...] = ()
    asked: int = 0
    paused: int = 0


def ask_again(*, now: dt.datetime, dry_run: bool = False) -> AskReport:
    """Ask those who were silent for as long as the setting says, and pause those who did not answer for a month.

    At most a thousand of either at once. Nothing where the setting is 0. Safe to run twice.
    """
    if not settings.ASK_AGAIN_AFTER_DAYS:
        return AskReport()
    since = now - dt.timedelta(days=settings.ASK_AGAIN_AFTER_DAYS)
    silent = list(_to_ask(since)[:MOST_AT_ONCE])
    unanswered = list(_to_pause(now)[:MOST_AT_ONCE])
    if dry_run:
        return AskReport(asked=len(silent), paused=len(unanswered))
    ids = [_ask(reader, now=now) for reader in silent]
    paused = sum(_pause(reader, now=now) for reader in unanswered)
    return AskReport(tuple(ids), asked=len(ids), paused=paused)


@transaction.atomic
def answer_yes(*, subscriber: Subscriber, now: dt.datetime) -> bool:
    """They still want it. True where that ended a pause."""
    if subscriber.state == SubscriberState.PAUSED and subscriber.paused_until is None:
        return resume(subscriber=subscriber, now=now, how=ANSWERED)
    record_consent(subscriber, ConsentKind.CHANGED, how=ANSWERED, now=now)
    return False


def _to_ask(since: dt.datetime) -> QuerySet[Subscriber]:
    asked = Notice.objects.filter(subscriber=OuterRef("pk"), kind=NoticeKind.STILL_WANTED, created_at__gt=since)
    readers = Subscriber.objects.filter(state=SubscriberState.ACTIVE, confirmed_at__lte=since)
    return readers.filter(not_suppressed(), ~Exists(asked), ~_gave_a_sign(since)).order_by("pk")


def _to_pause(now: dt.datetime) -> QuerySet[Subscriber]:
    since = {"subscriber": OuterRef("subscriber"), "at__gt": OuterRef("created_at")}
    question = Notice.objects.filter(
        ~Exists(ConsentEvent.objects.filter(**since)),
        ~Exists(ReaderSignal.objects.filter(**since)),
        subscriber=OuterRef("pk"),
        kind=NoticeKind.STILL_WANTED,
        state__in=_ARRIVED,
        created_at__lte=now - ANSWER_WITHIN,
    )
    return Subscriber.objects.filter(Exists(question), state=SubscriberState.ACTIVE).order_by("pk")


def _gave_a_sign(since: dt.datetime) -> Q:
    events = ConsentEvent.objects.filter(subscriber=OuterRef("pk"), at__gt=since)
    words = ReaderSignal.objects.filter(subscriber=OuterRef("pk"), at__gt=since)
    return Q(Exists(events)) | Q(Exists(words))


@transaction.atomic
def _ask(reader: Subscriber, *, now: dt.datetime) -> int:
    notice = Notice.objects.create(
        kind=NoticeKind.STILL_WANTED, subscriber=reader, address_hash=reader.address_hash, created_at=now
    )
    return notice.pk


@transaction.atomic
def _pause(reader: Subscriber, *, now: dt.datetime) -> bool:
    active = Subscriber.objects.filter(pk=reader.pk, state=SubscriberState.ACTIVE)
    changed = active.update(state=SubscriberState.PAUSED, paused_until=None, next_due_at=None)
    if changed:
        record_consent(reader, ConsentKind.CHANGED, how=NO_ANSWER, now=now)
    return bool(changed)

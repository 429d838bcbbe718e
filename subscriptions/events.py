"""What mail services tell us: stored first, then applied, once, and never backwards.

Anymail makes one shape of every provider's webhooks; see https://anymail.dev/en/stable/sending/tracking/.
"""

import datetime as dt
import hashlib
import logging
import time
from collections.abc import Sequence
from typing import Any

from anymail.signals import AnymailTrackingEvent, EventType
from billiard.exceptions import SoftTimeLimitExceeded
from django.urls import reverse

from mailer.redacting import without_addresses
from subscriptions.addresses import InvalidAddressError, hash_address, normalise_address
from subscriptions.bounce_rules import Verdict, judge, kind_of
from subscriptions.journal import move_rows
from subscriptions.models import MailEvent, Notice, NoticeKind, Subscriber, SuppressionReason
from subscriptions.outgoing import Move, OutgoingState, move, public_id_of
from subscriptions.owner import tell_owner
from subscriptions.signals import mail_event_stored, mails_settled
from subscriptions.signup import unsubscribe
from subscriptions.sql import one_of
from subscriptions.suppression import suppress

logger = logging.getLogger(__name__)

_STATE_FOR = {
    EventType.SENT: OutgoingState.ACCEPTED,
    EventType.QUEUED: OutgoingState.ACCEPTED,
    EventType.DELIVERED: OutgoingState.DELIVERED,
    EventType.DEFERRED: OutgoingState.DEFERRED,
    EventType.BOUNCED: OutgoingState.BOUNCED,
    EventType.REJECTED: OutgoingState.BOUNCED,
    EventType.COMPLAINED: OutgoingState.COMPLAINED,
    EventType.FAILED: OutgoingState.FAILED,
}

# What asks nobody to do anything, beyond noting it.
_NO_MORE_TO_DO = (EventType.SENT, EventType.QUEUED, EventType.DELIVERED)

# A task of its own each minute applies what came; what is left waits for the next.
APPLY_SECONDS = 50.0
_BATCH = 500
# A webhook may overtake the answer to the hand-off it speaks of; it waits this long for that to be recorded.
_PATIENCE = dt.timedelta(hours=1)


def store_event(event: AnymailTrackingEvent, *, provider: str) -> None:
    """Keep what a webhook said: the same event posted twice is one event."""
    kind = kind_of(event)
    if kind not in _STATE_FOR and kind != EventType.UNSUBSCRIBED:
        return
    address_hash = _hash_of(event.recipient)
    verdict = judge(event, provider=provider)
    outgoing_id = str((event.metadata or {}).get("outgoing_id", ""))[:64]
    stored = MailEvent(
        provider=_name(provider),
        event_id=_event_id(event, provider=provider),
        kind=kind,
        outgoing_id=outgoing_id,
        provider_message_id=str(event.message_id or "")[:255],
        address_hash=address_hash,
        is_hard_bounce=verdict is Verdict.HARD,
        is_soft_bounce=verdict is Verdict.SOFT,
        is_block=verdict is Verdict.BLOCK,
        detail=_detail(event),
        happened_at=event.timestamp,
    )
    # One statement, and no look before it: services send hundreds in a second.
    MailEvent.objects.bulk_create([stored], ignore_conflicts=True)


def is_stored(event: AnymailTrackingEvent, *, provider: str) -> bool:
    """Whether `store_event` has kept this one before."""
    known = MailEvent.objects.filter(provider=_name(provider), event_id=_event_id(event, provider=provider))
    return known.exists()


def apply_events(*, now: dt.datetime, seconds: float = APPLY_SECONDS) -> int:
    """Apply the stored events that nobody applied yet, oldest first, for at most so many seconds. Returns how many.
    Safe to run twice."""
    until = time.monotonic() + seconds
    applied, last_id = 0, 0
    while events := list(MailEvent.objects.filter(applied_at__isnull=True, id__gt=last_id).order_by("id")[:_BATCH]):
        last_id = events[-1].pk
        applied += _apply_some(events, now=now)
        if time.monotonic() > until:
            break
    return applied


def _apply_some(events: Sequence[MailEvent], *, now: dt.datetime) -> int:
    settled: set[int] = set()
    for kind in _NO_MORE_TO_DO:
        settled |= _note_together([event for event in events if event.kind == kind and event.outgoing_id], now=now)
    applied = len(settled)
    for event in events:
        if event.pk in settled:
            continue
        error = ""
        try:
            if _apply(event, now=now) is Move.NOT_YET and event.received_at > now - _PATIENCE:
                continue
        except SoftTimeLimitExceeded:
            # The worker's time is up: this event is applied the next time, like those behind it.
            raise
        except Exception as problem:
            logger.exception("mail event %s cannot be applied", event.pk)
            error = without_addresses(f"{problem.__class__.__name__}: {problem}")[:500]
        MailEvent.objects.filter(pk=event.pk).update(applied_at=now, error=error)
        applied += 1
    return applied


def _note_together(events: Sequence[MailEvent], *, now: dt.datetime) -> set[int]:
    """Nearly all mails arrive, and nothing is to be done about that but to note it: a few statements for all of them.

    `events` are of one kind. Returns those that are done with: what moved nothing, or went wrong, is looked at one by
    one. The order among the events of a mail does not matter, since none moves it backwards.
    """
    if not events:
        return set()
    words = {event.outgoing_id: event.detail for event in events}
    state = _STATE_FOR[events[0].kind]
    try:
        moved = move_rows(Notice, words, state=state)
        answers: list[tuple[Any, Any]] = mails_settled.send(sender=MailEvent, words=words, state=state)
        moved.update(*[found for _, found in answers])
    except SoftTimeLimitExceeded:
        raise
    except Exception:
        logger.exception("mail events cannot be noted together")
        return set()
    done = {event.pk for event in events if event.outgoing_id in moved}
    MailEvent.objects.filter(pk__in=one_of(done)).update(applied_at=now)
    return done


def _apply(event: MailEvent, *, now: dt.datetime) -> Move:
    if event.address_hash and (reason := _suppression_for(event)) and not _is_overtaken(event):
        suppress(address_hash=event.address_hash, reason=reason, now=now, note=f"told by {event.provider}")
    if event.kind == EventType.UNSUBSCRIBED:
        return _unsubscribe(event, now=now)
    if event.is_block:
        _tell_blocked(event)
    if not event.outgoing_id:
        event.outgoing_id = public_id_of(event.provider_message_id)
        if not event.outgoing_id:
            # The answer that brings this id may not be written down yet.
            return Move.NOT_YET if event.provider_message_id else Move.NO_SUCH_MAIL
        # What counts bounces asks for our own id.
        MailEvent.objects.filter(pk=event.pk).update(outgoing_id=event.outgoing_id)
    state = _STATE_FOR[event.kind]
    moved = move(Notice, outgoing_id=event.outgoing_id, state=state, detail=event.detail)
    if moved is not Move.NO_SUCH_MAIL:
        return moved
    answers: list[tuple[Any, Any]] = mail_event_stored.send(
        sender=MailEvent,
        outgoing_id=event.outgoing_id,
        state=state,
        detail=event.detail,
        address_hash=event.address_hash,
        is_soft_bounce=event.is_soft_bounce,
        now=now,
    )
    for _, answer in answers:
        if isinstance(answer, Move) and answer is not Move.NO_SUCH_MAIL:
            return answer
    return Move.NO_SUCH_MAIL


def _unsubscribe(event: MailEvent, *, now: dt.datetime) -> Move:
    """The reader left through the mail service's own door; it would refuse their mail from now on in any case."""
    subscriber = Subscriber.objects.filter(address_hash=event.address_hash).first()
    if subscriber is None:
        return Move.NO_SUCH_MAIL
    if _is_overtaken(event):
        return Move.NOTHING_NEW
    unsubscribe(public_id=subscriber.public_id, how="mail service", now=now)
    return Move.MOVED


def _is_overtaken(event: MailEvent) -> bool:
    """Whether it comes late: the owner of the address has confirmed anew since it happened."""
    if event.happened_at is None:
        return False
    return Subscriber.objects.filter(address_hash=event.address_hash, confirmed_at__gt=event.happened_at).exists()


def _suppression_for(event: MailEvent) -> SuppressionReason | None:
    if event.kind == EventType.COMPLAINED:
        return SuppressionReason.COMPLAINT
    # «Spam» and «blocked» are our fault, not the reader's; a full mailbox is nobody's.
    return SuppressionReason.HARD_BOUNCE if event.is_hard_bounce else None


def _tell_blocked(event: MailEvent) -> None:
    """Our fault, not the reader's: nobody is suppressed, and the owner is told, once a day and service."""
    details = {
        "provider": event.provider,
        "detail": event.detail or event.kind,
        "admin_path": f"{reverse('admin:subscriptions_mailevent_changelist')}?is_block__exact=1",
    }
    key = f"mail-blocked-{event.provider}-{event.received_at:%Y-%m-%d}"
    tell_owner(key=key, kind=NoticeKind.MAIL_BLOCKED, details=details)


def _detail(event: AnymailTrackingEvent) -> str:
    parts = (event.reject_reason, event.description)
    words = ": ".join(str(part) for part in parts if part)
    return without_addresses(words, recipient=event.recipient or "")[:500]


def _name(provider: str) -> str:
    return provider.lower()[:40]


def _event_id(event: AnymailTrackingEvent, *, provider: str) -> str:
    if event.event_id:
        return str(event.event_id)[:128]
    parts: list[Any] = [provider, event.message_id, event.recipient, event.event_type, event.timestamp]
    return hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()


def _hash_of(recipient: str | None) -> str:
    try:
        return hash_address(normalise_address(recipient or ""))
    except InvalidAddressError:
        return ""

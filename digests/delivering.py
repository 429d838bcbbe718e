"""Sending digests: claimed rows become mails, one at a time, each step written down before the next."""

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from billiard.exceptions import SoftTimeLimitExceeded
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from digests.digest import Digest, Shelf, build_digest, compose_digest, render_digest
from digests.models import Delivery, Edition, EditionState, age_limit
from mailer.handoff import hand_off
from mailer.messages import OverBudgetError
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.outgoing import SENT_STATES, OutgoingState, begin, bring_back, fail, put_back, skip
from subscriptions.sending import LOOK_AGAIN, record_patiently, send_claimed
from subscriptions.suppression import not_suppressed

logger = logging.getLogger(__name__)

_SUPPRESSED = "The address is suppressed."
_READER_IS = "The reader is "


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of a batch: how many mails in which state."""

    accepted: int = 0
    skipped: int = 0
    other: int = 0


def send_deliveries(ids: Iterable[int], *, now: dt.datetime) -> SendReport:
    """Send those of these deliveries that are queued and due. Safe to run twice, and to be killed anywhere."""
    shelf = Shelf(now=now)

    def send_one(delivery: Delivery, connection: BaseEmailBackend) -> OutgoingState | None:
        return _send_one(delivery, connection=connection, shelf=shelf)

    states = send_claimed(Delivery, ids, send_one=send_one)
    accepted, skipped = states.count(OutgoingState.ACCEPTED), states.count(OutgoingState.SKIPPED)
    return SendReport(accepted=accepted, skipped=skipped, other=len(states) - accepted - skipped)


def bring_back_for(subscriber: Subscriber, *, edition: Edition) -> bool:
    """Queue the delivery of this edition again that was skipped because of the reader: they are back. Safe twice."""
    about_reader = Q(reason=_SUPPRESSED) | Q(reason__startswith=_READER_IS)
    return bring_back(Delivery.objects.filter(about_reader, subscriber=subscriber, edition=edition)) > 0


def sendable_ids(subscriber: Subscriber) -> list[int]:
    """The deliveries that go to this reader as soon as a worker takes them."""
    queued = Delivery.objects.filter(subscriber=subscriber, state=OutgoingState.QUEUED)
    sendable = queued.filter(not_suppressed("subscriber__"), edition__state=EditionState.PUBLISHED)
    return list(sendable.order_by("id").values_list("id", flat=True))


def _send_one(delivery: Delivery, *, connection: BaseEmailBackend, shelf: Shelf) -> OutgoingState | None:
    """One delivery, start to end. What goes wrong with it stays on its row and never stops the others."""
    subscriber = delivery.subscriber
    reason = _reason_not_to_send(delivery, now=shelf.now)
    if reason or subscriber is None:
        skip(delivery, reason)
        return OutgoingState.SKIPPED
    try:
        digest = build_digest(subscriber, delivery.edition, shelf=shelf)
        if not digest.lines:
            skip(delivery, "Nothing to say: every paper of the edition was sent before.")
            return OutgoingState.SKIPPED
        rendered = render_digest(digest, subscriber, now=shelf.now)
        message = compose_digest(rendered, subscriber, public_id=delivery.public_id, now=shelf.now)
    except OverBudgetError as error:
        logger.error("delivery %s: %s", delivery.public_id, error)  # noqa: TRY400 - the message says it all
        fail(delivery, str(error))
        return OutgoingState.FAILED
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        logger.exception("delivery %s cannot be made", delivery.public_id)
        fail(delivery, f"The digest cannot be made: {error.__class__.__name__}.")
        return OutgoingState.FAILED
    if not begin(delivery, allowed=_allowed(shelf.now) & _nothing_since(digest), values=_values(digest)):
        return _stopped_at_the_door(delivery, now=shelf.now)
    state = record_patiently(delivery, hand_off(message, connection=connection))
    logger.info("delivery %s: %s", delivery.public_id, state)
    return state


def _allowed(now: dt.datetime) -> Q:
    """What must hold at the very moment of the hand-off."""
    return (
        Q(subscriber__state=SubscriberState.ACTIVE)
        & Q(edition__state=EditionState.PUBLISHED, edition__date__gte=age_limit(now))
        & not_suppressed("subscriber__")
        & _is_newest()
    )


def _is_newest() -> Q:
    """No digest of a later edition waits for this reader, or went out: that one covers this edition too."""
    later = Delivery.objects.filter(
        subscriber=OuterRef("subscriber"),
        edition__date__gt=OuterRef("edition__date"),
        edition__state=EditionState.PUBLISHED,
    )
    return ~Q(Exists(later.exclude(state__in=[OutgoingState.SKIPPED, OutgoingState.FAILED])))


def _nothing_since(digest: Digest) -> Q:
    """Nothing went to this reader since the papers were chosen, so none of them can be one they have just had."""
    sent = Delivery.objects.filter(
        subscriber=OuterRef("subscriber"), state__in=SENT_STATES, due_at__gte=digest.seen_since
    )
    return ~Q(Exists(sent.exclude(pk__in=digest.seen_ids).exclude(edition=digest.edition)))


def _values(digest: Digest) -> dict[str, object]:
    return {
        "paper_ids": digest.paper_ids,
        "reasons": digest.reasons,
        "edition_revision": digest.edition.revision,
    }


def _reason_not_to_send(delivery: Delivery, *, now: dt.datetime) -> str:
    """Why this mail is not to be made at all, or nothing. `begin` asks the database again."""
    if delivery.subscriber is None:
        return "The reader was erased."
    if delivery.subscriber.state != SubscriberState.ACTIVE:
        return f"{_READER_IS}{delivery.subscriber.state}."
    if delivery.edition.state == EditionState.CANCELLED:
        return "The edition was cancelled."
    if delivery.edition.state == EditionState.CLOSED or delivery.edition.date < age_limit(now):
        return "The edition is too old to be sent."
    if not Delivery.objects.filter(not_suppressed("subscriber__"), pk=delivery.pk).exists():
        return _SUPPRESSED
    if not Delivery.objects.filter(_is_newest(), pk=delivery.pk).exists():
        return "The digest of a later edition covers this one."
    return ""


def _stopped_at_the_door(delivery: Delivery, *, now: dt.datetime) -> OutgoingState | None:
    """Begin said no: something changed since the row was claimed. Say what, or leave it to whoever holds it now."""
    fresh = Delivery.objects.select_related("edition", "subscriber").get(pk=delivery.pk)
    if reason := _reason_not_to_send(fresh, now=now):
        skip(delivery, reason)
        return OutgoingState.SKIPPED
    why = _why_later(fresh)
    return OutgoingState.QUEUED if put_back(delivery, why, after=LOOK_AGAIN) else None


def _why_later(delivery: Delivery) -> str:
    if delivery.edition.state != EditionState.PUBLISHED:
        return f"The edition is {delivery.edition.state}."
    if Delivery.objects.filter(pk=delivery.pk, lease_until__gt=Now()).exists():
        return "Another digest went out to this reader meanwhile."
    return "It took longer than its lease."

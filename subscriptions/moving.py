"""A reader's new address, which has to say yes itself before any paper goes there."""

import datetime as dt
from enum import Enum, auto

from django.db import transaction

from subscriptions.addresses import hash_address
from subscriptions.consent import record_consent
from subscriptions.models import AddressChange, ConsentKind, Notice, NoticeKind, Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState, new_public_id
from subscriptions.signup import NOTICE_COOLDOWN
from subscriptions.suppression import lift_for_new_opt_in

GOOD_FOR = dt.timedelta(days=2)
MOST_A_DAY = 3
# Mails that anybody can have sent to an address by typing it.
_ASKING = (NoticeKind.CONFIRMATION, NoticeKind.ALREADY_SUBSCRIBED, NoticeKind.NEW_ADDRESS)


class MoveResult(Enum):
    MOVED = auto()
    TAKEN = auto()
    NO_LONGER_ASKED = auto()


@transaction.atomic
def ask_new_address(*, subscriber: Subscriber, address: str, now: dt.datetime) -> int | None:
    """Ask this (normalised) address whether it is the reader's. Returns the notice to send, or None where none may go.

    To an address that gets our papers already goes the mail that says so. The page is the same in every case.
    """
    Subscriber.objects.select_for_update().get(pk=subscriber.pk)
    if address == subscriber.email or not _may_ask(subscriber, address, now=now):
        return None
    holder = Subscriber.objects.filter(
        email=address, state__in=[SubscriberState.ACTIVE, SubscriberState.PAUSED]
    ).first()
    if holder is not None:
        return Notice.objects.create(
            kind=NoticeKind.ALREADY_SUBSCRIBED, subscriber=holder, address_hash=holder.address_hash, created_at=now
        ).pk
    change, _ = AddressChange.objects.update_or_create(
        subscriber=subscriber, defaults={"email": address, "asked_at": now, "public_id": new_public_id()}
    )
    return Notice.objects.create(
        kind=NoticeKind.NEW_ADDRESS,
        subscriber=subscriber,
        address_hash=hash_address(address),
        details={"change": change.public_id},
        created_at=now,
    ).pk


def change_of(public_id: str, *, now: dt.datetime) -> AddressChange | None:
    """The change that this link, sent to the new address, is about; None where it was made, replaced or is too old."""
    asked = AddressChange.objects.filter(public_id=public_id, asked_at__gt=now - GOOD_FOR)
    return asked.select_related("subscriber").first()


@transaction.atomic
def confirm_new_address(*, public_id: str, now: dt.datetime) -> MoveResult:
    """The new address said yes: from here on the papers go there. Links in old mails stay good."""
    change = change_of(public_id, now=now)
    if change is None:
        return MoveResult.NO_LONGER_ASKED
    subscriber = Subscriber.objects.select_for_update().get(pk=change.subscriber_id)
    held = Subscriber.objects.select_for_update().filter(email=change.email).exclude(pk=subscriber.pk)
    if held.filter(state__in=[SubscriberState.ACTIVE, SubscriberState.PAUSED]).exists():
        return MoveResult.TAKEN
    # Somebody who asked and never confirmed, or left long ago: the address is one person's, and it is this one.
    held.delete()
    address_hash = hash_address(change.email)
    Subscriber.objects.filter(pk=subscriber.pk).update(email=change.email, address_hash=address_hash)
    subscriber.refresh_from_db()
    record_consent(subscriber, ConsentKind.CHANGED, how="link to the new address", now=now)
    lift_for_new_opt_in(address_hash=address_hash)
    change.delete()
    return MoveResult.MOVED


def forget_old_changes(*, now: dt.datetime) -> int:
    """Delete the new addresses that never said yes. Safe twice."""
    deleted, _ = AddressChange.objects.filter(asked_at__lte=now - GOOD_FOR).delete()
    return deleted


def _may_ask(subscriber: Subscriber, address: str, *, now: dt.datetime) -> bool:
    """A reader's wish must not flood a stranger: one such mail a day to an address, and few in all from one reader."""
    lately = Notice.objects.filter(created_at__gt=now - NOTICE_COOLDOWN).exclude(
        state__in=[OutgoingState.FAILED, OutgoingState.SKIPPED]
    )
    if lately.filter(address_hash=hash_address(address), kind__in=_ASKING).exists():
        return False
    return lately.filter(subscriber=subscriber, kind=NoticeKind.NEW_ADDRESS).count() < MOST_A_DAY

"""From the form to an active subscription: request, confirm, unsubscribe, change.

Every function is safe to call twice: the second call finds nothing left to do and says so.
"""

import datetime as dt
from enum import Enum, auto
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from subscriptions.addresses import hash_address
from subscriptions.consent import BY_MAIL_LINK, record_consent
from subscriptions.models import (
    ConsentKind,
    Farewell,
    Notice,
    NoticeKind,
    Subscriber,
    SubscriberState,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.preferences import Preferences, store_preferences
from subscriptions.signals import subscriber_confirmed
from subscriptions.suppression import awaits_new_opt_in, lift_for_new_opt_in, may_be_asked

# Nobody can have a stranger's mailbox flooded: one confirmation a day, and three in a month until one of them is used.
# Who never confirms is forgotten.
UNCONFIRMED_DAYS = 30
NOTICE_COOLDOWN = dt.timedelta(days=1)
MAX_CONFIRMATIONS = 3


class ConfirmResult(Enum):
    CONFIRMED = auto()
    # Confirmed as well, but there is no digest to send before the next edition.
    CONFIRMED_FOR_LATER = auto()
    ALREADY_CONFIRMED = auto()
    NO_LONGER_ASKED = auto()


class UnsubscribeResult(Enum):
    UNSUBSCRIBED = auto()
    ALREADY_UNSUBSCRIBED = auto()


@transaction.atomic(savepoint=False)
def request_subscription(*, address: str, preferences: Preferences, how: str, now: dt.datetime) -> int | None:
    """Somebody asked, at one of our doors, to subscribe this (normalised) address: every door comes through here.

    A new address gets a confirmation; a known one a mail that says so, and nothing of it is changed, since anybody can
    type anybody's address. A reader whom no mail reaches since a bounce long ago is asked anew. Of an address that must
    not be mailed nothing is kept. Returns the id of the notice to send, or None where no mail may go now. The caller
    shows the same page in every case.
    """
    if not may_be_asked(address_hash=hash_address(address), now=now):
        return None
    subscriber, created = Subscriber.objects.select_for_update().get_or_create(
        email=address, defaults={"address_hash": hash_address(address)}
    )
    is_reader = subscriber.state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}
    if is_reader and not awaits_yes(subscriber, now=now):
        return _write_notice(subscriber, NoticeKind.ALREADY_SUBSCRIBED, now=now)
    notice_id = _write_notice(subscriber, NoticeKind.CONFIRMATION, now=now)
    # What was chosen at the form goes with a mail that asks about it: without one, nobody could have said yes to it.
    if notice_id is None:
        return None
    if subscriber.state != SubscriberState.ACTIVE:
        if not created:
            Subscriber.objects.filter(pk=subscriber.pk).update(state=SubscriberState.PENDING, paused_until=None)
        store_preferences(subscriber, preferences, now=now, is_new=created)
    record_consent(subscriber, ConsentKind.REQUESTED, how=how, now=now)
    return notice_id


@transaction.atomic
def confirm_subscription(*, public_id: str, now: dt.datetime) -> ConfirmResult:
    """The owner of the address pressed the button: from here on there are digests, the first at once.

    Raises Subscriber.DoesNotExist where nobody has this id.
    """
    # Held until the end: of two clicks at once, the second finds nothing left to confirm.
    subscriber = Subscriber.objects.select_for_update().get(public_id=public_id)
    if not awaits_yes(subscriber, now=now):
        known = subscriber.state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}
        return ConfirmResult.ALREADY_CONFIRMED if known else ConfirmResult.NO_LONGER_ASKED
    Subscriber.objects.filter(pk=subscriber.pk).update(state=SubscriberState.ACTIVE, confirmed_at=now, next_due_at=now)
    record_consent(subscriber, ConsentKind.CONFIRMED, how=BY_MAIL_LINK, now=now)
    lift_for_new_opt_in(address_hash=subscriber.address_hash)
    answers: list[tuple[Any, Any]] = subscriber_confirmed.send(sender=Subscriber, subscriber_id=subscriber.pk, now=now)
    on_their_way = any(count for _, count in answers)
    return ConfirmResult.CONFIRMED if on_their_way else ConfirmResult.CONFIRMED_FOR_LATER


def awaits_yes(subscriber: Subscriber, *, now: dt.datetime) -> bool:
    """Whether the yes of the address's owner would change anything: it starts the mail, or ends an old bounce."""
    if subscriber.state == SubscriberState.ACTIVE:
        return Subscriber.objects.filter(awaits_new_opt_in(now), pk=subscriber.pk).exists()
    return subscriber.state == SubscriberState.PENDING


@transaction.atomic
def unsubscribe(*, public_id: str, how: str, now: dt.datetime, reason: Farewell | str = "") -> UnsubscribeResult:
    """No more mail, from this moment: a digest not yet handed over is not sent any more."""
    changed = (
        Subscriber.objects.filter(public_id=public_id)
        .exclude(state=SubscriberState.UNSUBSCRIBED)
        .update(state=SubscriberState.UNSUBSCRIBED, next_due_at=None)
    )
    if not changed:
        return UnsubscribeResult.ALREADY_UNSUBSCRIBED
    subscriber = Subscriber.objects.get(public_id=public_id)
    record_consent(subscriber, ConsentKind.UNSUBSCRIBED, how=how, now=now, reason=reason)
    # Who pressed a button of ours is told that it worked; who used the mail program's asked for no more mail at all.
    if how == BY_MAIL_LINK:
        _write_notice(subscriber, NoticeKind.GOODBYE, now=now)
    return UnsubscribeResult.UNSUBSCRIBED


@transaction.atomic
def change_preferences(*, subscriber: Subscriber, preferences: Preferences, now: dt.datetime) -> None:
    """What the subscriber chose on the manage page."""
    store_preferences(subscriber, preferences, now=now)
    record_consent(subscriber, ConsentKind.CHANGED, how=BY_MAIL_LINK, now=now)


def forget_unconfirmed(*, now: dt.datetime) -> int:
    """Delete the addresses that asked a month ago and never confirmed; what is kept is the keyed hash. Safe twice."""
    old = now - dt.timedelta(days=UNCONFIRMED_DAYS)
    rows = Subscriber.objects.filter(state=SubscriberState.PENDING, confirmed_at__isnull=True, created_at__lt=old)
    forgotten, _ = rows.exclude(notices__created_at__gte=old).delete()
    return forgotten


def _write_notice(subscriber: Subscriber, kind: NoticeKind, *, now: dt.datetime) -> int | None:
    month_ago = now - dt.timedelta(days=UNCONFIRMED_DAYS)
    earlier = _notices_that_may_have_come(subscriber, kind).filter(created_at__gt=month_ago)
    came_at = list(earlier.values_list("created_at", flat=True))
    if any(instant > now - NOTICE_COOLDOWN for instant in came_at):
        return None
    since = max(month_ago, subscriber.confirmed_at or month_ago)
    if kind == NoticeKind.CONFIRMATION and sum(instant > since for instant in came_at) >= MAX_CONFIRMATIONS:
        return None
    notice = Notice.objects.create(
        kind=kind, subscriber=subscriber, address_hash=subscriber.address_hash, created_at=now
    )
    return notice.pk


def _notices_that_may_have_come(subscriber: Subscriber, kind: NoticeKind) -> QuerySet[Notice]:
    """What was never sent fills no mailbox, and must not keep anybody out."""
    notices = Notice.objects.filter(address_hash=subscriber.address_hash, kind=kind)
    return notices.exclude(state__in=[OutgoingState.FAILED, OutgoingState.SKIPPED])

"""Leaving one topic, and coming back within the hour: beside `signup.unsubscribe`, which ends all of it.

What undoes a farewell is signed and shown only to whoever pressed the button, on the page that answers it.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.core import signing
from django.db import transaction

from papers.models import Topic
from subscriptions.consent import BY_MAIL_LINK, record_consent
from subscriptions.models import ConsentKind, Subscriber, SubscriberState, Subscription
from subscriptions.preferences import due_on
from subscriptions.schedule import next_due

UNDO_WITHIN = dt.timedelta(hours=1)
_SALT = "daily-papers:undo"


@dataclass(frozen=True, slots=True)
class Undo:
    """What was ended: one topic, by its slug, or the whole subscription, which stood in `state`."""

    topic: str = ""
    state: str = ""


def sign_undo(subscriber: Subscriber, undo: Undo) -> str:
    """What the undo button carries."""
    return _signer().sign_object([subscriber.public_id, undo.topic, undo.state])


def read_undo(subscriber: Subscriber, text: str) -> Undo | None:
    """What this button undoes; None where it is older than an hour, forged, or another reader's."""
    try:
        public_id, topic, state = _signer().unsign_object(text, max_age=UNDO_WITHIN)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return Undo(topic, state) if public_id == subscriber.public_id else None


@transaction.atomic
def leave_topic(*, subscriber: Subscriber, slug: str, now: dt.datetime) -> bool:
    """No more papers because of this topic. True where it was one of the reader's."""
    deleted, _ = Subscription.objects.filter(subscriber=subscriber, topic__slug=slug).delete()
    if deleted:
        record_consent(subscriber, ConsentKind.CHANGED, how=f"{BY_MAIL_LINK}, one topic less", now=now)
    return bool(deleted)


@transaction.atomic
def take_back(*, subscriber: Subscriber, undo: Undo, now: dt.datetime) -> bool:
    """Undo a farewell. True where that changed anything. Safe to press twice."""
    if undo.topic:
        return _back_to_topic(subscriber, undo.topic, now=now)
    left = Subscriber.objects.filter(pk=subscriber.pk, state=SubscriberState.UNSUBSCRIBED)
    if undo.state == SubscriberState.PAUSED and subscriber.paused_until:
        due_at = due_on(subscriber.schedule(), subscriber.paused_until)
        changed = left.update(state=SubscriberState.PAUSED, next_due_at=due_at)
    elif undo.state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
        changed = left.update(state=SubscriberState.ACTIVE, next_due_at=next_due(subscriber.schedule(), after=now))
    else:
        # Who never said yes cannot say so here: the address's owner has still to confirm.
        return bool(left.update(state=SubscriberState.PENDING))
    if changed:
        record_consent(subscriber, ConsentKind.CONFIRMED, how="undo on the page", now=now)
    return bool(changed)


def _back_to_topic(subscriber: Subscriber, slug: str, *, now: dt.datetime) -> bool:
    topic = Topic.objects.filter(slug=slug).first()
    if topic is None:
        return False
    _, created = Subscription.objects.get_or_create(subscriber=subscriber, topic=topic)
    if created:
        record_consent(subscriber, ConsentKind.CHANGED, how="undo on the page", now=now)
    return created


def _signer() -> signing.TimestampSigner:
    return signing.TimestampSigner(key=settings.LINK_KEY, salt=_SALT)

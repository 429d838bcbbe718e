"""Holidays from the mail: until a day, and back before it."""

import datetime as dt

from django.db import transaction

from subscriptions.consent import BY_MAIL_LINK, record_consent
from subscriptions.models import ConsentKind, Subscriber, SubscriberState
from subscriptions.preferences import due_on
from subscriptions.schedule import known_zone, next_due

LONGEST_PAUSE = dt.timedelta(days=366)


def today_of(subscriber: Subscriber, *, now: dt.datetime) -> dt.date:
    """The day it is where the reader is."""
    return now.astimezone(known_zone(subscriber.zone)).date()


@transaction.atomic
def pause(*, subscriber: Subscriber, until: dt.date, now: dt.datetime) -> bool:
    """No mail before this day, then again by itself. True where the reader is one whose mail can be paused."""
    readers = Subscriber.objects.filter(pk=subscriber.pk, state__in=[SubscriberState.ACTIVE, SubscriberState.PAUSED])
    due_at = due_on(subscriber.schedule(), until)
    changed = readers.update(state=SubscriberState.PAUSED, paused_until=until, next_due_at=due_at)
    if changed:
        record_consent(subscriber, ConsentKind.CHANGED, how=f"{BY_MAIL_LINK}, paused", now=now)
    return bool(changed)


@transaction.atomic
def resume(*, subscriber: Subscriber, now: dt.datetime, how: str = f"{BY_MAIL_LINK}, pause ended") -> bool:
    """Mail comes again, from the next hour that the reader chose. True where it was paused."""
    paused = Subscriber.objects.filter(pk=subscriber.pk, state=SubscriberState.PAUSED)
    due_at = next_due(subscriber.schedule(), after=now)
    changed = paused.update(state=SubscriberState.ACTIVE, paused_until=None, next_due_at=due_at)
    if changed:
        record_consent(subscriber, ConsentKind.CHANGED, how=how, now=now)
    return bool(changed)


def end_pauses(*, now: dt.datetime) -> int:
    """Wake those whose day has come: they are due at once. Returns how many. Safe to run twice."""
    over = Subscriber.objects.filter(state=SubscriberState.PAUSED, paused_until__isnull=False, next_due_at__lte=now)
    return over.update(state=SubscriberState.ACTIVE, paused_until=None)

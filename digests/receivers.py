"""Doorways for what subscriptions tells us."""

import datetime as dt
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from digests.models import Delivery
from digests.planning import newest_sendable, plan_subscribers
from digests.tasks import send_deliveries
from subscriptions.events import Move, move
from subscriptions.models import Subscriber
from subscriptions.outgoing import OutgoingState
from subscriptions.signals import mail_event_stored, subscriber_confirmed


@receiver(subscriber_confirmed)
def on_confirmed(sender: Any, subscriber_id: int, now: dt.datetime, **kwargs: Any) -> None:
    """Plan the first digest in the transaction that confirms, and ring for it once that is durable."""
    reader = Subscriber.objects.get(pk=subscriber_id)
    plan_subscribers([reader], edition=newest_sendable(now), now=now)
    ids = list(Delivery.objects.filter(subscriber=reader, state=OutgoingState.QUEUED).values_list("id", flat=True))
    if ids:
        transaction.on_commit(lambda: send_deliveries.delay(ids), robust=True)


@receiver(mail_event_stored)
def on_mail_event(sender: Any, outgoing_id: str, state: OutgoingState, detail: str, **kwargs: Any) -> Move:
    """A mail service spoke of a mail that is no notice: perhaps it is a delivery."""
    return move(Delivery, outgoing_id=outgoing_id, state=state, detail=detail)

"""Doorways for what subscriptions tells us."""

import datetime as dt
from typing import Any

from django.db import transaction
from django.dispatch import receiver

from digests.delivering import bring_back_for, sendable_ids
from digests.models import Delivery
from digests.planning import newest_sendable, plan_subscribers
from digests.tasks import send_deliveries
from subscriptions.models import Subscriber
from subscriptions.outgoing import Move, OutgoingState, move
from subscriptions.schedule import next_due
from subscriptions.signals import mail_event_stored, subscriber_confirmed


@receiver(subscriber_confirmed)
def on_confirmed(sender: Any, subscriber_id: int, now: dt.datetime, **kwargs: Any) -> int:
    """Plan the first digest in the transaction that confirms, and ring for it once that is durable.

    Returns how many digests are on their way: none while there is no edition they have not had.
    """
    reader = Subscriber.objects.get(pk=subscriber_id)
    edition = newest_sendable(now)
    if edition and bring_back_for(reader, edition=edition):
        # The digest of this edition, like a first one, stands in for that of the day.
        Subscriber.objects.filter(pk=reader.pk).update(next_due_at=next_due(reader.schedule(), after=now))
    else:
        plan_subscribers([reader], edition=edition, now=now)
    ids = sendable_ids(reader)
    if ids:
        transaction.on_commit(lambda: send_deliveries.delay(ids), robust=True)
    return len(ids)


@receiver(mail_event_stored)
def on_mail_event(
    sender: Any, outgoing_id: str, provider_message_id: str, state: OutgoingState, detail: str, **kwargs: Any
) -> Move:
    """A mail service spoke of a mail that is no notice: perhaps it is a delivery."""
    return move(Delivery, outgoing_id=outgoing_id, provider_message_id=provider_message_id, state=state, detail=detail)

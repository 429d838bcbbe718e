"""Readers whose mail keeps coming back for reasons that were said to pass."""

from digests.models import Delivery
from subscriptions.models import MailEvent
from subscriptions.outgoing import SENT_STATES

OF_THE_LAST = 5
TOO_MANY = 3


def keeps_bouncing(address_hash: str) -> bool:
    """Whether 3 of the last 5 digests to this address bounced softly."""
    sent = Delivery.objects.filter(subscriber__address_hash=address_hash, state__in=SENT_STATES)
    last = list(sent.order_by("-due_at", "-id").values_list("public_id", flat=True)[:OF_THE_LAST])
    bounced = MailEvent.objects.filter(outgoing_id__in=last, is_soft_bounce=True).values("outgoing_id").distinct()
    return bounced.count() >= TOO_MANY

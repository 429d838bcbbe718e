"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

from celery import shared_task
from django.utils import timezone

from digests.delivering import send_deliveries as send
from digests.editions import publish_due_editions
from digests.models import Delivery
from digests.planning import plan_due
from subscriptions.outgoing import due_ids, sweep

BATCH = 50
MOST_RINGS = 200


@shared_task
def send_deliveries(ids: list[int]) -> None:
    """Send these deliveries."""
    send(ids, now=timezone.now())


@shared_task
def tick() -> None:
    """Once a minute: publish what is due, plan who is due, end leases that ran out, ring for what waits."""
    now = timezone.now()
    publish_due_editions(now=now)
    plan_due(now=now)
    sweep(Delivery)
    ring()


def ring() -> None:
    """Tell the workers of every delivery that waits, a batch of ids a bell."""
    ids = due_ids(Delivery, limit=BATCH * MOST_RINGS)
    for start in range(0, len(ids), BATCH):
        send_deliveries.delay(ids[start : start + BATCH])

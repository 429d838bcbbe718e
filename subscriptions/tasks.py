"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

from celery import shared_task
from django.utils import timezone

from subscriptions.events import apply_events
from subscriptions.guard import forget_visitors
from subscriptions.heartbeat import beat
from subscriptions.models import Notice
from subscriptions.notices import send_notices as send
from subscriptions.outgoing import due_ids, sweep
from subscriptions.signup import forget_unconfirmed

BATCH = 50


@shared_task
def send_notices(ids: list[int]) -> None:
    """Send these notices."""
    send(ids, now=timezone.now())


@shared_task
def show_life() -> None:
    """Write down that a task was done on this host: `manage.py check_worker` asks for it."""
    beat()


@shared_task
def tick() -> None:
    """Once a minute: end leases that ran out, ring for notices the queue forgot, apply what mail services said, and
    forget who never confirmed and who knocked long ago."""
    sweep(Notice)
    if ids := due_ids(Notice, limit=BATCH):
        send_notices.delay(ids)
    apply_events(now=timezone.now())
    forget_unconfirmed(now=timezone.now())
    forget_visitors()

"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

import logging
from collections.abc import Callable

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from digests.alerts import tell_about_sources
from digests.breaker import trip_breakers
from digests.delivering import due_deliveries
from digests.delivering import send_deliveries as send
from digests.editions import publish_due_editions
from digests.letters import plan_letters, sendable
from digests.letters import send_letters as send_letter_rows
from digests.models import Delivery, LetterDelivery
from digests.planning import plan_due
from digests.pruning import prune_deliveries, prune_signals, prune_skipped_days, prune_words
from digests.summaries import write_summaries as write
from digests.watching import tell_about_sending
from subscriptions.holding import hold_if_behind
from subscriptions.outgoing import due_ids, sweep
from subscriptions.pruning import prune_records

# A task costs about a millisecond, and each opens connections of its own: it is to have some work.
BATCH = 500
MOST_RINGS = 200
MOST_LETTER_RINGS = 20
BELL_SECONDS = 300
# Readers whose tastes are learned in one task: a minute's work and less.
MOST_LEARNED = 10_000

logger = logging.getLogger(__name__)


@shared_task
def send_deliveries(ids: list[int]) -> None:
    """Send these deliveries."""
    send(ids, now=timezone.now())


@shared_task
def send_letters(ids: list[int]) -> None:
    """Send these letters."""
    send_letter_rows(ids, now=timezone.now())


@shared_task
def prune() -> None:
    """Once a night: archive the deliveries that are too old to be kept one by one, and delete what nobody asks for."""
    now = timezone.now()
    prune_deliveries(now=now)
    prune_skipped_days(now=now)
    prune_words(now=now)
    prune_signals(now=now)
    prune_records(now=now)


@shared_task(soft_time_limit=240, time_limit=270)
def learn_tastes(ids: list[int] | None = None) -> None:
    """Once a minute, and when a reader said something: learn what is not up to date. In a queue of its own."""
    # Only here: this loads libraries for numbers, which workers that send do without.
    from digests.learning import learn_tastes as learn

    learn(now=timezone.now(), only=ids, most=MOST_LEARNED)


# One request and no more, so that a machine that does not answer keeps a worker for seconds.
@shared_task(soft_time_limit=60, time_limit=90)
def write_summaries() -> None:
    """Every few minutes: ask for lines on papers of the editions to come, where the owner wants them."""
    write(now=timezone.now())


@shared_task
def tick() -> None:
    """Once a minute: publish what is due, tell the owner about sources, stop what is taken badly, plan who is due, end
    leases that ran out, ring for what waits."""
    now = timezone.now()
    steps: list[Callable[[], object]] = [
        hold_if_behind,
        lambda: publish_due_editions(now=now),
        lambda: tell_about_sources(now=now),
        lambda: trip_breakers(now=now),
        lambda: tell_about_sending(now=now),
        lambda: plan_due(now=now),
        lambda: sweep(Delivery),
        ring,
        plan_letters,
        lambda: sweep(LetterDelivery),
        ring_for_letters,
    ]
    for step in steps:
        # What goes wrong with one must not keep the others from their work; the next minute tries it again.
        try:
            step()
        except Exception:
            logger.exception("a step of the minute failed")


def ring_for_letters() -> None:
    """The same for letters: behind the digests of the morning, for nobody waits for them at an hour."""
    ids = due_ids(LetterDelivery, limit=BATCH * MOST_LETTER_RINGS, also=sendable())
    for start in range(0, len(ids), BATCH):
        send_letters.apply_async((ids[start : start + BATCH],), expires=BELL_SECONDS)


def ring() -> None:
    """Tell the workers of every delivery that waits, a batch of ids a bell."""
    # No more than may leave before the next minute's bells: the others would only keep workers waiting.
    most = min(BATCH * MOST_RINGS, 90 * settings.SEND_RATE or BATCH * MOST_RINGS)
    ids = due_deliveries(limit=most)
    for start in range(0, len(ids), BATCH):
        # Rung again every minute: bells that nobody heard by then need not be heard any more.
        send_deliveries.apply_async((ids[start : start + BATCH],), expires=BELL_SECONDS)

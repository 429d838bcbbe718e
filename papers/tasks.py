"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

import time

from celery import shared_task
from django.utils import timezone

from papers import matching
from papers.backfilling import continue_backfill, due_backfills, plan_backfills
from papers.ingest import claim_due_sources, visit_source
from papers.recording import judge_all

# A back-fill works for so long in one go, then makes room for others until the next minute.
_BACKFILL_SECONDS = 40.0


@shared_task
def fetch_due_sources() -> None:
    """Once a minute: ring for every source whose time has come, look whether all bring what they should, and ring for
    the days that are to be made good."""
    for source_id in claim_due_sources(now=timezone.now()):
        fetch_source.delay(source_id)
    judge_all(now=timezone.now())
    plan_backfills(now=timezone.now())
    for backfill_id in due_backfills(now=timezone.now()):
        backfill.delay(backfill_id)


@shared_task
def fetch_source(source_id: int) -> None:
    """Visit one source."""
    visit_source(source_id=source_id, now=timezone.now())


@shared_task
def backfill(backfill_id: int) -> None:
    """Go on with a back-fill for a while."""
    deadline = time.monotonic() + _BACKFILL_SECONDS
    while time.monotonic() < deadline and continue_backfill(backfill_id=backfill_id, now=timezone.now()).is_asked:
        pass


@shared_task
def rematch_topic(topic_id: int) -> None:
    """Give a topic whose rule was changed its recent papers."""
    matching.rematch_topic(topic_id=topic_id, now=timezone.now())

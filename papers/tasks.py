"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

from celery import shared_task
from django.utils import timezone

from papers import matching
from papers.ingest import claim_due_sources, visit_source


@shared_task
def fetch_due_sources() -> None:
    """Once a minute: ring for every source whose time has come."""
    for source_id in claim_due_sources(now=timezone.now()):
        fetch_source.delay(source_id)


@shared_task
def fetch_source(source_id: int) -> None:
    """Visit one source."""
    visit_source(source_id=source_id, now=timezone.now())


@shared_task
def rematch_topic(topic_id: int) -> None:
    """Give a topic whose rule was changed its recent papers."""
    matching.rematch_topic(topic_id=topic_id, now=timezone.now())

"""More like this, less like this: what a reader said about single papers, to see and to clear."""

import datetime as dt
from typing import Any

from django.db import transaction

from papers.models import Paper
from subscriptions.models import Leaning, ReaderSignal, Subscriber
from subscriptions.signals import reader_taste_asked_for, reader_taste_changed

MOST_KEPT = 500


@transaction.atomic
def set_leaning(*, subscriber: Subscriber, paper: Paper, leaning: Leaning, now: dt.datetime) -> None:
    """Keep the reader's latest word on this paper. Safe twice."""
    kept = paper.merged_into or paper
    turned = ReaderSignal.objects.filter(subscriber=subscriber, paper=kept).exclude(leaning=leaning).exists()
    ReaderSignal.objects.update_or_create(subscriber=subscriber, paper=kept, defaults={"leaning": leaning, "at": now})
    old = ReaderSignal.objects.filter(subscriber=subscriber).values_list("pk", flat=True)[MOST_KEPT:]
    ReaderSignal.objects.filter(pk__in=list(old)).delete()
    reader_taste_changed.send(sender=Subscriber, subscriber_id=subscriber.pk, is_more=not turned)


@transaction.atomic
def clear_leanings(*, subscriber: Subscriber, paper_id: int | None = None) -> int:
    """Forget what the reader said, about one paper or about all. Returns how many words that were."""
    said = ReaderSignal.objects.filter(subscriber=subscriber)
    deleted, _ = (said if paper_id is None else said.filter(paper_id=paper_id)).delete()
    if deleted:
        reader_taste_changed.send(sender=Subscriber, subscriber_id=subscriber.pk, is_more=False)
    return deleted


def learned_of(subscriber: Subscriber) -> dict[str, Any]:
    """What was made of all that, in words: `words`, the heaviest first. Empty where nothing was learned yet."""
    answers: list[tuple[Any, Any]] = reader_taste_asked_for.send(sender=Subscriber, subscriber_id=subscriber.pk)
    return {name: value for _, found in answers for name, value in found.items()}


def follow_paper(*, kept_id: int, dropped_id: int) -> None:
    """Two papers were found to be one: words on the other stand for the one that stays, but where the reader had one
    on that already. Safe twice."""
    there = ReaderSignal.objects.filter(paper_id=kept_id).values("subscriber_id")
    said = ReaderSignal.objects.filter(paper_id=dropped_id)
    said.exclude(subscriber_id__in=there).update(paper_id=kept_id)
    ReaderSignal.objects.filter(paper_id=dropped_id).delete()

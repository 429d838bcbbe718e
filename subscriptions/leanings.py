"""More like this, less like this: what a reader said about single papers, to see and to clear."""

import datetime as dt

from papers.models import Paper
from subscriptions.models import Leaning, ReaderSignal, Subscriber

MOST_KEPT = 500


def set_leaning(*, subscriber: Subscriber, paper: Paper, leaning: Leaning, now: dt.datetime) -> None:
    """Keep the reader's latest word on this paper. Safe twice."""
    kept = paper.merged_into or paper
    ReaderSignal.objects.update_or_create(subscriber=subscriber, paper=kept, defaults={"leaning": leaning, "at": now})
    old = ReaderSignal.objects.filter(subscriber=subscriber).values_list("pk", flat=True)[MOST_KEPT:]
    ReaderSignal.objects.filter(pk__in=list(old)).delete()


def clear_leanings(*, subscriber: Subscriber, paper_id: int | None = None) -> int:
    """Forget what the reader said, about one paper or about all. Returns how many words that were."""
    said = ReaderSignal.objects.filter(subscriber=subscriber)
    deleted, _ = (said if paper_id is None else said.filter(paper_id=paper_id)).delete()
    return deleted


def follow_paper(*, kept_id: int, dropped_id: int) -> None:
    """Two papers were found to be one: words on the other stand for the one that stays, but where the reader had one
    on that already. Safe twice."""
    there = ReaderSignal.objects.filter(paper_id=kept_id).values("subscriber_id")
    said = ReaderSignal.objects.filter(paper_id=dropped_id)
    said.exclude(subscriber_id__in=there).update(paper_id=kept_id)
    ReaderSignal.objects.filter(paper_id=dropped_id).delete()

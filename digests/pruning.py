"""Deliveries that are too old to be kept one by one: what must never be forgotten of them goes into two archives.

A reader's archive keeps the papers they had, so that none comes twice; an edition's keeps how many deliveries ended in
each state, so that its books still balance.
"""

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from digests.models import (
    Delivery,
    EditionArchive,
    NearDuplicate,
    PaperWords,
    ReaderArchive,
    SkippedDay,
    WordCorpus,
)
from papers.models import DailySignal, Paper
from subscriptions.outgoing import SENT_STATES, OutgoingState
from subscriptions.pruning import RECORDS_KEPT_DAYS, delete_in_chunks

KEPT_DAYS = 90
WORDS_KEPT_FOR = dt.timedelta(days=60)
# Trending looks back two weeks; a chart of a month needs the rest.
SIGNALS_KEPT = dt.timedelta(days=60)
CHUNK = 1000
_ENDED = [
    state
    for state in OutgoingState
    if state not in {OutgoingState.QUEUED, OutgoingState.CLAIMED, OutgoingState.HANDING_OVER}
]


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What one run archived: how many deliveries, of how many readers."""

    deliveries: int = 0
    readers: int = 0


def prune_deliveries(*, now: dt.datetime, dry_run: bool = False, kept_days: int = KEPT_DAYS) -> PruneReport:
    """Archive the deliveries due more than `kept_days` ago whose end is known. Safe to run twice, and to be killed."""
    old = Delivery.objects.filter(due_at__lt=now - dt.timedelta(days=kept_days), state__in=_ENDED)
    if dry_run:
        return PruneReport(old.count(), old.values("subscriber_id").distinct().count())
    deliveries = 0
    readers: set[int] = set()
    while ids := list(old.order_by("id").values_list("id", flat=True)[:CHUNK]):
        with transaction.atomic():
            found = _archive(ids)
        if not found:
            # Another process has these in hand.
            break
        deliveries += len(found)
        readers |= {row.subscriber_id for row in found if row.subscriber_id is not None}
    return PruneReport(deliveries, len(readers))


def prune_skipped_days(*, now: dt.datetime, dry_run: bool = False) -> int:
    """Delete the notes of days without a digest that are older than any record is kept. Returns how many."""
    old = SkippedDay.objects.filter(due_at__lt=now - dt.timedelta(days=RECORDS_KEPT_DAYS))
    return old.count() if dry_run else delete_in_chunks(old)


def prune_signals(*, now: dt.datetime, dry_run: bool = False) -> int:
    """Delete the counts of days that trending does not look back to any more. Returns how many; safe twice."""
    old = DailySignal.objects.filter(date__lt=now.date() - SIGNALS_KEPT)
    return old.count() if dry_run else delete_in_chunks(old)


def _archive(ids: list[int]) -> list[Delivery]:
    # Locked, so that two at once archive each row once; what is locked already is left to whoever holds it.
    rows = Delivery.objects.filter(id__in=ids, state__in=_ENDED).select_related("edition")
    found = list(rows.select_for_update(of=("self",), skip_locked=True).order_by("id"))
    _archive_counts(found)
    had = [row for row in found if row.state in SENT_STATES or row.may_have_left_at is not None]
    _archive_papers([row for row in had if row.subscriber_id is not None])
    Delivery.objects.filter(id__in=[row.pk for row in found]).delete()
    return found


def _archive_counts(rows: list[Delivery]) -> None:
    for (edition_id, state), count in sorted(Counter((row.edition_id, row.state) for row in rows).items()):
        EditionArchive.objects.get_or_create(edition_id=edition_id, state=state)
        EditionArchive.objects.filter(edition_id=edition_id, state=state).update(count=F("count") + count)


def _archive_papers(rows: list[Delivery]) -> None:
    papers: dict[int, set[int]] = defaultdict(set)
    dates: dict[int, dt.date] = {}
    for row in rows:
        pk = row.subscriber_id or 0
        papers[pk] |= set(row.paper_ids)
        dates[pk] = max(dates.get(pk, row.edition.date), row.edition.date)
    ReaderArchive.objects.bulk_create(
        [ReaderArchive(subscriber_id=pk, last_date=dates[pk]) for pk in sorted(papers)], ignore_conflicts=True
    )
    kept = ReaderArchive.objects.select_for_update().filter(subscriber_id__in=list(papers)).order_by("subscriber_id")
    archives = list(kept)
    for archive in archives:
        archive.paper_ids = sorted({*archive.paper_ids, *papers[archive.subscriber_id]})
        archive.last_date = max(archive.last_date, dates[archive.subscriber_id])
    ReaderArchive.objects.bulk_update(archives, ["paper_ids", "last_date"])


def prune_words(*, now: dt.datetime) -> int:
    """Delete the counted words of papers that nobody will be sent again; those of papers that somebody likes stay, and
    any others are counted again when needed. Returns how many. Safe twice."""
    WordCorpus.objects.filter(made_at__lt=now - dt.timedelta(days=3)).delete()
    old = Paper.objects.filter(first_seen_at__lt=now - WORDS_KEPT_FOR, reader_signals__isnull=True)
    deleted, _ = PaperWords.objects.filter(paper__in=old.values("pk")).delete()
    NearDuplicate.objects.filter(paper__in=old.values("pk")).delete()
    return deleted

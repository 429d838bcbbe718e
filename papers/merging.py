"""Two rows that turned out to be one work become one, and nothing that hung on either is lost."""

import logging
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F

from papers.models import Announcement, DailySignal, Paper
from papers.signals import papers_merged

logger = logging.getLogger(__name__)

_FILLED_IN = ("doi", "link", "pdf_link", "code_link", "project_link", "abstract", "raw_abstract", "title_key")
_TEXT = ("title", "abstract", "authors", "raw_title", "raw_abstract", "text_rank", "title_key")
_COUNTS = ("upvotes", "comments", "github_stars")
_TOPICS = Paper.topics.through


def merge_papers(*, one_id: int, other_id: int) -> Paper:
    """Make these two one, in one transaction, and return the row that stays. Safe to run twice.

    arXiv's stays, else the one with the more faithful text, else the older. Sightings, counts, topics, places in
    editions and the more faithful text move to it; the other row keeps its key and points to it for ever. A withdrawal
    does not move: at another venue the work may well stand.
    """
    with transaction.atomic():
        rows = list(Paper.objects.select_for_update(no_key=True).filter(pk__in={one_id, other_id}).order_by("pk"))
        rows = list({survivor_of(row).pk: survivor_of(row) for row in rows}.values())
        if len(rows) < 2:
            return rows[0]
        kept, dropped = sorted(rows, key=lambda row: (not row.key.startswith("arxiv:"), -row.text_rank, row.pk))
        _move_rows(kept, dropped)
        _fill_in(kept, dropped)
        Paper.objects.filter(merged_into=dropped).update(merged_into=kept)
        Paper.objects.filter(pk=dropped.pk).update(merged_into=kept)
        papers_merged.send(sender=Paper, kept_id=kept.pk, dropped_id=dropped.pk)
    logger.info("paper %s is the same as %s", dropped.key, kept.key)
    return kept


def survivor_of(paper: Paper) -> Paper:
    """The row that stands for this paper now."""
    return paper.merged_into or paper


def all_ids(ids: Iterable[int]) -> frozenset[int]:
    """These ids, and those of the rows that now stand for the same works: whoever had one of them has had the other."""
    known = frozenset(ids)
    merged = Paper.objects.filter(pk__in=known, merged_into__isnull=False)
    return known | frozenset(merged.values_list("merged_into_id", flat=True))


def _move_rows(kept: Paper, dropped: Paper) -> None:
    """A row of the same source and day is there already for some: those stay with the dropped paper."""
    for model in (Announcement, DailySignal):
        there = set(model.objects.filter(paper=kept).values_list("source_id", "date"))
        rows = model.objects.filter(paper=dropped).values_list("id", "source_id", "date")
        free = [pk for pk, source_id, date in rows if (source_id, date) not in there]
        model.objects.filter(pk__in=free).update(paper=kept)
    topics = _TOPICS.objects.filter(paper=dropped).values_list("topic_id", flat=True)
    _TOPICS.objects.bulk_create(
        [_TOPICS(paper_id=kept.pk, topic_id=topic_id) for topic_id in topics], ignore_conflicts=True
    )
    _TOPICS.objects.filter(paper=dropped).delete()


def _fill_in(kept: Paper, dropped: Paper) -> None:
    values = {name: getattr(dropped, name) for name in _FILLED_IN if getattr(dropped, name) and not getattr(kept, name)}
    if dropped.text_rank > kept.text_rank:
        values |= {name: text for name in _TEXT if (text := getattr(dropped, name))}
    values |= _corrected(kept, dropped, values)
    for name in _COUNTS:
        counts = [count for count in (getattr(kept, name), getattr(dropped, name)) if count is not None]
        if counts:
            values[name] = max(counts)
    if dropped.authors and not kept.authors and "authors" not in values:
        values["authors"] = dropped.authors
    values["first_seen_at"] = min(kept.first_seen_at, dropped.first_seen_at)
    values["announced_date"] = min(kept.announced_date, dropped.announced_date)
    for name, value in values.items():
        setattr(kept, name, value)
    Paper.objects.filter(pk=kept.pk).update(**values, revision=F("revision") + 1)


def _corrected(kept: Paper, dropped: Paper, values: dict[str, Any]) -> dict[str, Any]:
    """What was corrected by hand in either row stays corrected, the one that stays before the other; what the sources
    say is kept beside it."""
    words: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    for paper in (dropped, kept):
        for name in paper.corrections:
            words[name] = getattr(paper, name)
            source = dropped if name in values else kept
            theirs[name] = source.corrections.get(name, getattr(source, name))
    return {**words, "corrections": theirs} if theirs else {}

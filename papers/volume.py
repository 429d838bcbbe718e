"""How many papers a day a choice of topics stands for, by what really came in during the last weeks."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef, QuerySet

from papers.models import Announcement, Paper

WINDOW = dt.timedelta(days=28)
# Asked at every tick of a box, by anybody: read from the database once in a while is enough.
KEPT_FOR = dt.timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Volume:
    """The papers of the last weeks: how many came on how many days, and which fit each topic. Of an installation that
    has only the bundled sample, that of the sample."""

    days: int = 0
    total: int = 0
    is_sample: bool = False
    topics: dict[str, frozenset[int]] = field(default_factory=dict)

    def per_day(self, slugs: Iterable[str]) -> float | None:
        """How many papers a day fit at least one of these topics; without topics all. None where nobody can say."""
        if not self.days:
            return None
        chosen = [self.topics.get(slug, frozenset()) for slug in slugs]
        return (len(frozenset().union(*chosen)) if chosen else self.total) / self.days


def measure_volume(*, now: dt.datetime) -> Volume:
    """Count in the database."""
    sightings = Announcement.objects.filter(source__is_sample=False, date__gt=(now - WINDOW).date())
    is_sample = not sightings.exists()
    papers = _papers_of(now=now, is_sample=is_sample)
    held: dict[str, set[int]] = defaultdict(set)
    for slug, pk in papers.filter(topics__is_active=True).values_list("topics__slug", "pk"):
        held[slug].add(pk)
    return Volume(
        days=papers.order_by().values("announced_date").distinct().count(),
        total=papers.count(),
        is_sample=is_sample,
        topics={slug: frozenset(ids) for slug, ids in held.items()},
    )


_kept: list[tuple[dt.datetime, Volume]] = []


def recent_volume(*, now: dt.datetime) -> Volume:
    """The same, at most ten minutes old."""
    if not _kept or not dt.timedelta() <= now - _kept[0][0] < KEPT_FOR:
        _kept[:] = [(now, measure_volume(now=now))]
    return _kept[0][1]


def forget_volume() -> None:
    """Count anew at the next question."""
    _kept.clear()


def _papers_of(*, now: dt.datetime, is_sample: bool) -> QuerySet[Paper]:
    seen = Announcement.objects.filter(paper=OuterRef("pk"), source__is_sample=is_sample)
    papers = Paper.objects.standing().filter(Exists(seen))
    # The sample is of the day on which it was made, so of it everything counts.
    return papers if is_sample else papers.filter(announced_date__gt=(now - WINDOW).date())

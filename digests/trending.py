"""What is trending on a day, from the counts that sources gave day by day."""

import datetime as dt
from collections.abc import Iterator, Mapping

from digests.trend import WEIGHTS, WINDOW, Count, Trend, trends
from papers.models import DailySignal

# Sources with votes count some dozens of papers a day; beyond this the newest say enough.
_MOST = 50_000


def trending_of(announced: Mapping[int, dt.date], *, day: dt.date) -> dict[int, Trend]:
    """The trends of these papers, given with the day each was announced. One query, however many they are."""
    return trends(_counts(day), today=day, announced=announced)


def _counts(day: dt.date) -> Iterator[Count]:
    kinds = tuple(WEIGHTS)
    rows = DailySignal.objects.filter(date__gt=day - WINDOW, date__lte=day).order_by("-date", "-id")
    for paper_id, source_id, date, *values in rows.values_list("paper_id", "source_id", "date", *kinds)[:_MOST]:
        for kind, value in zip(kinds, values, strict=True):
            if value is not None:
                yield Count(paper_id, source_id, kind, date, value)

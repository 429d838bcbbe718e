"""What is trending on a day, from the counts that sources gave day by day, and the votes of our own readers."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import chain

from digests.trend import WINDOW, Count, Trend, trends
from papers.models import DailySignal
from subscriptions.community import votes_by_day

# Sources with votes count some dozens of papers a day; beyond this the newest say enough.
_MOST = 50_000
_KINDS = ("upvotes", "comments", "github_stars")
# No source has this id.
_OUR_READERS = 0


def trending_of(announced: Mapping[int, dt.date], *, day: dt.date) -> dict[int, Trend]:
    """The trends of these papers, given with the day each was announced. Two queries, however many they are."""
    return trends(chain(_counts(day), _votes(day)), today=day, announced=announced)


def _counts(day: dt.date) -> Iterator[Count]:
    rows = DailySignal.objects.filter(date__gt=day - WINDOW, date__lte=day).order_by("-date", "-id")
    for paper_id, source_id, date, *values in rows.values_list("paper_id", "source_id", "date", *_KINDS)[:_MOST]:
        for kind, value in zip(_KINDS, values, strict=True):
            if value is not None:
                yield Count(paper_id, source_id, kind, date, value)


def _votes(day: dt.date) -> Iterator[Count]:
    """As running totals, from the day before a paper's first vote in the window to this day."""
    since = day - WINDOW + dt.timedelta(days=1)
    for paper_id, by_day in votes_by_day(since=since, until=day).items():
        total, date = 0, min(by_day) - dt.timedelta(days=1)
        while date <= day:
            total += by_day.get(date, 0)
            yield Count(paper_id, _OUR_READERS, "votes", date, total)
            date += dt.timedelta(days=1)

"""What is trending: the published formula. Pure.

For each source and each thing it counts (upvotes, our readers' votes, comments, stars), with v what a paper gained
there since yesterday plus half of what it gained the day before, u what a paper there gains a day on average over two
weeks (1 at least), and a the days since it was announced:

    score = sum of weight * ln(1 + v / u) * 2 ^ (-a / 3)

Dividing by u makes sources alike: one whose counts are ten times those of another has no louder voice. The logarithm
keeps one very popular paper from drowning the day, and the power lets last week's papers make room. What a paper had
when it was first counted is taken to have come evenly since it was announced.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

# Votes are those of our own readers.
WEIGHTS = {"upvotes": 1.0, "votes": 1.0, "comments": 0.5, "github_stars": 0.25}
HALVES_IN_DAYS = 3.0
# So far back gains count for what is usual at a source.
WINDOW = dt.timedelta(days=14)
_DAY = dt.timedelta(days=1)


class Count(NamedTuple):
    """What a source had counted for a paper by the end of a day."""

    paper_id: int
    source_id: int
    kind: str
    date: dt.date
    value: int


@dataclass(frozen=True, slots=True)
class Trend:
    """How much a paper is trending, and what counts most in it: how many more of what since yesterday. No gain where
    nothing was known of it yesterday."""

    score: float
    kind: str = ""
    gain: int = 0


NO_TREND = Trend(0.0)


def trends(counts: Iterable[Count], *, today: dt.date, announced: Mapping[int, dt.date]) -> dict[int, Trend]:
    """The trend of each of the papers in `announced` (with its day) that gained anything. Counts of other papers say
    what is usual; counts of days to come are left out, and a count that fell is no gain."""
    series: dict[tuple[int, str, int], dict[dt.date, int]] = defaultdict(dict)
    for one in counts:
        if today - WINDOW <= one.date <= today:
            series[one.source_id, one.kind, one.paper_id][one.date] = one.value
    usual = _usual(series)
    parts: dict[int, list[Trend]] = defaultdict(list)
    for (source, kind, paper), values in series.items():
        if paper in announced:
            since = announced[paper]
            # Stars that a repository had when it was first looked at may be years old.
            first = 0.0 if kind == "github_stars" else 1.0
            latest = _gain(values, today, since=since, first=first)
            velocity = latest + _gain(values, today - _DAY, since=since, first=first) / 2
            if velocity > 0:
                age = max(0, (today - announced[paper]).days)
                score = WEIGHTS.get(kind, 0) * math.log1p(velocity / usual[source, kind]) * 2 ** (-age / HALVES_IN_DAYS)
                # What is the lesser part of the score is not the reason for it.
                gain = _gain_since_yesterday(values, today) if 2 * latest >= velocity else 0
                parts[paper].append(Trend(score, kind, gain))
    return {paper: _together(found) for paper, found in parts.items()}


def _together(parts: list[Trend]) -> Trend:
    most = max(parts, key=lambda part: (part.score, part.gain))
    return Trend(sum(part.score for part in parts), most.kind, most.gain)


def _usual(series: Mapping[tuple[int, str, int], Mapping[dt.date, int]]) -> dict[tuple[int, str], float]:
    gained: dict[tuple[int, str], float] = defaultdict(float)
    days: dict[tuple[int, str], int] = defaultdict(int)
    for (source, kind, _), values in series.items():
        # What a paper had when it was first counted came nobody knows when.
        gained[source, kind] += max(0, values[max(values)] - values[min(values)])
        days[source, kind] += (max(values) - min(values)).days
    return {key: max(1.0, gained[key] / max(1, days[key])) for key in gained}


def _gain(values: Mapping[dt.date, int], day: dt.date, *, since: dt.date, first: float) -> float:
    """What was gained on this day: its share of what came since the last count before it; where there is none, its
    share of all since the paper was announced, times `first`."""
    if day not in values:
        return 0
    earlier = [date for date in values if date < day]
    if earlier:
        before = max(earlier)
        return max(0, values[day] - values[before]) / (day - before).days
    return first * values[day] / (max(0, (day - since).days) + 1)


def _gain_since_yesterday(values: Mapping[dt.date, int], today: dt.date) -> int:
    yesterday = values.get(today - _DAY)
    return 0 if yesterday is None or today not in values else max(0, values[today] - yesterday)

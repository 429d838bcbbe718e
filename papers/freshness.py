"""Whether a source still brings what it should. Pure: takes counts a day and the clock, returns the state and why.

A source is not fresh because its server answers: a feed can serve yesterday's batch under today's date, for days, and
every fetch succeeds. So it is judged by the papers it had never shown before, a count for each announcement day, and
by what it usually brings on such a day.
"""

import datetime as dt
import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from papers.feeds.kinds import SourceKind
from papers.holidays import Holidays

EASTERN = ZoneInfo("America/New_York")

# How far back habits are looked up, also for a source that writes rarely, and how far back days are called missing.
HABIT_DAYS = 90
LONGEST_MEMORY_DAYS = 400
OFTEN = 10  # days with papers within HABIT_DAYS
MISSING_DAYS = 7
# Of a usual day this share must have come before the day counts as there: a few stragglers do not make a day.
SHARE_OF_A_DAY = 0.2
# Nothing for so many days is called a stall when it is less likely than this by the source's own habits.
UNLIKELY = 0.02
# Whoever brought as many on each of its days does not just have nothing on the next.
NEVER_EMPTY = 10
_NEVER_EMPTY_LIKELY = 0.01
_FEWEST_DAYS = 3


class Freshness(StrEnum):
    """The states of a source that hang on what it brings."""

    FRESH = "fresh"
    WAITING = "waiting"
    QUIET = "quiet"
    STALLED = "stalled"


class Expectation(StrEnum):
    """Whether a source announces on a day. `maybe`: beside a holiday nobody outside can say which evening is meant."""

    YES = "yes"
    MAYBE = "maybe"
    NO = "no"


@dataclass(frozen=True, slots=True)
class Calendar:
    """On which days a source of this kind announces something, and when a day's papers are overdue.

    After the last day that the holidays cover every working day is expected: a false alarm is better than silence.
    """

    kind: SourceKind
    holidays: Holidays

    def expects(self, day: dt.date) -> Expectation:
        """arXiv's feeds are dated Monday to Friday, for the announcement of the evening before. Its list of holidays
        names dates without saying which of the two it means, so a holiday and the day after it are both uncertain."""
        if day.weekday() >= 5:
            return Expectation.NO
        if self.kind in _ARXIV:
            beside = {day, day - dt.timedelta(days=1)}
            if beside & self.holidays.dates:
                return Expectation.MAYBE
        return Expectation.YES

    def due_at(self, day: dt.date) -> dt.datetime:
        """When the papers of this day should be there: arXiv's by noon in New York, a list that fills during the day
        by the next noon."""
        noon = dt.datetime.combine(day, dt.time(12), tzinfo=EASTERN)
        return noon if self.kind is SourceKind.ARXIV else noon + dt.timedelta(days=1)


_ARXIV = {SourceKind.ARXIV, SourceKind.ARXIV_API, SourceKind.ARXIV_OAI}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state, a sentence that says why, and the days of the last week that are missing."""

    state: Freshness
    reason: str
    missing: tuple[dt.date, ...] = ()


@dataclass(frozen=True, slots=True)
class Habits:
    """What a source usually brings on a day on which it announces: `enough` papers make the day, and with the
    likelihood `empty` it has none."""

    enough: int
    empty: float
    usual: float


def judge(*, counts: Mapping[dt.date, int], since: dt.datetime, now: dt.datetime, calendar: Calendar) -> Verdict:
    """Judge a source by its never-seen papers a day; `since` is when we began to watch it.

    Counts of days before that, which a feed may hold when it is first read, tell its habits too.
    """
    today = now.astimezone(EASTERN).date()
    first = min(counts, default=today)
    known = _days(min(first, since.astimezone(EASTERN).date()), today, calendar)
    over = [day for day in known if calendar.due_at(day) <= now and (day >= first or calendar.due_at(day) > since)]
    lately = [day for day in over if (today - day).days <= HABIT_DAYS]
    enough, usual = _learn_size(counts, lately)
    there = {day for day, count in counts.items() if count >= enough}
    overdue = [day for day in over if day not in there and calendar.due_at(day) > since]
    run = _latest_run(overdue, there)
    # By what was before: a stall must not teach us that stalls are usual.
    writes_often = sum(1 for day in lately if day in there) >= OFTEN
    before = [day for day in (lately if writes_often else over) if day not in run]
    habits = Habits(enough, _learn_emptiness(counts, before, enough), usual)
    missing = tuple(day for day in _missing(overdue, habits, run) if (today - day).days <= MISSING_DAYS)
    if _is_stalled(run, habits):
        return Verdict(Freshness.STALLED, _stall_reason(run, counts, habits), missing)
    todays = sum(count for day, count in counts.items() if day >= today)
    if today in there or todays >= habits.enough:
        return Verdict(Freshness.FRESH, f"{todays} papers today", missing)
    if calendar.expects(today) is not Expectation.YES:
        why = "the weekend" if today.weekday() >= 5 else "a holiday, or the day after one"
        return Verdict(Freshness.QUIET, f"nothing is announced: it is {why}", missing)
    few = f", of usually {habits.usual:.0f}" if todays else ""
    return Verdict(Freshness.WAITING, f"{todays or 'no'} papers yet today{few}", missing)


def _learn_size(counts: Mapping[dt.date, int], days: list[dt.date]) -> tuple[int, float]:
    """How many papers make a day, and how many it usually has."""
    usual = statistics.median([count for day in days if (count := counts.get(day, 0))] or [1])
    return max(1, math.ceil(SHARE_OF_A_DAY * usual)), usual


def _learn_emptiness(counts: Mapping[dt.date, int], days: list[dt.date], enough: int) -> float:
    """How likely a day without papers is, by these days."""
    full = [count for day in days if (count := counts.get(day, 0)) >= enough]
    if len(full) >= _FEWEST_DAYS and min(full) >= NEVER_EMPTY and len(full) >= 0.9 * len(days):
        return _NEVER_EMPTY_LIKELY
    # Half a day of doubt for and against: a source nobody knows yet is given a week.
    return (len(days) - len(full) + 0.5) / (len(days) + 1)


def _days(start: dt.date, today: dt.date, calendar: Calendar) -> list[dt.date]:
    """The days on which it announces, from `start` on."""
    start = max(start, today - dt.timedelta(days=LONGEST_MEMORY_DAYS))
    days = (start + dt.timedelta(days=offset) for offset in range((today - start).days + 1))
    return [day for day in days if calendar.expects(day) is Expectation.YES]


def _latest_run(overdue: list[dt.date], there: set[dt.date]) -> list[dt.date]:
    """The overdue days since the last one that came."""
    last = max(there, default=dt.date.min)
    return [day for day in overdue if day > last]


def _is_stalled(run: list[dt.date], habits: Habits) -> bool:
    return bool(run) and habits.empty ** len(run) < UNLIKELY


def _missing(overdue: list[dt.date], habits: Habits, run: list[dt.date]) -> list[dt.date]:
    """Days that a source with such habits does not just leave out: single ones of a steady source, or a stall."""
    if habits.empty < UNLIKELY:
        return overdue
    return run if _is_stalled(run, habits) else []


def _stall_reason(run: list[dt.date], counts: Mapping[dt.date, int], habits: Habits) -> str:
    some = sum(counts.get(day, 0) for day in run)
    brought = f"only {some} new" if some else "nothing new"
    since = f"since {run[0]:%A %d %B}" if len(run) > 1 else f"on {run[0]:%A %d %B}"
    return f"{brought} {since}; usually {habits.usual:.0f} papers a day"

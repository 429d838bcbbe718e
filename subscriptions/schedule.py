"""When a subscriber is next due. Pure: the clock is an argument."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones


class Cadence(StrEnum):
    DAILY = "daily"
    WEEKDAYS = "weekdays"
    WEEKLY = "weekly"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A subscriber's wish: how often, at which local hour, where, and for weekly on which day (0 is Monday)."""

    cadence: Cadence
    hour: int
    zone: str
    weekday: int = 0


def next_due(schedule: Schedule, *, after: dt.datetime) -> dt.datetime:
    """The first instant after `after` at which the schedule is due, in UTC.

    A local hour that does not exist (clocks go forward) moves to the next that does; one that exists twice means the
    first.
    """
    zone = known_zone(schedule.zone)
    day = after.astimezone(zone).date()
    # Two weeks hold every weekday twice, so the loop always returns.
    for offset in range(15):
        candidate_day = day + dt.timedelta(days=offset)
        if not _wanted(schedule, candidate_day):
            continue
        instant = _local_hour(candidate_day, schedule.hour, zone)
        if instant > after:
            return instant
    raise AssertionError("a schedule is due at least once in two weeks")


def known_zone(name: str) -> ZoneInfo:
    """The zone of that name, or UTC where this machine does not know it (zones do get renamed)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    """Whether this is the name of a time zone that this machine knows."""
    return name in _zones()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # It looks through the whole directory of zones each time it is asked.
    return frozenset(available_timezones())


def _wanted(schedule: Schedule, day: dt.date) -> bool:
    match schedule.cadence:
        case Cadence.WEEKDAYS:
            return day.weekday() < 5
        case Cadence.WEEKLY:
            return day.weekday() == schedule.weekday
        case Cadence.DAILY:
            return True


def _local_hour(day: dt.date, hour: int, zone: ZoneInfo) -> dt.datetime:
    local = dt.datetime.combine(day, dt.time(hour), tzinfo=zone)  # fold=0: of two such hours, the first
    instant = local.astimezone(dt.UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # The hour was skipped. Read with the offset from before the gap it lands behind it: take the first whole hour
    # of the local clock that exists there.
    landed = instant.astimezone(zone)
    whole = landed.replace(minute=0, second=0)
    return (whole if whole >= landed else whole + dt.timedelta(hours=1)).astimezone(dt.UTC)

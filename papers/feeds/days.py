"""Days out of the dates that sources write."""

import calendar
import datetime as dt
import time
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
# arXiv began in 1991, but journals put older volumes on line; a year outside is a mistake of the source.
_YEARS = range(1900, 2200)


def announcement_day(moment: dt.datetime) -> dt.date | None:
    """The day in US Eastern time, arXiv's calendar. None for a year no source can mean.

    Midnight sharp in UTC stands for a day without a time (`2018-03-23`, `Wed, 03 Sep 2025 00:00:00 +0000`), and that
    day is meant: in Eastern time it would be the one before.
    """
    if moment.year not in _YEARS:
        return None
    utc = moment.astimezone(dt.UTC)
    return utc.date() if utc.time() == dt.time.min else moment.astimezone(EASTERN).date()


def parse_instant(text: object) -> dt.datetime | None:
    """An ISO 8601 instant, UTC where it names no zone. None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def day_of(element: Mapping[str, Any], *names: str) -> dt.date | None:
    """The announcement day of the first of these dates that a parsed feed or entry has: `published`, `updated`, …"""
    for name in names:
        day = _day_of_utc(element.get(f"{name}_parsed"))
        if day is not None:
            return day
    return None


def _day_of_utc(found: object) -> dt.date | None:
    if not isinstance(found, time.struct_time) or found.tm_year not in _YEARS:
        return None
    try:
        return announcement_day(dt.datetime.fromtimestamp(calendar.timegm(found), tz=dt.UTC))
    except (ValueError, OverflowError):
        return None

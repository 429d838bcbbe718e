"""Days out of the dates that sources write."""

import calendar
import datetime as dt
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
# arXiv began in 1991, but journals put older volumes on line; a year outside is a mistake of the source.
_YEARS = range(1900, 2200)
_PLAIN_DAY = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")


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
        found = element.get(f"{name}_parsed")
        day = _day_of_utc(found) if isinstance(found, time.struct_time) else None
        if day is not None:
            return day
    return None


def instant_of(element: Mapping[str, Any], name: str) -> dt.datetime | None:
    """The instant of this date of a parsed feed or entry. None where it has none, or an impossible one."""
    found = element.get(f"{name}_parsed")
    return _instant_of_utc(found) if isinstance(found, time.struct_time) else None


@lru_cache(maxsize=256)  # The items of a day have one date between them.
def _day_of_utc(found: time.struct_time) -> dt.date | None:
    moment = _instant_of_utc(found)
    return announcement_day(moment) if moment else None


def _instant_of_utc(found: time.struct_time) -> dt.datetime | None:
    if found.tm_year not in _YEARS:
        return None
    try:
        return dt.datetime.fromtimestamp(calendar.timegm(found), tz=dt.UTC)
    except (ValueError, OverflowError):
        return None


def day_of_milliseconds(found: object) -> dt.date | None:
    """The announcement day of an instant in milliseconds since 1970, as JavaScript counts."""
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    try:
        return announcement_day(dt.datetime.fromtimestamp(found / 1000, tz=dt.UTC))
    except (ValueError, OverflowError, OSError):
        return None


def parse_mail_date(text: object) -> dt.datetime | None:
    """An instant as mail writes it, `Fri, 17 Jan 2025 09:00:00 GMT`. None for anything else."""
    try:
        moment = parsedate_to_datetime(text) if isinstance(text, str) else None
    except (ValueError, OverflowError):
        return None
    if moment is None or moment.year not in _YEARS:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def plain_day(text: object) -> dt.date | None:
    """A day written with or without padding, `2024-03-05` or `2024-3-5`. None for anything else."""
    found = _PLAIN_DAY.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or int(found[1]) not in _YEARS:
        return None
    try:
        return dt.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None

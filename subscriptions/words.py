"""A subscriber's wishes in plain words."""

import datetime as dt
from functools import lru_cache

from subscriptions.models import Subscriber
from subscriptions.schedule import Cadence, Schedule, known_zone

_MONDAY = dt.date(2024, 1, 1)


def rhythm(subscriber: Subscriber) -> str:
    """When mail comes, as the reader would say it: «on weekdays at 08:00 (Europe/Berlin)»."""
    return rhythm_of(subscriber.schedule())


@lru_cache(maxsize=4096)
def rhythm_of(schedule: Schedule) -> str:
    """The same for a schedule alone."""
    days = {
        Cadence.DAILY: "every day",
        Cadence.WEEKDAYS: "on weekdays",
        Cadence.WEEKLY: f"each {_MONDAY + dt.timedelta(days=schedule.weekday):%A}",
    }
    return f"{days[schedule.cadence]} at {schedule.hour:02}:00 ({known_zone(schedule.zone).key})"

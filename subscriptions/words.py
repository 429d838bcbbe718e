"""A subscriber's wishes in plain words."""

import datetime as dt

from subscriptions.models import Subscriber
from subscriptions.schedule import Cadence, known_zone

_MONDAY = dt.date(2024, 1, 1)


def rhythm(subscriber: Subscriber) -> str:
    """When mail comes, as the reader would say it: «on weekdays at 08:00 (Europe/Berlin)»."""
    days = {
        Cadence.DAILY: "every day",
        Cadence.WEEKDAYS: "on weekdays",
        Cadence.WEEKLY: f"each {_MONDAY + dt.timedelta(days=subscriber.weekday):%A}",
    }
    return f"{days[Cadence(subscriber.cadence)]} at {subscriber.hour:02}:00 ({known_zone(subscriber.zone).key})"

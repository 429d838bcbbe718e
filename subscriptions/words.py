"""A subscriber's wishes in plain words."""

import datetime as dt
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext

from subscriptions.models import Subscriber
from subscriptions.schedule import Cadence, Schedule, known_zone

_MONDAY = dt.date(2024, 1, 1)


def rhythm(subscriber: Subscriber) -> str:
    """When mail comes, as the reader would say it: «on weekdays at 08:00 (Europe/Berlin)»."""
    return rhythm_of(subscriber.schedule())


def rhythm_of(schedule: Schedule) -> str:
    """The same for a schedule alone, in the language spoken now."""
    return _rhythm(schedule, get_language() or "")


@lru_cache(maxsize=4096)
def _rhythm(schedule: Schedule, language: str) -> str:
    facts = {"time": f"{schedule.hour:02}:00", "zone": known_zone(schedule.zone).key}
    if schedule.cadence is Cadence.WEEKLY:
        weekday = date_format(_MONDAY + dt.timedelta(days=schedule.weekday), "l")
        return gettext("each %(weekday)s at %(time)s (%(zone)s)") % {"weekday": weekday, **facts}
    if schedule.cadence is Cadence.WEEKDAYS:
        return gettext("on weekdays at %(time)s (%(zone)s)") % facts
    return gettext("every day at %(time)s (%(zone)s)") % facts

"""A subscriber's wishes in plain words."""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

from django.utils.formats import date_format
from django.utils.translation import get_language, gettext

from papers.volume import Volume
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


def papers_a_day(volume: Volume, slugs: Sequence[str]) -> str:
    """What a choice of topics brings, by what came in lately: «About 23 papers a day fit these topics»."""
    per_day = volume.per_day(slugs)
    if per_day is None:
        return "No papers have come in yet, so we cannot say how many a day fit."
    number = max(1, round(per_day))
    many = "Fewer than one paper" if per_day < 1 else f"About {number:,} paper{'s' if number > 1 else ''}"
    ending = "" if number > 1 else "s"
    measured = "by the sample papers" if volume.is_sample else "by the last four weeks"
    if not slugs:
        without = "Without topics you get those that the editor picked and others found worth reading."
        return f"{many} a day come{ending} in, {measured}. {without}"
    return f"{many} a day fit{ending} {'this topic' if len(slugs) == 1 else 'these topics'}, {measured}."

"""A subscriber's wishes in plain words."""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

from papers.volume import Volume
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

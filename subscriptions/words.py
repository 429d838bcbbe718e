"""A subscriber's wishes in plain words."""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, ngettext

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
        return gettext("No papers have come in yet, so we cannot say how many a day fit.")
    measured = (
        gettext("%(volume)s, by the sample papers.")
        if volume.is_sample
        else gettext("%(volume)s, by the last four weeks.")
    )
    said = measured % {"volume": _volume(per_day, topics=len(slugs))}
    if slugs:
        return said
    without = gettext("Without topics you get those that the editor picked and others found worth reading.")
    return f"{said} {without}"


def _volume(per_day: float, *, topics: int) -> str:
    count = max(1, round(per_day))
    if not topics:
        few = gettext("Fewer than one paper a day comes in")
        some = ngettext("About %(count)s paper a day comes in", "About %(count)s papers a day come in", count)
    elif topics == 1:
        few = gettext("Fewer than one paper a day fits this topic")
        some = ngettext(
            "About %(count)s paper a day fits this topic", "About %(count)s papers a day fit this topic", count
        )
    else:
        few = gettext("Fewer than one paper a day fits these topics")
        some = ngettext(
            "About %(count)s paper a day fits these topics", "About %(count)s papers a day fit these topics", count
        )
    return few if per_day < 1 else some % {"count": number_format(count, force_grouping=True)}

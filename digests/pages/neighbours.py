"""Which days, weeks and months there are before and after one, and why some day has no edition."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Max, Min

from digests.editions import cutoff_of, local_date
from digests.models import Edition
from papers.holidays import announcement_holidays

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest days with an edition; None where there is none."""

    older: dt.date | None
    newer: dt.date | None


def around(first: dt.date, last: dt.date) -> Neighbours:
    """The last day with an edition before the first of these days, and the first one after the last of them."""
    days = Edition.objects.shown()
    older = days.filter(date__lt=first).aggregate(day=Max("date"))["day"]
    newer = days.filter(date__gt=last).aggregate(day=Min("date"))["day"]
    return Neighbours(older, newer)


def why_none(date: dt.date, *, now: dt.datetime) -> str:
    """Why this day has no edition, in a sentence."""
    today = local_date(now)
    if date > today:
        return "This day has not come yet."
    if date == today and now < cutoff_of(date):
        return f"Today’s edition is being made and comes out at {_clock(cutoff_of(date))}."
    if date.weekday() >= SATURDAY:
        return "Nothing is announced at weekends, so there is no edition of this day."
    if _is_quiet(date):
        return "There is no edition of this day: arXiv had a holiday."
    return "There is no edition of this day: no new papers had come in by then."


def note_for(latest: dt.date, *, now: dt.datetime) -> str:
    """What to say beside the newest edition where it is not of today; nothing on an ordinary day."""
    today = local_date(now)
    if latest >= today:
        return ""
    if today.weekday() >= SATURDAY:
        return f"It is the weekend: nothing is announced, and the next edition comes {_next(today)}."
    if _is_quiet(today):
        return f"arXiv has a holiday: the next edition is expected {_next(today)}."
    if now < cutoff_of(today):
        return f"Today’s edition comes out at {_clock(cutoff_of(today))}."
    return ""


def _is_quiet(date: dt.date) -> bool:
    # The calendar does not say whether it means the evening of a day or what is announced for it.
    return any((date - quiet).days in {0, 1} for quiet in announcement_holidays().dates)


def _next(today: dt.date) -> str:
    day = today + dt.timedelta(days=1)
    while day.weekday() >= SATURDAY or _is_quiet(day):
        day += dt.timedelta(days=1)
    return f"on {day:%A}" if (day - today).days < 7 else f"on {day:%A}, {day.day} {day:%B}"


def _clock(at: dt.datetime) -> str:
    local = at.astimezone(ZoneInfo(settings.EDITION_TIME_ZONE))
    return f"{local:%H:%M} ({settings.EDITION_TIME_ZONE})"

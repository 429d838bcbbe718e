"""Every day there is an edition of, as calendars."""

import calendar
import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse

from digests.models import Choice, Edition
from digests.pages.caching import passing, public_page
from digests.pages.frame import show

# The years before stand behind a link each.
YEARS_SHOWN = 1


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a calendar; without an edition it has no papers."""

    date: dt.date
    papers: int = 0


@dataclass(frozen=True, slots=True)
class Month:
    """A month as weeks of seven days; None where a day belongs to another month. Each week has its ISO name."""

    first: dt.date
    weeks: tuple[tuple[str, tuple[Day | None, ...]], ...]


@public_page("year")
def archive(request: HttpRequest) -> HttpResponse:
    """The months of a year with every edition in them, the newest first."""
    years = [date.year for date in Edition.objects.shown().dates("date", "year", order="DESC")]
    asked = request.GET.get("year", "")
    year = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) == 4 and int(asked) in years else None
    shown = year or (years[0] if years else None)
    context = {"months": _months(shown) if shown else [], "years": years, "year": shown}
    response = show(request, "site/archive.html", context, is_listed=year is None)
    return passing(response) if asked and year is None else response


def _months(year: int) -> list[Month]:
    # A cheap count: a paper that was withdrawn since is still in it.
    editions = Edition.objects.shown().filter(date__year=year)
    counts = editions.annotate(size=Count("entries", filter=~Q(entries__choice=Choice.HIDDEN)))
    papers = dict(counts.values_list("date", "size"))
    firsts = sorted({date.replace(day=1) for date in papers}, reverse=True)
    return [Month(first, tuple(_weeks(first, papers))) for first in firsts]


def _weeks(first: dt.date, papers: dict[dt.date, int]) -> list[tuple[str, tuple[Day | None, ...]]]:
    weeks = []
    for week in calendar.Calendar().monthdatescalendar(first.year, first.month):
        year, number, _ = week[0].isocalendar()
        days = tuple(Day(date, papers.get(date, 0)) if date.month == first.month else None for date in week)
        weeks.append((f"{year}-W{number:02}", days))
    return weeks

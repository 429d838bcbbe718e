"""The edition of a day as a page."""

import datetime as dt
import re
from collections.abc import Sequence

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from digests.cards import Card, make_card, sample_sightings
from digests.editions import latest_shown, local_date
from digests.finding import with_all
from digests.markdown import to_html
from digests.models import Choice, Edition, EditionPaper
from digests.pages.caching import passing, public_page
from digests.pages.frame import show
from digests.pages.neighbours import around, note_for, why_none
from digests.trend import NO_TREND
from digests.trending import trending_of
from subscriptions.community import Credits, credits_of

PER_PAGE = 50
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@public_page("page")
def today(request: HttpRequest) -> HttpResponse:
    """The newest edition, under the subscribe box."""
    now = timezone.now()
    edition = latest_shown(now)
    if edition is None:
        reason = "The first edition is being made. Sign up and it comes to you."
        return show(request, "site/day.html", {"edition": None, "empty_reason": reason})
    # The same page has an address of its own, by which it stays: the front page is another tomorrow.
    return _edition_page(request, edition, now=now, is_newest=True, path="/")


@public_page("page")
def day(request: HttpRequest, date: str) -> HttpResponse:
    """The edition of one day. A day without one says so and shows the way to the nearest."""
    wanted, now = read_day(date), timezone.now()
    edition = Edition.objects.shown().filter(date=wanted).first()
    if edition is not None:
        newest = latest_shown(now)
        return _edition_page(request, edition, now=now, is_newest=newest is not None and newest.pk == edition.pk)
    context = {
        "edition": None,
        "day": long_date(wanted),
        "empty_reason": why_none(wanted, now=now),
        "turn": around(wanted, wanted),
    }
    return show(request, "site/day.html", context, status=404)


def read_day(text: str) -> dt.date:
    """The day of an address. Raises Http404 for what is none."""
    # One address for each day: fromisoformat reads 20261123 and 2026-W48-1 too.
    if not _DAY.fullmatch(text):
        raise Http404("There is no such day.")
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise Http404("There is no such day.") from error


def long_date(date: dt.date) -> str:
    """Monday, 23 November 2026."""
    return f"{date:%A}, {date.day} {date:%B %Y}"


def _edition_page(
    request: HttpRequest, edition: Edition, *, now: dt.datetime, is_newest: bool, path: str = ""
) -> HttpResponse:
    entries = EditionPaper.objects.filter(edition=edition).shown()
    asked = request.GET.get("page", "1")
    page = Paginator(_others(edition, is_newest=is_newest, now=now), PER_PAGE).get_page(asked)
    picks = entries.filter(choice=Choice.PICK).order_by("position", "id") if page.number == 1 else entries.none()
    by_id = {entry.pk: entry for entry in with_all(entries.filter(pk__in=list(page.object_list)))}
    picked, others = list(with_all(picks)), [by_id[pk] for pk in page.object_list if pk in by_id]
    known = credits_of([entry.paper_id for entry in (*picked, *others)])
    context = {
        "edition": edition,
        "day": long_date(edition.date),
        "intro_html": to_html(edition.intro),
        "picks": cards_of(picked, known),
        "page_obj": page,
        "cards": cards_of(others, known),
        "total": page.paginator.count + entries.filter(choice=Choice.PICK).count(),
        "is_sample": is_sample(edition),
        "note": note_for(edition.date, now=now) if is_newest else "",
        "turn": around(edition.date, edition.date),
    }
    response = show(
        request,
        "site/day.html",
        context,
        path=path if path and page.number == 1 else reverse("site:day", args=[f"{edition.date}"]),
        card=reverse("site:day_card", args=[f"{edition.date}"]),
        is_listed=page.number == 1,
    )
    # The nearest page stands in for one there is not; of such addresses there is no end.
    return response if asked == f"{page.number}" else passing(response)


def cards_of(entries: Sequence[EditionPaper], known: Credits) -> list[tuple[Card, int, str]]:
    """Each with how many of our readers voted for it, and who submitted it."""
    return [
        (
            make_card(entry.paper, entry=entry),
            known.votes.get(entry.paper_id, 0),
            known.submitters.get(entry.paper_id, ""),
        )
        for entry in entries
    ]


def is_sample(edition: Edition) -> bool:
    """Whether this edition shows papers of the bundled sample that no real source showed."""
    shown = EditionPaper.objects.filter(edition=edition).shown()
    return sample_sightings().filter(paper__in=shown.values("paper_id")).exists()


def _others(edition: Edition, *, is_newest: bool, now: dt.datetime) -> list[int]:
    """The entries that are no picks: of the newest edition by what is trending, of an older one by what came of it."""
    rows = EditionPaper.objects.filter(edition=edition).shown().exclude(choice=Choice.PICK)
    found = list(rows.values_list("id", "paper_id", "paper__announced_date", "paper__upvotes"))
    announced = {paper_id: date for _, paper_id, date, _ in found}
    trends = trending_of(announced, day=local_date(now)) if is_newest and announced else {}
    votes = credits_of(list(announced)).votes
    found.sort(
        key=lambda row: (
            -trends.get(row[1], NO_TREND).score,
            -((row[3] or 0) + votes.get(row[1], 0)),
            -row[2].toordinal(),
            -row[1],
        )
    )
    return [row[0] for row in found]

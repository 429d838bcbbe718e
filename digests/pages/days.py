"""The edition of a day as a page."""

import datetime as dt
import re

from django.core.paginator import Paginator
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from digests.cards import make_card, sample_sightings
from digests.editions import latest_shown
from digests.markdown import to_html
from digests.models import Choice, Edition, EditionPaper
from subscriptions.forms import SubscribeForm

PER_PAGE = 40
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@require_safe
@ensure_csrf_cookie
def today(request: HttpRequest) -> HttpResponse:
    """The newest edition, under the subscribe box."""
    edition = latest_shown(timezone.now())
    if edition is None:
        context = {
            "edition": None,
            "form": SubscribeForm(),
            "empty_reason": "The first edition is being made. Sign up and it comes to you.",
        }
        return render(request, "site/day.html", context)
    return _edition_page(request, edition)


@require_safe
@ensure_csrf_cookie
def day(request: HttpRequest, date: str) -> HttpResponse:
    """The edition of one day. A day without one says so and shows the way to the nearest."""
    # One address for each day: fromisoformat reads 20261123 and 2026-W48-1 too.
    if not _DAY.fullmatch(date):
        raise Http404("There is no such day.")
    try:
        wanted = dt.date.fromisoformat(date)
    except ValueError as error:
        raise Http404("There is no such day.") from error
    edition = Edition.objects.shown().filter(date=wanted).first()
    if edition is not None:
        return _edition_page(request, edition)
    context = {
        "edition": None,
        "day": long_date(wanted),
        "form": SubscribeForm(),
        "empty_reason": _why_no_edition(wanted),
        **_neighbours(wanted),
    }
    return render(request, "site/day.html", context, status=404)


def long_date(date: dt.date) -> str:
    """Monday, 23 November 2026."""
    return f"{date:%A}, {date.day} {date:%B %Y}"


def _edition_page(request: HttpRequest, edition: Edition) -> HttpResponse:
    entries = EditionPaper.objects.filter(edition=edition).shown()
    others = entries.exclude(choice=Choice.PICK).order_by(
        Coalesce("paper__upvotes", 0).desc(), "-paper__announced_date", "-paper_id"
    )
    page = Paginator(others.select_related("paper__one_liner").prefetch_related("paper__topics"), PER_PAGE).get_page(
        request.GET.get("page")
    )
    picks = (
        entries.filter(choice=Choice.PICK)
        .order_by("position", "id")
        .select_related("paper__one_liner")
        .prefetch_related("paper__topics")
        if page.number == 1
        else []
    )
    context = {
        "edition": edition,
        "day": long_date(edition.date),
        "intro_html": to_html(edition.intro),
        "picks": [make_card(entry.paper, entry=entry) for entry in picks],
        "page_obj": page,
        "cards": [make_card(entry.paper, entry=entry) for entry in page.object_list],
        "total": entries.count(),
        "is_sample": is_sample(edition),
        "form": SubscribeForm(),
        **_neighbours(edition.date),
    }
    return render(request, "site/day.html", context)


def is_sample(edition: Edition) -> bool:
    """Whether this edition shows papers of the bundled sample that no real source showed."""
    shown = EditionPaper.objects.filter(edition=edition).shown()
    return sample_sightings().filter(paper__in=shown.values("paper_id")).exists()


def _neighbours(date: dt.date) -> dict[str, dt.date | None]:
    days = Edition.objects.shown().values_list("date", flat=True)
    return {
        "older": days.filter(date__lt=date).order_by("-date").first(),
        "newer": days.filter(date__gt=date).order_by("date").first(),
    }


def _why_no_edition(date: dt.date) -> str:
    if date > timezone.now().date():
        return "This day has not come yet."
    if date.weekday() >= 5:
        return "Nothing is announced at weekends, so there is no edition of this day."
    return "There is no edition of this day: no new papers had come in by then."

"""One paper, a topic, a search, and the weeks and months: views over what shown editions hold."""

import calendar
import datetime as dt
import re
from collections.abc import Sequence
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import conditional_page, require_safe

from digests.api.listing import (
    MAX_PAGE,
    Question,
    Sort,
    daily_entries,
    distinct_papers,
    newest_entry_of,
)
from digests.cards import Card, make_card, sample_ids
from digests.models import SHOWN_STATES, Edition, EditionPaper
from digests.pages.days import long_date
from papers.models import Paper, Topic
from papers.paper_ids import find_paper, public_id
from subscriptions.community import credits_of

PER_PAGE = 40
# How long a shared cache may show a page as it was.
FRESH_FOR = 300
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


@require_safe
@conditional_page
def paper(request: HttpRequest, paper_id: str) -> HttpResponse:
    """All we know of one paper. Other ways to write its id lead to the one address it has."""
    found = find_paper(paper_id)
    entry = newest_entry_of(found) if found else None
    if found is None or entry is None:
        raise Http404("There is no such paper.")
    own = public_id(found.key)
    if own != paper_id:
        return redirect("site:paper", paper_id=own, permanent=True)
    known = credits_of([found.pk])
    arxiv_id = found.key.removeprefix("arxiv:") if found.key.startswith("arxiv:") else ""
    context = {
        "paper": found,
        "paper_id": own,
        "arxiv_id": arxiv_id,
        "card": make_card(found, entry=entry),
        "authors": found.authors,
        "topics": [topic for topic in found.topics.all() if topic.is_active],
        "days": _shown_on(found),
        "votes": known.votes.get(found.pk, 0),
        "submitter": known.submitters.get(found.pk, ""),
        "writers": list(known.claims.get(found.pk, {}).values()),
        "bibtex": bibtex(found, arxiv_id=arxiv_id),
    }
    return _shared(render(request, "site/paper.html", context))


@require_safe
@conditional_page
def topic(request: HttpRequest, slug: str) -> HttpResponse:
    """What came of a topic, the newest first."""
    found = Topic.objects.active().filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such topic.")
    page = _page(request)
    entries = daily_entries(Question(topic=slug, page=page - 1, limit=PER_PAGE + 1))
    return _shared(
        render(
            request,
            "site/list.html",
            {
                "heading": found.name,
                "lead": found.description,
                "feed_url": reverse("api:feed_topic", args=[slug, "atom"]),
                "subscribe_url": f"{reverse('subscriptions:subscribe')}?{urlencode({'topics': slug})}",
                **_listed(entries, page=page),
            },
        )
    )


@require_safe
@conditional_page
def week(request: HttpRequest, week: str) -> HttpResponse:
    """The best of an ISO week, by votes."""
    found = _WEEK.fullmatch(week)
    try:
        monday = dt.date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        monday = None
    if monday is None:
        raise Http404("There is no such week.")
    sunday = monday + dt.timedelta(days=6)
    heading = f"Week {int(week[-2:])} of {week[:4]}"
    return _period(request, monday, sunday, heading=heading, lead=f"{long_date(monday)} to {long_date(sunday)}")


@require_safe
@conditional_page
def month(request: HttpRequest, month: str) -> HttpResponse:
    """The best of a month, by votes."""
    found = _MONTH.fullmatch(month)
    if not found or not 1 <= int(found[2]) <= 12 or not int(found[1]):
        raise Http404("There is no such month.")
    first = dt.date(int(found[1]), int(found[2]), 1)
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    return _period(request, first, last, heading=f"{first:%B %Y}", lead="")


@require_safe
@conditional_page
def archive(request: HttpRequest) -> HttpResponse:
    """Every day there is an edition of, by month."""
    months: dict[str, list[dt.date]] = {}
    for date in Edition.objects.shown().order_by("-date").values_list("date", flat=True):
        months.setdefault(f"{date:%Y-%m}", []).append(date)
    listed = [(name, days[0], days[::-1]) for name, days in months.items()]
    return _shared(render(request, "site/archive.html", {"months": listed}))


def bibtex(paper: Paper, *, arxiv_id: str) -> str:
    """The paper as an entry for a bibliography. Braces and backslashes in our data cannot break out of their field."""
    last = re.sub(r"[^A-Za-z]", "", str(paper.authors[0]).split()[-1]) if paper.authors else ""
    fields = {
        "title": paper.title,
        "author": " and ".join(str(name) for name in paper.authors),
        "year": str(paper.announced_date.year),
        "doi": paper.doi or "",
        "url": paper.link,
        **({"eprint": arxiv_id, "archivePrefix": "arXiv"} if arxiv_id else {}),
    }
    lines = [f"  {name} = {{{re.sub(r'[{}]', '', value)}}}" for name, value in fields.items() if value]
    return f"@misc{{{(last or 'paper').lower()}{paper.announced_date.year},\n" + ",\n".join(lines) + "\n}"


def _period(request: HttpRequest, first: dt.date, last: dt.date, *, heading: str, lead: str) -> HttpResponse:
    page = _page(request)
    question = Question(since=first, until=last, sort=Sort.TRENDING, page=page - 1, limit=PER_PAGE + 1)
    context = {"heading": heading, "lead": lead, **_listed(daily_entries(question), page=page)}
    has_any = bool(context["cards"]) or page > 1
    return _shared(render(request, "site/list.html", context, status=200 if has_any else 404))


def _listed(entries: Sequence[EditionPaper], *, page: int, most: int = PER_PAGE) -> dict[str, object]:
    shown = list(distinct_papers(list(entries[:most])))
    samples = sample_ids([entry.paper_id for entry in shown])
    cards: list[tuple[Card, str, dt.date]] = [
        (
            make_card(entry.paper, entry=entry, is_sample=entry.paper_id in samples),
            public_id(entry.paper.key),
            entry.edition.date,
        )
        for entry in shown
    ]
    return {"cards": cards, "page": page, "has_more": len(entries) > most}


def _shown_on(paper: Paper) -> list[dt.date]:
    shown = EditionPaper.objects.shown().filter(paper=paper, edition__state__in=SHOWN_STATES)
    return list(shown.order_by("-edition__date").values_list("edition__date", flat=True)[:10])


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MAX_PAGE):
        raise Http404("There is no such page.")
    return int(text)


def _shared(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = f"public, max-age={FRESH_FOR}"
    return response

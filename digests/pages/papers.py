"""One paper, and lists of papers: a topic, an author, a week, a month, what is trending. Views over shown editions."""

import calendar
import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from digests.api.listing import (
    MAX_PAGE,
    Question,
    Sort,
    daily_entries,
    distinct_papers,
    newest_entry_of,
)
from digests.bibtex import bibtex
from digests.cards import Card, make_card, sample_ids
from digests.editions import local_date
from digests.finding import MOST_FOUND, Found, Order, entries_of, find_shown
from digests.models import Choice, EditionPaper
from digests.pages.caching import public_page
from digests.pages.days import long_date
from digests.pages.frame import show
from digests.pages.neighbours import Neighbours, around
from digests.reasons import gained_in_words
from digests.trend import WINDOW, Trend
from digests.trending import trending_of
from papers.models import Announcement, Paper, Topic
from papers.paper_ids import find_paper, public_id
from papers.search_query import SearchQuery, tidy
from papers.similar import similar_papers
from subscriptions.community import credits_of

PER_PAGE = 40
MOST_TRENDING = 100
MOST_AUTHORS = 12
# One way to write each number, and none that a database could not count to.
_PAGE = re.compile(r"[1-9][0-9]{0,8}")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Line:
    """A paper in a list: its card, the day it was shown last, our readers' votes, and why it is here, if that is not
    plain from the list."""

    card: Card
    day: dt.date
    votes: int
    why: str = ""


@public_page()
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
    reading = known.claims.get(found.pk, {})
    authors = [(name, author_path(name), name in reading) for name in map(str, found.authors)]
    context = {
        "paper": found,
        "paper_id": own,
        "arxiv_id": arxiv_id,
        "card": make_card(found, entry=entry),
        "authors": authors[:MOST_AUTHORS],
        "more_authors": authors[MOST_AUTHORS:],
        "topics": [topic for topic in found.topics.all() if topic.is_active],
        "shown_on": _shown_on(found),
        "versions": _versions(found),
        "votes": known.votes.get(found.pk, 0),
        "submitter": known.submitters.get(found.pk, ""),
        "writers": list(reading.values()),
        "similar": _similar(found),
        "bibtex": bibtex(found, arxiv_id=arxiv_id),
    }
    card = reverse("site:paper_card", args=[own])
    return show(request, "site/paper.html", context, card=card, topics=context["topics"])  # type: ignore[arg-type]


@public_page("page")
def topic(request: HttpRequest, slug: str) -> HttpResponse:
    """What came of a topic, the newest first."""
    found = Topic.objects.active().filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such topic.")
    page = _page(request)
    entries = daily_entries(Question(topic=slug, page=page - 1, limit=PER_PAGE + 1))
    context = {
        "heading": found.name,
        "lead": found.description,
        "feed_url": reverse("api:feed_topic", args=[slug, "atom"]),
        "subscribe_url": f"{reverse('subscriptions:subscribe')}?{urlencode({'topics': slug})}",
        **_listed(entries, page=page),
    }
    return show(request, "site/list.html", context, is_listed=page == 1, topics=[found])


@public_page("page")
def author(request: HttpRequest, name: str) -> HttpResponse:
    """The papers of an author, the newest first; initials are held against full names as for those who follow them."""
    name, page = tidy(name), _page(request)
    found = find_shown(SearchQuery(authors=(name,)), order=Order.DATE) if name else Found(days={})
    ids = found.ids[(page - 1) * PER_PAGE : page * PER_PAGE + 1]
    if not ids:
        raise Http404("There is no paper of this author.")
    count = f"{len(found.ids)} paper{'s' if len(found.ids) != 1 else ''}"
    context = {
        "heading": name,
        "lead": f"{count} here by authors who write themselves like this." if found.is_all else "",
        "feed_url": f"{reverse('api:feed_search', args=['atom'])}?{urlencode({'q': _author_query(name)})}",
        "subscribe_url": f"{reverse('subscriptions:subscribe')}?{urlencode({'authors': name})}",
        **_listed(entries_of(found, ids), page=page),
    }
    return show(request, "site/list.html", context, is_listed=page == 1, author=name)


@public_page("page")
def trending(request: HttpRequest) -> HttpResponse:
    """What gained most lately, by the formula on the page about how papers are chosen."""
    page = _page(request)
    lines = _trending_lines(local_date(timezone.now()))
    shown = lines[(page - 1) * PER_PAGE : page * PER_PAGE]
    if page > 1 and not shown:
        raise Http404("There is no such page.")
    context = {
        "heading": "Trending",
        "lead": "What gained most votes, comments and stars since yesterday.",
        "explained": True,
        "lines": shown,
        "page": page,
        "has_more": len(lines) > page * PER_PAGE,
        "nothing": "Nothing has gained any votes lately.",
    }
    return show(request, "site/list.html", context, is_listed=page == 1)


@public_page("page")
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
    turn = around(monday, sunday)
    context = {
        "heading": f"Week {int(week[-2:])} of {week[:4]}",
        "lead": f"{long_date(monday)} to {long_date(sunday)}, the most liked first",
        "older": _week_link(turn.older),
        "newer": _week_link(turn.newer),
    }
    return _period(request, monday, sunday, context)


@public_page("page")
def month(request: HttpRequest, month: str) -> HttpResponse:
    """The best of a month, by votes."""
    found = _MONTH.fullmatch(month)
    if not found or not 1 <= int(found[2]) <= 12 or not int(found[1]):
        raise Http404("There is no such month.")
    first = dt.date(int(found[1]), int(found[2]), 1)
    last = first.replace(day=calendar.monthrange(first.year, first.month)[1])
    turn: Neighbours = around(first, last)
    context = {
        "heading": f"{first:%B %Y}",
        "lead": "The papers of the month, the most liked first",
        "older": _month_link(turn.older),
        "newer": _month_link(turn.newer),
    }
    return _period(request, first, last, context)


def author_path(name: str) -> str:
    """The address of an author's page; nothing where a name cannot stand in one."""
    name = tidy(name)
    return f"/papers/author/{quote(name, safe='')}" if name and not name.startswith(".") else ""


def _period(request: HttpRequest, first: dt.date, last: dt.date, context: Mapping[str, object]) -> HttpResponse:
    page = _page(request)
    question = Question(since=first, until=last, sort=Sort.TRENDING, page=page - 1, limit=PER_PAGE + 1)
    listed = _listed(daily_entries(question), page=page)
    has_any = bool(listed["lines"]) or page > 1
    whole = {**context, **listed, "nothing": "There is no edition in this time."}
    return show(request, "site/list.html", whole, status=200 if has_any else 404, is_listed=page == 1)


def _week_link(day: dt.date | None) -> tuple[str, str] | None:
    if day is None:
        return None
    year, number, _ = day.isocalendar()
    return reverse("site:week", args=[f"{year}-W{number:02}"]), f"Week {number}"


def _month_link(day: dt.date | None) -> tuple[str, str] | None:
    return (reverse("site:month", args=[f"{day:%Y-%m}"]), f"{day:%B %Y}") if day else None


def _listed(entries: Sequence[EditionPaper], *, page: int) -> dict[str, object]:
    return {"lines": lines_of(entries[:PER_PAGE]), "page": page, "has_more": len(entries) > PER_PAGE}


def lines_of(entries: Sequence[EditionPaper], *, why: dict[int, str] | None = None) -> list[Line]:
    """These entries as a list shows them, each paper once."""
    shown = list(distinct_papers(list(entries)))
    ids = [entry.paper_id for entry in shown]
    samples, votes = sample_ids(ids), credits_of(ids).votes
    return [
        Line(
            card=make_card(entry.paper, entry=entry, is_sample=entry.paper_id in samples),
            day=entry.edition.date,
            votes=votes.get(entry.paper_id, 0),
            why=(why or {}).get(entry.paper_id, ""),
        )
        for entry in shown
    ]


def _trending_lines(today: dt.date) -> list[Line]:
    recent = EditionPaper.objects.public().filter(edition__date__gt=today - WINDOW)
    announced = dict(recent.values_list("paper_id", "paper__announced_date"))
    trends = trending_of(announced, day=today)
    best = sorted(trends, key=lambda pk: (-trends[pk].score, -pk))[:MOST_TRENDING]
    days = dict(recent.filter(paper__in=best).order_by("edition__date").values_list("paper_id", "edition__date"))
    found = Found(days={pk: days[pk] for pk in best})
    return lines_of(entries_of(found, best), why={pk: _gained(trends[pk]) for pk in best})


def _gained(trend: Trend) -> str:
    return gained_in_words(trend.gain, trend.kind).removeprefix("Trending: ") if trend.gain else ""


def _author_query(name: str) -> str:
    return 'author:"{}"'.format(name.replace('"', " "))


def _similar(paper: Paper) -> list[tuple[str, str]]:
    """Address and title of shown papers like this one."""
    ids = similar_papers(paper, most=15)
    shown = EditionPaper.objects.public().filter(paper__in=ids)
    papers = {pk: (key, title) for pk, key, title in shown.values_list("paper_id", "paper__key", "paper__title")}
    return [(public_id(papers[pk][0]), papers[pk][1]) for pk in ids if pk in papers][:5]


def _shown_on(paper: Paper) -> list[tuple[dt.date, bool]]:
    """The days it was shown, the newest first, each with whether the editor picked it then."""
    shown = EditionPaper.objects.public().filter(paper=paper)
    rows = shown.order_by("-edition__date").values_list("edition__date", "choice")[:10]
    return [(date, choice == Choice.PICK) for date, choice in rows]


def _versions(paper: Paper) -> list[tuple[int, dt.date]]:
    """The versions that were announced, each with its first day, oldest first; nothing where only one is known."""
    rows = Announcement.objects.filter(paper=paper, version__isnull=False).order_by("date")
    first: dict[int, dt.date] = {}
    for version, date in rows.values_list("version", "date"):
        if version:
            first.setdefault(version, date)
    return sorted(first.items()) if len(first) > 1 or any(version > 1 for version in first) else []


def _page(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    if not (_PAGE.fullmatch(text) and int(text) <= min(MAX_PAGE, MOST_FOUND)):
        raise Http404("There is no such page.")
    return int(text)

"""Which papers a question to the API or a feed means: pure reading of its parameters, then one query."""

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import Case, Count, F, IntegerField, QuerySet, Value, When
from django.db.models.functions import Coalesce

from digests.finding import Order, entries_of, find_shown, papers_pasted, with_all
from digests.models import Choice, Edition, EditionPaper
from papers.models import Paper
from papers.paper_ids import keys_meant
from papers.search_query import read_query, tidy

DEFAULT_LIMIT = 50
MAX_LIMIT = 100
MAX_PAGE = 10_000
TRENDING_DAYS = dt.timedelta(days=30)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_NUMBER = re.compile(r"[0-9]{1,9}")


class Sort(StrEnum):
    PUBLISHED = "publishedAt"
    TRENDING = "trending"


class BadQuestionError(ValueError):
    """A parameter cannot be understood; the message says which, and what would do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A page of the papers of some days. Both days are in it; no days means all."""

    since: dt.date | None = None
    until: dt.date | None = None
    submitter: str = ""
    topic: str = ""
    sort: Sort = Sort.PUBLISHED
    page: int = 0
    limit: int = DEFAULT_LIMIT


def read_question(parameters: Mapping[str, str]) -> Question:
    """What `GET /api/daily_papers` was asked. Raises BadQuestionError."""
    since, until = _days(parameters)
    sort = parameters.get("sort", "") or Sort.PUBLISHED
    if sort not in set(Sort):
        raise BadQuestionError("sort must be publishedAt or trending.")
    return Question(
        since=since,
        until=until,
        submitter=_text(parameters.get("submitter", "")),
        sort=Sort(sort),
        page=_number(parameters, "p", default=0, least=0, most=MAX_PAGE),
        limit=read_limit(parameters),
    )


def read_limit(parameters: Mapping[str, str], *, default: int = DEFAULT_LIMIT) -> int:
    """How many papers are wanted, from 1 to 100. Raises BadQuestionError."""
    return _number(parameters, "limit", default=default, least=1, most=MAX_LIMIT)


def read_words(text: str) -> str:
    """A search as it is asked: control characters gone, and no longer than anybody types."""
    return tidy(text)


def daily_entries(question: Question) -> list[EditionPaper]:
    """The papers of shown editions that a question means, the newest day first and the editor's picks before others."""
    entries = _shown()
    if not (question.since or question.topic or question.submitter):
        entries = entries.filter(edition__date__gte=_far_enough(question))
    if question.since:
        entries = entries.filter(edition__date__gte=question.since)
    if question.until:
        entries = entries.filter(edition__date__lte=question.until)
    if question.topic:
        entries = entries.filter(paper__topics__slug=question.topic)
    if question.submitter:
        entries = entries.filter(paper__in=_submitted_by(question.submitter))
    start = question.page * question.limit
    return list(_ordered(entries, question.sort)[start : start + question.limit])


def search_entries(words: str, *, limit: int, order: Order = Order.RELEVANCE) -> list[EditionPaper]:
    """The shown papers that fit this search. A pasted id or address is its paper; no words are the newest papers."""
    if not words:
        return daily_entries(Question(limit=limit))
    if keys_meant(words):
        pasted = _shown().filter(paper__in=papers_pasted(words))
        return list(_ordered(pasted, Sort.PUBLISHED)[:limit])
    found = find_shown(read_query(words), order=order, said=words)
    return entries_of(found, found.ids[:limit])


def newest_entry_of(paper: Paper) -> EditionPaper | None:
    """Where this paper was shown last; None while no shown edition has it."""
    return _ordered(_shown().filter(paper=paper), Sort.PUBLISHED).first()


def _shown() -> QuerySet[EditionPaper]:
    return with_all(EditionPaper.objects.public())


def _ordered(entries: QuerySet[EditionPaper], sort: Sort) -> QuerySet[EditionPaper]:
    liked = Coalesce(F("paper__upvotes"), 0) + Count("paper__votes")
    ranked = entries.annotate(
        liked=liked,
        is_no_pick=Case(When(choice=Choice.PICK, then=Value(0)), default=Value(1), output_field=IntegerField()),
    )
    if sort is Sort.TRENDING:
        return ranked.order_by("-liked", "-edition__date", "id")
    return ranked.order_by("-edition__date", "is_no_pick", "position", "-liked", "id")


def _far_enough(question: Question) -> dt.date:
    """Where to stop looking back, so that years of papers are not sorted for one page of the newest.

    Every edition has a paper, so as many editions as papers are wanted are enough. Trending is of the last month.
    """
    days = Edition.objects.shown().order_by("-date").values_list("date", flat=True)
    if question.sort is Sort.TRENDING:
        newest = days.first()
        return newest - TRENDING_DAYS if newest else dt.date.min
    wanted = (question.page + 1) * question.limit
    return next(iter(days[wanted - 1 : wanted]), dt.date.min)


def _submitted_by(name: str) -> QuerySet[Paper]:
    return Paper.objects.filter(submissions__accepted_at__isnull=False, submissions__subscriber__profile__name=name)


def _days(parameters: Mapping[str, str]) -> tuple[dt.date | None, dt.date | None]:
    given = [name for name in ("date", "week", "month") if parameters.get(name)]
    if len(given) > 1:
        raise BadQuestionError("Please give only one of date, week and month.")
    try:
        for name in given:
            return {"date": _of_date, "week": _of_week, "month": _of_month}[name](parameters[name])
    except (ValueError, OverflowError) as error:
        like = {"date": "2026-11-23", "week": "2026-W48", "month": "2026-11"}[given[0]]
        raise BadQuestionError(f"{given[0]} must be one there is, written like {like}.") from error
    return None, None


def _of_date(text: str) -> tuple[dt.date, dt.date]:
    if not _DAY.fullmatch(text):
        raise ValueError
    day = dt.date.fromisoformat(text)
    return day, day


def _of_week(text: str) -> tuple[dt.date, dt.date]:
    match = _WEEK.fullmatch(text)
    if match is None:
        raise ValueError
    monday = dt.date.fromisocalendar(int(match[1]), int(match[2]), 1)
    return monday, monday + dt.timedelta(days=6)


def _of_month(text: str) -> tuple[dt.date, dt.date]:
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ValueError
    first = dt.date(int(match[1]), int(match[2]), 1)
    return first, first.replace(day=calendar.monthrange(first.year, first.month)[1])


def _number(parameters: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = parameters.get(name, "")
    if not text:
        return default
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise BadQuestionError(f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def _text(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def distinct_papers(entries: list[EditionPaper]) -> Iterator[EditionPaper]:
    """The first entry of each paper: one shown again in a new version stands in two editions."""
    seen: set[int] = set()
    for entry in entries:
        if entry.paper_id not in seen:
            seen.add(entry.paper_id)
            yield entry

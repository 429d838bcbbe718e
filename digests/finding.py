"""Searching the papers that everybody may read: those of shown editions, by words, names, categories and days.

`papers.search` finds by full text; here what is shown nowhere is left out, names of authors are held against each other
as for readers who follow them, and where an encoder is configured its order is fused with that of the words.
"""

import datetime as dt
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLongError
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Max, QuerySet

from digests.models import EditionPaper
from papers.models import Paper
from papers.paper_ids import keys_meant
from papers.search import find_papers
from papers.search_query import SearchQuery
from subscriptions.phrases import initial_key, may_be_one, name_key
from subscriptions.sql import one_of

logger = logging.getLogger(__name__)

# Nobody reads further, and whoever copies everything has the API's days for it.
MOST_FOUND = 1000
# Behind these a search ends: words that very many papers have, of which hardly any was ever shown.
MOST_WINDOWS = 5
ENCODER_SECONDS = 1.0
_encoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")


class Order(StrEnum):
    RELEVANCE = "relevance"
    DATE = "date"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The ids of papers in their order, each with the day it was shown last. `is_all` tells whether there may be more
    than these."""

    days: dict[int, dt.date]
    is_all: bool = True

    @property
    def ids(self) -> list[int]:
        return list(self.days)


def find_shown(query: SearchQuery, *, order: Order = Order.RELEVANCE, said: str = "", most: int = MOST_FOUND) -> Found:
    """The shown papers that fit, at most so many. `said` is the search as it was typed, for an encoder."""
    days: dict[int, dt.date] = {}
    is_all = True
    for count, window in enumerate(find_papers(query), start=1):
        shown = _shown_days(window.ids)
        fitting = [pk for pk in window.ids if pk in shown]
        days |= {pk: shown[pk] for pk in _by_authors(query.authors, fitting)}
        if window.has_more and (len(days) >= most or count == MOST_WINDOWS):
            is_all = False
            break
    if query.terms and settings.ENCODER and order is Order.RELEVANCE:
        days = _fused(days, said=said, query=query)
    if order is Order.DATE:
        days = dict(sorted(days.items(), key=lambda item: (item[1], item[0]), reverse=True))
    kept = list(days)[:most]
    return Found(days={pk: days[pk] for pk in kept}, is_all=is_all and len(kept) == len(days))


def papers_pasted(text: str) -> list[int]:
    """The ids of the papers that a pasted id or address means; none where the text is mere words."""
    keys = keys_meant(text)
    return list(Paper.objects.filter(key__in=keys).values_list("pk", flat=True)) if keys else []


def entries_of(found: Found, ids: Sequence[int]) -> list[EditionPaper]:
    """The entry by which each of these papers was shown last, in this order."""
    rows = EditionPaper.objects.public().filter(paper__in=one_of(ids), edition__date__in={found.days[pk] for pk in ids})
    entries = {(entry.paper_id, entry.edition.date): entry for entry in with_all(rows)}
    return [entries[pk, found.days[pk]] for pk in ids if (pk, found.days[pk]) in entries]


def with_all(entries: QuerySet[EditionPaper]) -> QuerySet[EditionPaper]:
    """With what a card shows, in a fixed number of queries."""
    return entries.select_related("edition", "paper__one_liner").prefetch_related("paper__topics")


def _shown_days(ids: Sequence[int]) -> dict[int, dt.date]:
    if not ids:
        return {}
    rows = EditionPaper.objects.public().filter(paper__in=one_of(ids)).order_by()
    return dict(rows.values_list("paper").annotate(day=Max("edition__date")))


def _by_authors(names: Sequence[str], ids: Sequence[int]) -> list[int]:
    """Those of these papers that have an author for every name; `Y. LeCun` may be Yann LeCun, a last name alone is
    anybody of that name."""
    if not names or not ids:
        return list(ids)
    authors = dict(Paper.objects.filter(pk__in=one_of(ids)).values_list("pk", "authors"))
    return [pk for pk in ids if all(any(fits_name(name, str(author)) for author in authors[pk]) for name in names)]


def fits_name(asked: str, name: str) -> bool:
    """Whether somebody of this name may be meant."""
    one, other = name_key(asked), name_key(name)
    if one == other or set(one.split()) <= set(other.split()):
        return True
    return initial_key(asked) == initial_key(name) and may_be_one(asked, name)


# --- by meaning, where an encoder is configured -----------------------------------------------------------------------


def _fused(days: dict[int, dt.date], *, said: str, query: SearchQuery) -> dict[int, dt.date]:
    """With the papers that an encoder finds near, in the order that both make together; as it was, where it fails."""
    from digests import near

    try:
        # In a thread, which can be left waiting; it asks no database, as that would be a connection of its own.
        vector = _encoding.submit(near.encode_text, said).result(timeout=ENCODER_SECONDS)
        order = [] if vector is None else near.nearest_papers(vector)
    except TookTooLongError:
        logger.warning("search by meaning was given up after %s seconds", ENCODER_SECONDS)
        return days
    except Exception:  # whatever an encoder of somebody else's raises, words still find
        logger.exception("search by meaning failed")
        return days
    fitting = [pk for pk in order if pk in days] if _has_filters(query) else order
    shown = days | _shown_days([pk for pk in fitting if pk not in days])
    return {pk: shown[pk] for pk in near.fused(list(days), [pk for pk in fitting if pk in shown])}


def _has_filters(query: SearchQuery) -> bool:
    return bool(query.authors or query.categories or query.without or query.since or query.until)

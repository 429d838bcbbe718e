"""The search page: words and filters in, papers out. Every part of it is a GET that needs no script."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import conditional_page, require_safe

from digests.api.listing import newest_entry_of
from digests.cards import Card, make_card, sample_ids
from digests.finding import MOST_FOUND, Found, Order, entries_of, find_shown, papers_pasted
from digests.models import EditionPaper
from papers.models import Paper
from papers.paper_ids import find_paper, keys_meant, public_id
from papers.search_query import SearchQuery, marked, read_query, tidy

PER_PAGE = 20
MOST_CATEGORIES = 400
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# A fragment is asked for by the script while somebody types.
FRAGMENT = "fragment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The form as it was sent. `problems` says by field what cannot be."""

    words: str = ""
    author: str = ""
    category: str = ""
    since: str = ""
    until: str = ""
    order: Order = Order.RELEVANCE
    page: int = 1
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.words or self.author or self.category or self.since or self.until)

    @property
    def has_filters(self) -> bool:
        return bool(self.author or self.category or self.since or self.until or self.order is not Order.RELEVANCE)

    def query(self, *, is_being_typed: bool = False) -> SearchQuery:
        """What is looked for; call it only where there are no problems."""
        query = read_query(self.words, is_being_typed=is_being_typed)
        return replace(
            query,
            authors=(*query.authors, *([self.author] if self.author else [])),
            categories=(*query.categories, *([self.category] if self.category else [])),
            since=dt.date.fromisoformat(self.since) if self.since else query.since,
            until=dt.date.fromisoformat(self.until) if self.until else query.until,
        )

    @property
    def as_words(self) -> str:
        """The whole search in the one line that feeds and the API take."""
        author = self.author.replace('"', " ")
        category = self.category.replace('"', " ")
        parts = [self.words, f'author:"{author}"' if author else "", f'category:"{category}"' if category else ""]
        parts += [f"after:{self.since}" if self.since else "", f"before:{self.until}" if self.until else ""]
        return " ".join(part for part in parts if part)

    def address(self, *, page: int = 1) -> str:
        """The page's own address, with nothing in it that is not needed."""
        asked = {"q": self.words, "author": self.author, "category": self.category}
        asked |= {"from": self.since, "to": self.until}
        asked |= {"order": self.order.value} if self.order is not Order.RELEVANCE else {}
        asked |= {"page": str(page)} if page > 1 else {}
        return f"{reverse('site:search')}?{urlencode({name: value for name, value in asked.items() if value})}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A paper that was found, with the words that were looked for marked."""

    card: Card
    paper_id: str
    day: dt.date
    title: SafeString
    excerpt: SafeString


@require_safe
@conditional_page
def search(request: HttpRequest) -> HttpResponse:
    """Papers with these words. A pasted id or address leads to its paper."""
    asked = read_form(request.GET)
    is_fragment = FRAGMENT in request.GET
    if not is_fragment and (pasted := _pasted(asked.words)):
        return redirect("site:paper", paper_id=public_id(pasted.key))
    context: dict[str, object] = {"asked": asked, "orders": list(Order), "is_id": bool(keys_meant(asked.words))}
    if not asked.is_empty and not asked.problems:
        context |= _results(asked, is_being_typed=is_fragment)
    template = "site/_found.html" if is_fragment else "site/search.html"
    response = render(request, template, context, status=400 if asked.problems else 200)
    response["Cache-Control"] = "public, max-age=300"
    return response


def read_form(sent: QueryDict) -> Asked:
    """The form's fields, tidied; dates and pages there are not are named in `problems`, and then left out."""
    problems = {}
    days = {"from": tidy(sent.get("from", "")), "to": tidy(sent.get("to", ""))}
    for name, text in days.items():
        if text and not _is_day(text):
            problems[name] = "Please give a day there is, like 2026-11-23."
    if not problems and days["from"] and days["to"] and days["from"] > days["to"]:
        problems["to"] = "This day is before the first one."
    order = sent.get("order", "")
    page = sent.get("page", "1")
    is_page = page.isascii() and page.isdecimal() and 1 <= int(page[:9]) <= MOST_FOUND // PER_PAGE
    return Asked(
        words=tidy(sent.get("q", "")),
        author=tidy(sent.get("author", "")),
        category=tidy(sent.get("category", "")),
        since=days["from"],
        until=days["to"],
        order=Order(order) if order in set(Order) else Order.RELEVANCE,
        page=int(page) if is_page else 1,
        problems=problems,
    )


def _results(asked: Asked, *, is_being_typed: bool) -> dict[str, object]:
    query = asked.query(is_being_typed=is_being_typed)
    pasted = papers_pasted(asked.words) if keys_meant(asked.words) else []
    found = find_shown(query, order=asked.order, said=asked.words) if not keys_meant(asked.words) else Found(days={})
    start = (asked.page - 1) * PER_PAGE
    entries = entries_of(found, found.ids[start : start + PER_PAGE])
    has_more = len(found.ids) > start + PER_PAGE
    return {
        "hits": _hits(entries, words=query.words),
        "count": len(found.ids),
        "is_all": found.is_all,
        "has_asked": True,
        "is_unknown_id": bool(keys_meant(asked.words)) and not pasted,
        "feed_url": f"{reverse('api:feed_search', args=['atom'])}?{urlencode({'q': asked.as_words})}",
        "before_url": asked.address(page=asked.page - 1) if asked.page > 1 else "",
        "after_url": asked.address(page=asked.page + 1) if has_more else "",
    }


def _hits(entries: Sequence[EditionPaper], *, words: tuple[str, ...]) -> list[Hit]:
    samples = sample_ids([entry.paper_id for entry in entries])
    hits = []
    for entry in entries:
        card = make_card(entry.paper, entry=entry, is_sample=entry.paper_id in samples)
        hits.append(
            Hit(
                card=card,
                paper_id=public_id(entry.paper.key),
                day=entry.edition.date,
                title=with_marks(card.title, words),
                excerpt=with_marks(_around(entry.paper.abstract, words) or card.excerpt, words),
            )
        )
    return hits


def with_marks(text: str, words: tuple[str, ...]) -> SafeString:
    """The text as HTML, with these words in <mark>: every piece is escaped on its own."""
    return format_html_join(
        "",
        "{}{}{}",
        ((_OPEN if is_one else "", piece, _CLOSE if is_one else "") for piece, is_one in marked(text, words)),
    )


_OPEN, _CLOSE = SafeString("<mark>"), SafeString("</mark>")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_LONGEST = 320


def _around(abstract: str, words: tuple[str, ...]) -> str:
    """The sentences of an abstract that have these words in them, as far as they fit; nothing where none does."""
    kept: list[str] = []
    for sentence in _SENTENCE_END.split(abstract[:20_000]):
        has_one = any(is_one for _, is_one in marked(sentence, words))
        if has_one and sum(map(len, kept)) + len(sentence) <= _LONGEST + len(kept):
            kept.append(sentence)
    return " ".join(kept)


def _pasted(words: str) -> Paper | None:
    """The shown paper that was pasted as an id or address."""
    found = find_paper(words) if keys_meant(words) else None
    return found if found is not None and newest_entry_of(found) is not None else None


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text) and dt.date.fromisoformat(text))
    except ValueError:
        return False

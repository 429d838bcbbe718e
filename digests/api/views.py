"""Doorways of the API: each reads its parameters, asks once, and answers in JSON."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import conditional_page, require_safe

from digests.api.answers import answered, refused
from digests.api.description import describe
from digests.api.hub import hub_item, hub_paper
from digests.api.limiting import limited
from digests.api.listing import (
    BadQuestionError,
    daily_entries,
    distinct_papers,
    newest_entry_of,
    read_limit,
    read_question,
    read_words,
    search_entries,
)
from digests.api.plain import paper_as_markdown
from digests.models import EditionPaper
from digests.pages.caching import PROGRAMS, public_page
from papers.paper_ids import find_paper
from subscriptions.community import credits_of

View = Callable[..., HttpResponse]


def _counted(view: View) -> View:
    """GET and HEAD only, counted, and 400 to what cannot be understood."""

    @wraps(view)
    def asked(request: HttpRequest, *args: object, **more: object) -> HttpResponse:
        try:
            return view(request, *args, **more)
        except BadQuestionError as error:
            return refused(str(error), status=400)

    return require_safe(limited(asked))


def _kept(*parameters: str) -> Callable[[View], View]:
    """A door whose answers are kept like public pages: 304 costs no more than a look at the editions' state."""
    return lambda view: _counted(public_page(*parameters, shelf=PROGRAMS)(view))


@_kept("date", "week", "month", "submitter", "sort", "p", "limit")
def daily_papers(request: HttpRequest) -> HttpResponse:
    """The papers of a day, a week, a month, or the newest."""
    return _list(daily_entries(read_question(request.GET.dict())))


# Of searches there is no end: what one finds is looked up each time, and 304 saves its way alone.
@_counted
@conditional_page
def search(request: HttpRequest) -> HttpResponse:
    """Papers with these words; without words the newest, as the Hub answers."""
    limit = read_limit(request.GET.dict(), default=20)
    return _list(search_entries(read_words(request.GET.get("q", "")), limit=limit))


@_kept()
def paper(request: HttpRequest, paper_id: str) -> HttpResponse:
    """One paper, by arXiv id, key, DOI or address."""
    found = find_paper(paper_id)
    entry = newest_entry_of(found) if found else None
    if found is None or found.withdrawn_at or entry is None:
        return refused("There is no such paper here.", status=404)
    # The hand-out of one paper says the same as the list.
    return answered(hub_paper(entry.paper, entry, credits_of([found.pk])))


@public_page(shelf=PROGRAMS)
def markdown(request: HttpRequest, paper_id: str) -> HttpResponse:
    """One paper as Markdown, for people and programs that read."""
    found = find_paper(paper_id)
    if found is None or newest_entry_of(found) is None:
        response = HttpResponse("There is no such paper here.\n", status=404, content_type="text/plain; charset=utf-8")
    else:
        response = HttpResponse(paper_as_markdown(found), content_type="text/markdown; charset=utf-8")
        response["Cache-Control"] = "public, max-age=300"
        response["Access-Control-Allow-Origin"] = "*"
    return response


@_kept()
def openapi(request: HttpRequest) -> HttpResponse:
    """What all of this takes and gives, for programs (OpenAPI 3.1)."""
    return answered(describe())


def _list(entries: list[EditionPaper]) -> HttpResponse:
    known = credits_of([entry.paper_id for entry in entries])
    return answered([hub_item(entry, known) for entry in distinct_papers(entries)])

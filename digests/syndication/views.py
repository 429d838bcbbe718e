"""Doorways of the feeds."""

from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.http import http_date
from django.views.decorators.http import conditional_page, require_safe

from digests.api.listing import MAX_LIMIT, Question, daily_entries, distinct_papers, read_words, search_entries
from digests.finding import Order
from digests.models import EditionPaper
from digests.pages.caching import PROGRAMS, public_page
from digests.syndication.channels import Channel, channel_of
from digests.syndication.forms import CONTENT_TYPES, write_feed
from papers.models import Topic

# Feed readers ask often, and editions come once a day.
MAX_AGE = 300


@public_page(shelf=PROGRAMS)
def today(request: HttpRequest, form: str) -> HttpResponse:
    """The newest papers of the editions."""
    return _feed(
        daily_entries(Question(limit=MAX_LIMIT)),
        form=form,
        name="today",
        title=settings.SITE_NAME,
        subtitle="The day’s research papers, chosen by an editor.",
        page="/",
        own_path=request.path,
    )


@public_page(shelf=PROGRAMS)
def topic(request: HttpRequest, slug: str, form: str) -> HttpResponse:
    """The newest papers of a topic."""
    found = Topic.objects.active().filter(slug=slug).first()
    if found is None:
        raise Http404("There is no such topic.")
    return _feed(
        daily_entries(Question(topic=slug, limit=MAX_LIMIT)),
        form=form,
        name=f"topic/{slug}",
        title=f"{found.name} · {settings.SITE_NAME}",
        subtitle=found.description or f"New papers on {found.name}.",
        page=f"/topics/{slug}",
        own_path=request.path,
    )


@require_safe
@conditional_page
def search(request: HttpRequest, form: str) -> HttpResponse:
    """The newest papers that a search finds."""
    words = read_words(request.GET.get("q", ""))
    query = urlencode({"q": words})
    return _feed(
        search_entries(words, limit=MAX_LIMIT, order=Order.DATE),
        form=form,
        name=f"search?{query}",
        title=f"«{words}» · {settings.SITE_NAME}",
        subtitle=f"New papers with the words «{words}».",
        page=f"/search?{query}",
        own_path=f"{request.path}?{query}",
    )


def _feed(
    entries: list[EditionPaper], *, form: str, name: str, title: str, subtitle: str, page: str, own_path: str
) -> HttpResponse:
    channel: Channel = channel_of(
        distinct_papers(entries), name=name, title=title, subtitle=subtitle, page=page, own_path=own_path
    )
    response = HttpResponse(write_feed(channel, form), content_type=CONTENT_TYPES[form])
    response["Cache-Control"] = f"public, max-age={MAX_AGE}"
    response["Last-Modified"] = http_date(channel.updated_at.timestamp())
    response["Access-Control-Allow-Origin"] = "*"
    return response

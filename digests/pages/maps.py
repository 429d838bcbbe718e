"""What there is, for search engines: a sitemap in parts (https://www.sitemaps.org/protocol.html) and robots.txt."""

import datetime as dt
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from django.conf import settings
from django.db.models import Max, Min, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse

from digests.models import Edition, EditionPaper
from digests.pages.caching import PROGRAMS, public_page
from papers.models import Topic
from papers.paper_ids import public_id

# A sitemap may hold 50,000 addresses; a part holds those of so many paper ids, of which some are shown nowhere.
PER_PART = 20_000
_DAYS = "days"
_PRIVATE = ("/search", "/view/", "/me/", "/vote/", "/claim/", "/manage/", "/archive/", "/api/", "/anymail/")
_XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


@public_page()
def index(request: HttpRequest) -> HttpResponse:
    """Every part of the map."""
    ids = _shown().aggregate(lowest=Min("paper_id"), highest=Max("paper_id"))
    names = [_DAYS]
    if ids["lowest"] is not None:
        names += [f"papers-{part}" for part in range(ids["lowest"] // PER_PART, ids["highest"] // PER_PART + 1)]
    paths = (reverse("site:sitemap_part", args=[name]) for name in names)
    places = "".join(f"<sitemap><loc>{_loc(path)}</loc></sitemap>" for path in paths)
    return _xml(f"<sitemapindex {_XMLNS}>{places}</sitemapindex>")


# A part is some megabytes, for which no page shall go.
@public_page(shelf=PROGRAMS)
def part(request: HttpRequest, name: str) -> HttpResponse:
    """One part: the days and topics, or the papers of a range of ids."""
    if name == _DAYS:
        return _urls(_days())
    kind, _, number = name.partition("-")
    if kind != "papers" or not (number.isascii() and number.isdecimal() and len(number) < 8):
        raise Http404("There is no such part of the map.")
    first = int(number) * PER_PART
    rows = _shown().filter(paper_id__gte=first, paper_id__lt=first + PER_PART).order_by("paper_id")
    newest = rows.values_list("paper_id", "paper__key").annotate(day=Max("edition__date"))
    papers = [(reverse("site:paper", args=[public_id(key)]), day) for _, key, day in newest]
    if not papers:
        raise Http404("There is no such part of the map.")
    return _urls(papers)


@public_page()
def robots(request: HttpRequest) -> HttpResponse:
    """What programs should leave alone: pages of single readers, and searches, of which there is no end."""
    lines = [
        "User-agent: *",
        *(f"Disallow: {path}" for path in _PRIVATE),
        f"Sitemap: {settings.SITE_URL}{reverse('site:sitemap')}",
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


def _days() -> Iterator[tuple[str, dt.date | None]]:
    days = list(Edition.objects.shown().order_by("-date").values_list("date", flat=True))
    newest = days[0] if days else None
    yield reverse("site:today"), newest
    for name in ("site:trending", "site:archive"):
        yield reverse(name), newest
    for name in ("site:about", "subscriptions:subscribe", "subscriptions:privacy"):
        yield reverse(name), None
    for slug in Topic.objects.active().values_list("slug", flat=True):
        yield reverse("site:topic", args=[slug]), newest
    seen = set()
    for day in days:
        month = f"{day:%Y-%m}"
        if month not in seen:
            seen.add(month)
            yield reverse("site:month", args=[month]), day
        yield reverse("site:day", args=[f"{day}"]), day


def _shown() -> QuerySet[EditionPaper]:
    return EditionPaper.objects.public().order_by()


def _urls(places: Iterable[tuple[str, dt.date | None]]) -> HttpResponse:
    urls = (f"<url><loc>{_loc(path)}</loc>{f'<lastmod>{day}</lastmod>' if day else ''}</url>" for path, day in places)
    return _xml(f"<urlset {_XMLNS}>{''.join(urls)}</urlset>")


def _loc(path: str) -> str:
    return escape(f"{settings.SITE_URL}{path}")


def _xml(body: str) -> HttpResponse:
    return HttpResponse(f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n', content_type="application/xml")

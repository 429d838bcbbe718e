"""Public pages, made once for everybody: kept in memory, forgotten when an edition changes, and answered 304 where a
browser has them already.

A page is kept under its path, the parameters that its view reads, and the state of the editions (one small query a
request), so whatever a curator does or a cut-off publishes is seen by the next visitor on every host, and no worker has
to tell another. The state is read before the page is made: a page never claims to be newer than it is. What changes
without that (votes, counts of the sources, the name of a topic) is seen after `PAGE_CACHE_SECONDS`. Nothing is shared
between processes: with the queue away pages are made as ever.

Pages, pictures and what programs read have a shelf each, so that a crawl of one empties no other (docs/adr/0022).
"""

import datetime as dt
import gzip
import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from threading import Lock

from django.conf import settings
from django.db.models import Count, Max, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import parse_http_date_safe
from django.views.decorators.http import require_safe

from digests.models import Edition

# About 16 MB at most on each shelf in each process, whatever is asked for.
MOST_PAGES = 300
MOST_OCTETS = 16_000_000
PAGES, PICTURES, PROGRAMS = "pages", "pictures", "programs"
# What may stand in a parameter of a page that is kept: with anything else it is made, and forgotten.
_KEPT_VALUE = re.compile(r"[A-Za-z0-9-]{1,20}")
# How long others may show a page without asking.
FRESH_FOR = 60
_SMALLEST_TO_PRESS = 1000
# When the form on it was shown: of one page two copies are the same, whatever stands there.
_STAMP = re.compile(rb'name="stamp" value="[^"]*"')
_KEPT_HEADERS = (
    "Content-Type",
    "Link",
    "X-Robots-Tag",
    "Cache-Control",
    "Last-Modified",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
)
# RFC 9110, section 12.5.3: a coding is accepted unless its weight is 0.
_TAKES_GZIP = re.compile(r"(?:^|,)\s*(?:x-)?gzip\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)", re.IGNORECASE)

View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class _Page:
    made_at: float
    etag: str
    body: bytes
    pressed: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def octets(self) -> int:
        return len(self.body) + len(self.pressed)


class _Shelf:
    """Pages by key, the longest unasked for leaving first. Safe among threads."""

    def __init__(self) -> None:
        self.pages: OrderedDict[tuple[object, ...], _Page] = OrderedDict()
        self._octets = 0
        self._lock = Lock()

    def take(self, key: tuple[object, ...]) -> _Page | None:
        """The page, unless it is too old or not there."""
        with self._lock:
            page = self.pages.get(key)
            if page is None or time.monotonic() - page.made_at >= settings.PAGE_CACHE_SECONDS:
                return None
            self.pages.move_to_end(key)
            return page

    def put(self, key: tuple[object, ...], page: _Page) -> None:
        """Keep it, and let go of what is too much."""
        with self._lock:
            if before := self.pages.pop(key, None):
                self._octets -= before.octets
            self.pages[key] = page
            self._octets += page.octets
            while len(self.pages) > MOST_PAGES or self._octets > MOST_OCTETS:
                self._octets -= self.pages.popitem(last=False)[1].octets

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self.pages.clear()
            self._octets = 0


_shelves = {PAGES: _Shelf(), PICTURES: _Shelf(), PROGRAMS: _Shelf()}


def public_page(*parameters: str, shelf: str = PAGES) -> Callable[[View], View]:
    """For a view that answers everybody alike, and reads no more of a request than its path and these parameters.

    Others in the address change nothing, so nobody fills the memory with them. GET and HEAD only. What is not 200 is
    not kept.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: object, **more: object) -> HttpResponse:
            given = tuple((name, request.GET[name]) for name in parameters if name in request.GET)
            is_kept = settings.PAGE_CACHE_SECONDS > 0 and all(_KEPT_VALUE.fullmatch(value) for _, value in given)
            key = (request.path, given, edition_state()) if is_kept else None
            page = _shelves[shelf].take(key) if key else None
            if page is None:
                response = view(request, *args, **more)
                if response.status_code != 200 or response.streaming or "no-store" in response.get("Cache-Control", ""):
                    return response
                page = _page_of(response)
                if key:
                    _shelves[shelf].put(key, page)
            return _answer(request, page)

        return require_safe(asked)

    return decorate


def passing(response: HttpResponse) -> HttpResponse:
    """This answer is not to be kept, here or anywhere: it stands in for an address that does not exist."""
    response["Cache-Control"] = "no-store"
    return response


def edition_state() -> tuple[object, ...]:
    """What changes with whatever is published or done at the desk."""
    found = Edition.objects.shown().aggregate(
        count=Count("id"), newest=Max("date"), version=Sum("version"), revision=Sum("revision"), at=Max("published_at")
    )
    return tuple(found.values())


def forget() -> None:
    """Every page is made anew."""
    for shelf in _shelves.values():
        shelf.clear()


def kept(shelf: str = PAGES) -> int:
    """How many pages are kept there, for tests."""
    return len(_shelves[shelf].pages)


def _page_of(response: HttpResponse) -> _Page:
    body = response.content
    plain = _STAMP.sub(b"", body)
    # A form's stamp is good for two days: who has the page of yesterday fetches it with a new one.
    told = plain if plain == body else plain + dt.datetime.now(dt.UTC).date().isoformat().encode()
    if "Cache-Control" not in response:
        response["Cache-Control"] = f"public, max-age={FRESH_FOR}"
    return _Page(
        made_at=time.monotonic(),
        etag=f'W/"{hashlib.sha256(told).hexdigest()[:24]}"',
        body=body,
        pressed=_pressed(body, kind=response.get("Content-Type", "")),
        headers=tuple((name, response[name]) for name in _KEPT_HEADERS if name in response),
    )


def _pressed(body: bytes, *, kind: str) -> bytes:
    """Nothing on these pages is secret, so pressing them gives nothing away (BREACH). Pictures are pressed already."""
    if len(body) < _SMALLEST_TO_PRESS or kind.startswith("image/"):
        return b""
    return gzip.compress(body, 6, mtime=0)


def _answer(request: HttpRequest, page: _Page) -> HttpResponse:
    is_pressed = bool(page.pressed) and bool(_TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")))
    response = HttpResponse(page.pressed if is_pressed else page.body)
    for name, value in page.headers:
        response[name] = value
    if is_pressed:
        response["Content-Encoding"] = "gzip"
    response["ETag"] = page.etag
    if page.pressed:
        patch_vary_headers(response, ["Accept-Encoding"])
    changed = parse_http_date_safe(response.get("Last-Modified", ""))
    answer = get_conditional_response(request, etag=page.etag, last_modified=changed, response=response) or response
    for name, value in page.headers:
        # Django leaves these out of a 304, and browsers ask for them there as well.
        if name.startswith("Access-Control-"):
            answer[name] = value
    return answer

"""Public pages, made once for everybody: kept in memory, forgotten when an edition changes, and answered 304 where a
browser has them already.

A page is kept under its path, the parameters that its view reads, and the state of the editions (one small query a
request), so whatever a curator does or a cut-off publishes is seen by the next visitor on every host, and no worker has
to tell another. What changes without that (votes, counts of the sources, the name of a topic) is seen after
`PAGE_CACHE_SECONDS`. Nothing is shared between processes: with the queue away pages are made as ever.
"""

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
from django.views.decorators.http import require_safe

from digests.models import Edition

# About 16 MB at most in each process, whatever is asked for.
MOST_PAGES = 300
MOST_OCTETS = 16_000_000
# How long others may show a page without asking.
FRESH_FOR = 60
_SMALLEST_TO_PRESS = 1000
# When the form on it was shown: of one page two copies are the same, whatever stands there.
_STAMP = re.compile(rb'name="stamp" value="[^"]*"')
_KEPT_HEADERS = ("Content-Type", "Link", "X-Robots-Tag")

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


_pages: OrderedDict[tuple[object, ...], _Page] = OrderedDict()
_lock = Lock()


def public_page(*parameters: str) -> Callable[[View], View]:
    """For a view that answers everybody alike, and reads no more of a request than its path and these parameters.

    Others in the address change nothing, so nobody fills the memory with them. GET and HEAD only. What is not 200 is
    not kept.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def asked(request: HttpRequest, *args: object, **more: object) -> HttpResponse:
            given = tuple((name, request.GET[name]) for name in parameters if name in request.GET)
            key = (request.path, given, edition_state())
            page = _kept(key)
            if page is None:
                response = view(request, *args, **more)
                if response.status_code != 200 or response.streaming:
                    return response
                page = _keep(key, response)
            return _answer(request, page)

        return require_safe(asked)

    return decorate


def edition_state() -> tuple[object, ...]:
    """What changes with whatever is published or done at the desk."""
    found = Edition.objects.shown().aggregate(
        count=Count("id"), newest=Max("date"), version=Sum("version"), revision=Sum("revision"), at=Max("published_at")
    )
    return tuple(found.values())


def forget() -> None:
    """Every page is made anew."""
    with _lock:
        _pages.clear()


def _kept(key: tuple[object, ...]) -> _Page | None:
    with _lock:
        page = _pages.get(key)
        if page is None or time.monotonic() - page.made_at >= settings.PAGE_CACHE_SECONDS:
            return None
        _pages.move_to_end(key)
        return page


def _keep(key: tuple[object, ...], response: HttpResponse) -> _Page:
    body = response.content
    page = _Page(
        made_at=time.monotonic(),
        etag=f'W/"{hashlib.sha256(_STAMP.sub(b"", body)).hexdigest()[:24]}"',
        body=body,
        # Nothing on these pages is secret, so that pressing them gives nothing away (BREACH).
        pressed=gzip.compress(body, 6, mtime=0) if len(body) >= _SMALLEST_TO_PRESS else b"",
        headers=tuple((name, response[name]) for name in _KEPT_HEADERS if name in response),
    )
    with _lock:
        _pages[key] = page
        while len(_pages) > MOST_PAGES or sum(kept.octets for kept in _pages.values()) > MOST_OCTETS:
            _pages.popitem(last=False)
    return page


def _answer(request: HttpRequest, page: _Page) -> HttpResponse:
    is_pressed = bool(page.pressed) and "gzip" in request.headers.get("Accept-Encoding", "")
    response = HttpResponse(page.pressed if is_pressed else page.body)
    for name, value in page.headers:
        response[name] = value
    if is_pressed:
        response["Content-Encoding"] = "gzip"
    response["ETag"] = page.etag
    response["Cache-Control"] = f"public, max-age={FRESH_FOR}"
    patch_vary_headers(response, ["Accept-Encoding"])
    return get_conditional_response(request, etag=page.etag, response=response) or response

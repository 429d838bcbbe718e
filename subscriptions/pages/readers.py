"""What the pages of signed-in readers share: who it is, and where to sign in."""

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from subscriptions.sign_in import reader_of

View = Callable[..., HttpResponse]


def for_readers(view: View) -> View:
    """Hand the view the reader who is signed in; others are asked to sign in, and come back here. Never cached."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **more: object) -> HttpResponse:
        reader = reader_of(request, now=timezone.now())
        if reader is None:
            return redirect(f"{reverse('subscriptions:sign_in')}?{urlencode({'next': request.path})}")
        return view(request, reader, *args, **more)

    return never_cache(require_http_methods(["GET", "HEAD", "POST"])(guarded))


def comes_from_here(request: HttpRequest) -> bool:
    """Whether the browser itself says that a page of this site sent this form.

    Pages that everybody shares from a cache hold no token. Browsers say where a form came from, in headers that no page
    can set: Sec-Fetch-Site (W3C Fetch Metadata) and Origin (RFC 6454).
    """
    site = request.META.get("HTTP_SEC_FETCH_SITE")
    if site is not None:
        return bool(site == "same-origin")
    origin = request.META.get("HTTP_ORIGIN", "")
    return origin == f"{request.scheme}://{request.get_host()}" or origin in settings.CSRF_TRUSTED_ORIGINS

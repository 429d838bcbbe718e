"""Headers that keep every answer safe, beside those that Django and django-csp set."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

# What no page of ours needs, no script may ask for. https://www.w3.org/TR/permissions-policy/
_NEVER = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb", "browsing-topics")
PERMISSIONS = ", ".join(f"{name}=()" for name in _NEVER)


class MoreHeaders:
    """Middleware: what the browser may do for our pages, and who may load what we answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        # Feeds, the API and pictures say that they are for everybody; nothing else is for other sites to load. A 304
        # leaves that as it was, as it does not say what it is about (RFC 9110, section 15.4.5).
        is_open = "Access-Control-Allow-Origin" in response or response.get("Content-Type", "").startswith("image/")
        if is_open or response.status_code != HTTPStatus.NOT_MODIFIED:
            response.headers.setdefault("Cross-Origin-Resource-Policy", "cross-origin" if is_open else "same-origin")
        return response

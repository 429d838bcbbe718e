"""In which language a reader's pages are: the one they chose on the page, that of their mails, or their browser's."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, get_language_from_request

from subscriptions.models import Subscriber

READER_PAGES = "subscriptions"
# For the pages that are in English alone: the papers are, and so is the desk.
OTHER_PAGES = "en"
CHOSEN_FOR = 365 * 24 * 3600  # seconds
SWITCH = "lang"


class PageLanguage:
    """Middleware. Speaks a reader's language on their pages, and English on all others, so that those are the same for
    everybody and can be kept by caches. `?lang=de` on a reader's page is remembered in a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(OTHER_PAGES):
            response = self.get_response(request)
            if _is_readers(request):
                response.headers.setdefault("Content-Language", get_language() or OTHER_PAGES)
                patch_vary_headers(response, ["Accept-Language", "Cookie"])
                if chosen := _chosen_now(request):
                    _remember(response, chosen)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        """Once it is known whose page it is."""
        if not _is_readers(request):
            return
        translation.activate(_chosen_now(request) or get_language_from_request(request))
        request.language_links = _others(request)  # type: ignore[attr-defined]


def speak_to(request: HttpRequest, subscriber: Subscriber) -> None:
    """From here on speak the language of this reader's mails, unless they chose another one on the page."""
    if subscriber.language in dict(settings.LANGUAGES) and not (_chosen_now(request) or _chosen_before(request)):
        translation.activate(subscriber.language)
        request.language_links = _others(request)  # type: ignore[attr-defined]


def _is_readers(request: HttpRequest) -> bool:
    return request.resolver_match is not None and request.resolver_match.namespace == READER_PAGES


def _chosen_now(request: HttpRequest) -> str:
    return _known(request.GET.get(SWITCH, ""))


def _chosen_before(request: HttpRequest) -> str:
    return _known(request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, ""))


def _known(code: str) -> str:
    return code if code in dict(settings.LANGUAGES) else ""


def _others(request: HttpRequest) -> list[tuple[str, str]]:
    """The languages to change to: code and name, the name in that language."""
    # The answer to what was sent has no address of its own that could be opened in another language.
    if request.method not in {"GET", "HEAD"}:
        return []
    return [(code, name) for code, name in settings.LANGUAGES if code != get_language()]


def _remember(response: HttpResponse, code: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        code,
        max_age=CHOSEN_FOR,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )

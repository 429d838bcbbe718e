"""How large a request may be, said before anything of it is read.

Django's own limit (`DATA_UPLOAD_MAX_MEMORY_SIZE`) leaves out files, which it would write to the disk for anybody. Of a
body without a length Django reads nothing, so that its length is all there is to look at.
"""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest, HttpResponse, JsonResponse

from subscriptions.import_runs import LARGEST

MEGABYTE = 1024 * 1024
# The list, and what is filled in beside it.
LARGEST_IMPORT = LARGEST + MEGABYTE


class BodySizes:
    """Middleware, behind the one of sessions: 413 for what is too large (RFC 9110, section 15.5.14)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length = _length(request)
        # The session is asked for by whoever brings much, and by nobody else.
        is_small = length <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if is_small or (length <= LARGEST_IMPORT and _is_signed_in_at_the_desk(request)):
            return self._get_response(request)
        limit = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE / MEGABYTE:.0f} MB"
        return _refuse(request, f"That is too large: more than {limit} is not taken here.")


def _length(request: HttpRequest) -> int:
    given = request.META.get("CONTENT_LENGTH") or "0"
    return int(given) if given.isascii() and given.isdecimal() else 0


def _is_signed_in_at_the_desk(request: HttpRequest) -> bool:
    return request.path.startswith(f"/{settings.ADMIN_PATH}/") and SESSION_KEY in request.session


def _refuse(request: HttpRequest, words: str) -> HttpResponse:
    answer: HttpResponse = HttpResponse(f"{words}\n", content_type="text/plain; charset=utf-8")
    if request.path.startswith("/api/"):
        answer = JsonResponse({"error": words})
    answer.status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return answer

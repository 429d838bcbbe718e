"""What is answered when the database is away: calmly, at once, and without asking anything of anybody.

The page is a file. What was being done was not done, and says so: 503 with `Retry-After` (RFC 9110, section 15.6.4), so
that mail services send their webhooks again and search engines do not forget the page.
"""

import sys
from pathlib import Path

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

RETRY_AFTER = 30
_PAGE = Path(settings.BASE_DIR) / "templates" / "503.html"


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's last word on an exception: 503 where the database could not be reached, else the page for our faults."""
    if isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        return _away(request)
    return defaults.server_error(request)


def _away(request: HttpRequest) -> HttpResponse:
    response: HttpResponse
    if request.path.startswith(("/api/", "/anymail/")):
        response = JsonResponse({"error": "The database cannot be reached just now. Please try again soon."})
    else:
        response = HttpResponse(_PAGE.read_text(encoding="utf-8"))
    response.status_code = 503
    response["Retry-After"] = str(RETRY_AFTER)
    response["Cache-Control"] = "no-store"
    return response

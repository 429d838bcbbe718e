"""What a webhook is answered that makes no sense: a plain no, instead of an error of ours.

Anymail raises whatever its reading of a request runs into. A provider would take our 500 for «try again later» and do
so for days, and anybody could fill the log with tracebacks.
"""

import logging
from collections.abc import Callable

from anymail.exceptions import AnymailError, AnymailImproperlyInstalled
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)

PREFIX = "/anymail/"
# Those of the database are none of these: what we could not store is to be sent again.
_NO_SENSE = (ValueError, KeyError, IndexError, TypeError, AttributeError, AnymailError)


class WebhookAnswers:
    """Middleware: 400 for what cannot be read, 404 for providers that this installation has no keys of."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Called by Django for what a view raised; None leaves it as it is."""
        if not request.path.startswith(PREFIX):
            return None
        if isinstance(exception, ImproperlyConfigured | AnymailImproperlyInstalled):
            logger.info("a webhook of a provider that is not set up here: %s", request.path)
            return HttpResponse("This provider is not set up here.\n", status=404, content_type="text/plain")
        if isinstance(exception, _NO_SENSE):
            logger.warning("a webhook that cannot be read: %s (%s)", request.path, type(exception).__name__)
            return HttpResponse("This cannot be read.\n", status=400, content_type="text/plain")
        return None

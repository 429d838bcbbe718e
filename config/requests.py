"""Each request has an id, which stands in every log line about it, in its answer and in the tasks it sets off; and how
long it took is counted by the name of its route, never by a path, as paths hold tokens.
"""

import logging
import re
import secrets
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from config import metrics
from config.logs import request_id
from subscriptions.client_ip import is_trusted_proxy

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
_GOOD = re.compile(r"[A-Za-z0-9_.\-]{8,64}")
# Asked every few seconds by machines.
_NOT_WORTH_A_LINE = {"healthz", "readyz", "metrics"}


class RequestIds:
    """Middleware, the outermost: an id of our own proxy's is kept, anybody else's is not believed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_from_proxy = is_trusted_proxy(request.META, trusted=settings.TRUSTED_PROXIES)
        if not is_from_proxy:
            # Whether a visitor came over TLS is for our own proxy to say, and for nobody where none is named.
            request.META.pop("HTTP_X_FORWARDED_PROTO", None)
        given = request.headers.get(HEADER, "")
        is_ours = bool(_GOOD.fullmatch(given)) and is_from_proxy
        own = given if is_ours else secrets.token_hex(8)
        token = request_id.set(own)
        started = time.perf_counter()
        try:
            response = self._get_response(request)
            self._tell(request, response, seconds=time.perf_counter() - started)
        finally:
            request_id.reset(token)
        response[HEADER] = own
        return response

    @staticmethod
    def _tell(request: HttpRequest, response: HttpResponse, *, seconds: float) -> None:
        route = request.resolver_match.view_name if request.resolver_match else ""
        metrics.count_request(route=route or "none", status=response.status_code, seconds=seconds)
        if route in _NOT_WORTH_A_LINE:
            return
        logger.info(
            "%s %s %s in %.0f ms",
            request.method,
            route or "no such page",
            response.status_code,
            1000 * seconds,
            extra={
                "method": request.method,
                "route": route,
                "status": response.status_code,
                "milliseconds": round(1000 * seconds, 1),
            },
        )

"""How often one network may ask the API, told in each answer (draft-ietf-httpapi-ratelimit-headers).

The meter is one row a network, under a keyed hash: who asked what is written nowhere.
"""

import math
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from digests.api.answers import refused
from limits.buckets import Rate, has_left, take
from subscriptions.client_ip import client_address, visitor_network
from subscriptions.guard import visitor_key

View = Callable[..., HttpResponse]
WINDOW_SECONDS = 300
BUCKETS = "api:"


def rate() -> Rate:
    """`API_RATE` requests in five minutes, all at once if need be."""
    return Rate(per_second=settings.API_RATE / WINDOW_SECONDS, burst=settings.API_RATE)


def limited(view: View) -> View:
    """Answer 429 to a network that asked too often; say in every answer how much is left."""

    @wraps(view)
    def counted(request: HttpRequest, *args: object, **more: object) -> HttpResponse:
        network = visitor_network(client_address(request.META, trusted=settings.TRUSTED_PROXIES))
        name = f"{BUCKETS}{visitor_key(network)}"
        grant = take(name, rate=rate()) if network else None
        if grant is not None and not grant.count:
            wait = max(1, math.ceil(grant.wait_seconds))
            response = refused(f"Too many requests: please ask again in {wait} seconds.", status=429)
            response["Retry-After"] = str(wait)
            return _told(response, left=0, seconds=wait)
        left = has_left(name, rate=rate()) if network else settings.API_RATE
        response = view(request, *args, **more)
        return _told(response, left=left, seconds=math.ceil((settings.API_RATE - left) / rate().per_second))

    return counted


def _told(response: HttpResponse, *, left: int, seconds: int) -> HttpResponse:
    response["RateLimit-Policy"] = f'"api";q={settings.API_RATE};w={WINDOW_SECONDS}'
    response["RateLimit"] = f'"api";r={left};t={seconds}'
    return response

"""What the doors of the sign-up share: who knocks, one way in, and the same time for every answer.

    admission = knock(request, form_data, address=address, ask=lambda: request_subscription(...))

The form, the embedded form and the programming interface differ in how they read and how they answer, and in nothing
else.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from subscriptions.client_ip import client_address, visitor_network
from subscriptions.guard import Admission, Admitted, Knock, admit, hold_back
from subscriptions.tasks import send_notices

logger = logging.getLogger(__name__)


def knock(
    request: HttpRequest,
    *,
    address: str,
    ask: Callable[[], int | None],
    stamp: str = "",
    proof: str = "",
    is_trap_sprung: bool = False,
) -> Admission:
    """Pass the guard, and if it lets them in, `ask` (in a transaction; it returns the notice to send, or None).

    `address` is normalised. Whoever is admitted is answered after the same time, whatever there was to do, so that it
    gives away nothing about the address.
    """
    started, now = time.monotonic(), timezone.now()
    visitor = client_address(request.META, trusted=settings.TRUSTED_PROXIES)
    seen = Knock(network=visitor_network(visitor), stamp=stamp, proof=proof, is_trap_sprung=is_trap_sprung)
    admission = admit(seen, address=address, now=now)
    logger.info("a sign-up: %s", type(admission).__name__)
    if isinstance(admission, Admitted):
        _let_in(ask, admission.wait, now=now)
        time.sleep(max(0.0, settings.SIGNUP_ANSWER_MS / 1000 - (time.monotonic() - started)))
    return admission


def _let_in(ask: Callable[[], int | None], wait: dt.timedelta, *, now: dt.datetime) -> None:
    with transaction.atomic():
        notice_id = ask()
        if notice_id and wait:
            hold_back(notice_id, until=now + wait)
        elif notice_id:
            # The row is there; if the bell is not heard, the sweeper finds it within a minute.
            transaction.on_commit(lambda: send_notices.delay([notice_id]), robust=True)

"""One batch of mails over one connection: what sending digests and sending notices share."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable, Iterable

from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend

from subscriptions.outgoing import Mail, OutgoingState, claim_apart, put_back

LOOK_AGAIN = dt.timedelta(minutes=5)
# A task ends within minutes, well before its lease: what a slow mail service leaves undone waits for the next bell.
LONGEST_BATCH = 180.0


def send_claimed(
    model: type[Mail],
    ids: Iterable[int],
    *,
    send_one: Callable[[Mail, BaseEmailBackend], OutgoingState | None],
) -> list[OutgoingState | None]:
    """Claim these rows and give each that was claimed to `send_one`, with an open connection to the mail service.

    Returns what became of each. Where there is no connection nothing is begun: the rows are put back and wait a little.
    """
    # Made before anything is claimed: it raises where the settings of the mail service are no good.
    connection = get_connection()
    states: list[OutgoingState | None] = []
    deadline = time.monotonic() + LONGEST_BATCH
    try:
        for rows in claim_apart(model, ids):
            for number, row in enumerate(rows):
                if time.monotonic() > deadline:
                    return states + _put_back(rows[number:], "The batch took too long.", after=dt.timedelta(0))
                try:
                    # Does nothing while it is open; a hand-off that broke it leaves it closed.
                    connection.open()
                except OSError as error:
                    reason = f"The mail service could not be reached: {error.__class__.__name__}."
                    return states + _put_back(rows[number:], reason, after=LOOK_AGAIN)
                states.append(send_one(row, connection))
    finally:
        with contextlib.suppress(OSError):
            connection.close()
    return states


def _put_back(rows: list[Mail], reason: str, *, after: dt.timedelta) -> list[OutgoingState | None]:
    for row in rows:
        put_back(row, reason, after=after)
    return [OutgoingState.QUEUED] * len(rows)

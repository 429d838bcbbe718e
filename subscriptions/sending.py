"""One batch of mails over one connection: what sending digests and sending notices share."""

import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable, Iterable

from billiard.exceptions import SoftTimeLimitExceeded
from django.core.mail import get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db import connection as database

from mailer.handoff import Outcome
from subscriptions.outgoing import Mail, Outgoing, OutgoingState, claim_apart, put_back, record

LOOK_AGAIN = dt.timedelta(minutes=5)
# A task ends within minutes, well before its lease: what a slow mail service leaves undone waits for the next bell.
LONGEST_BATCH = 180.0
# Seconds between the tries to write down how a hand-off ended.
RECORD_AGAIN_AFTER = (0.2, 1.0, 5.0)

logger = logging.getLogger(__name__)


def send_claimed(
    model: type[Mail],
    ids: Iterable[int],
    *,
    send_one: Callable[[Mail, BaseEmailBackend], OutgoingState | None],
) -> list[OutgoingState | None]:
    """Claim these rows and give each that was claimed to `send_one`, with an open connection to the mail service.

    Returns what became of each. Where there is no connection nothing is begun: the rows are put back and wait a little.
    What `send_one` raises stays with its row. A worker whose time is up gives the rows it has not come to back.
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
                    states.append(_send(row, connection, send_one=send_one))
                except OSError as error:
                    reason = f"The mail service could not be reached: {error.__class__.__name__}."
                    return states + _put_back(rows[number:], reason, after=LOOK_AGAIN)
                except SoftTimeLimitExceeded:
                    # The row in hand keeps its claim, or is being handed over: when its lease ends, the sweep counts
                    # this against it, so that a mail that takes for ever to make cannot keep workers busy for ever.
                    logger.warning("the worker's time was up at mail %s", row.public_id)
                    reason = "The worker's time was up."
                    return [*states, None, *_put_back(rows[number + 1 :], reason, after=dt.timedelta(0))]
    finally:
        with contextlib.suppress(OSError):
            connection.close()
    return states


def record_patiently(row: Outgoing, outcome: Outcome) -> OutgoingState | None:
    """Record how a hand-off ended, again where the database does not answer: the mail has left, or it has not, and
    what is not written down now nobody will ever know. Safe to repeat: a row that is settled is no longer ours."""
    for seconds in RECORD_AGAIN_AFTER:
        try:
            return record(row, outcome)
        except (DatabaseError, InterfaceError):
            logger.warning("mail %s: its outcome could not be recorded yet", row.public_id, exc_info=True)
            time.sleep(seconds)
            _renew_database_connection()
    return record(row, outcome)


def _send(
    row: Mail,
    connection: BaseEmailBackend,
    *,
    send_one: Callable[[Mail, BaseEmailBackend], OutgoingState | None],
) -> OutgoingState | None:
    """One row. Whatever goes wrong on our side, the row is put back unless it was begun, and the others go on."""
    try:
        return send_one(row, connection)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        logger.exception("mail %s was given up for now", row.public_id)
        _renew_database_connection()
        return _put_back([row], f"Something went wrong: {error.__class__.__name__}.", after=LOOK_AGAIN)[0]


def _renew_database_connection() -> None:
    """A connection that broke stays broken until it is closed. Within a transaction it cannot be exchanged."""
    if not database.in_atomic_block:
        close_old_connections()


def _put_back(rows: list[Mail], reason: str, *, after: dt.timedelta) -> list[OutgoingState | None]:
    states: list[OutgoingState | None] = []
    for row in rows:
        try:
            states.append(OutgoingState.QUEUED if put_back(row, reason, after=after) else None)
        except (DatabaseError, InterfaceError):
            # Its lease runs out; those behind it need not wait for that.
            logger.exception("mail %s could not be put back", row.public_id)
            states.append(None)
    return states

"""Claiming rows and sending their mails, over lines to the mail service that are opened as they are needed."""

import logging
import time
from collections.abc import Iterable, Iterator

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from mailer.kept_lines import borrow_lines, give_back_lines
from mailer.lines import Lines, mail_provider
from subscriptions import journal
from subscriptions.batch import HANDFUL, LOOK_AGAIN, Batch, Row, Work
from subscriptions.outgoing import OutgoingState
from subscriptions.pace import Pace
from subscriptions.patience import renew_database_connection
from subscriptions.stopping import is_stopping

# A task ends within minutes, well before its lease: what a slow mail service leaves undone waits for the next bell.
LONGEST_BATCH = 180.0

logger = logging.getLogger(__name__)


def send_claimed(work: Work[Row], ids: Iterable[int]) -> list[OutgoingState | None]:
    """Claim these rows and send the mails that `work` makes of them. Returns what became of each.

    Where there is no connection nothing is begun: the rows are put back and wait a little. A worker whose time is up
    gives the rows it has not come to back. Raises where the settings of the mail service are no good, before anything
    is claimed.
    """
    wanted = list(ids)
    mail_provider()
    states: list[OutgoingState | None] = []
    lines: Lines | None = None
    batch: Batch[Row] | None = None
    deadline = time.monotonic() + LONGEST_BATCH
    try:
        for rows in _handfuls(work, wanted):
            if not rows:
                continue
            if lines is None or not lines.free:
                if lines is not None:
                    lines.close()
                try:
                    lines = borrow_lines(min(settings.SEND_CONNECTIONS, len(rows)))
                except OSError as error:
                    reason = f"The mail service could not be reached: {error.__class__.__name__}."
                    put_back = journal.put_back_rows(work.model, rows, reason, after=LOOK_AGAIN)
                    return states + [OutgoingState.QUEUED if row.pk in put_back else None for row in rows]
            batch = Batch(work, lines, Pace(lines.provider), deadline, states)
            try:
                batch.send(rows)
            except SoftTimeLimitExceeded:
                logger.warning("the worker's time was up")
                batch.finish()
                return states
            except (DatabaseError, InterfaceError):
                # A question to the database outside the journal. The answers to what was handed over are not lost.
                logger.warning("the database did not answer", exc_info=True)
                renew_database_connection()
                batch.finish(why="The database did not answer.", is_making_at_fault=False)
                return states
            if time.monotonic() > deadline or is_stopping():
                return states
    finally:
        if lines is not None:
            give_back_lines(lines)
    return states


def _handfuls(work: Work[Row], ids: list[int]) -> Iterator[list[Row]]:
    """Claim the rows that no worker died over, a handful at a time, then each of the others by itself.

    So a poison row takes the rows around it down once, never twice: at the second death it was alone in hand.
    """
    alone = journal.suspects(work.model, ids)
    others = [pk for pk in ids if pk not in set(alone)] if alone else ids
    for start in range(0, len(others), HANDFUL):
        yield work.claim(others[start : start + HANDFUL])
    for pk in alone:
        yield work.claim([pk])

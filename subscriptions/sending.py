"""Claiming rows and sending their mails, over lines to the mail service that are opened as they are needed."""

import datetime as dt
import logging
import time
from collections.abc import Iterable, Iterator
from typing import Generic

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import DatabaseError, InterfaceError

from mailer.kept_lines import borrow_lines, give_back_lines
from mailer.lines import Lines, mail_provider
from subscriptions import journal
from subscriptions.batch import HANDFUL, LOOK_AGAIN, Batch, Row, Work
from subscriptions.journal import Claimed
from subscriptions.outgoing import OutgoingState
from subscriptions.pace import Pace
from subscriptions.patience import patiently, renew_database_connection
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
    deadline = time.monotonic() + LONGEST_BATCH
    try:
        for handful in _handfuls(work, wanted):
            hand = _Hand(work, handful)
            try:
                rows = hand.claim()
                if not rows:
                    continue
                if lines is None or not lines.free:
                    if lines is not None:
                        lines.close()
                    try:
                        lines = borrow_lines(min(settings.SEND_CONNECTIONS, len(rows)))
                    except OSError as error:
                        reason = f"The mail service could not be reached: {error.__class__.__name__}."
                        return states + hand.give_back(reason, after=LOOK_AGAIN)
                hand.batch = Batch(
                    work, lines, Pace(lines.provider, keeps_day_cap=work.keeps_day_cap), deadline, states
                )
                hand.batch.send(rows)
            except SoftTimeLimitExceeded:
                logger.warning("the worker's time was up")
                hand.finish()
                return states
            except (DatabaseError, InterfaceError):
                # A question to the database outside the journal. The answers to what was handed over are not lost.
                logger.warning("the database did not answer", exc_info=True)
                renew_database_connection()
                hand.finish(why="The database did not answer.", is_making_at_fault=False)
                return states
            if time.monotonic() > deadline or is_stopping():
                return states
    finally:
        if lines is not None:
            give_back_lines(lines)
    return states


class _Hand(Generic[Row]):
    """A handful of rows under one claim token: known before they are claimed, so that they can be given back by it
    wherever the work on them breaks off."""

    def __init__(self, work: Work[Row], ids: list[int]) -> None:
        self.batch: Batch[Row] | None = None
        self._work = work
        self._ids = ids
        self._token = journal.new_claim_token()

    def claim(self) -> list[Row]:
        return patiently(lambda again: self._work.claim(self._ids, token=self._token, again=again))

    def give_back(self, reason: str, *, after: dt.timedelta = dt.timedelta(0)) -> list[OutgoingState | None]:
        held = [Claimed(pk=pk, attempt=0, claim_token=self._token) for pk in self._ids]
        put_back = patiently(lambda again: journal.put_back_rows(self._work.model, held, reason, after=after))
        return [OutgoingState.QUEUED for _ in put_back]

    def finish(self, *, why: str = "The worker's time was up.", is_making_at_fault: bool = True) -> None:
        if self.batch is None:
            self.give_back(why)
        else:
            self.batch.finish(why=why, is_making_at_fault=is_making_at_fault)


def _handfuls(work: Work[Row], ids: list[int]) -> Iterator[list[int]]:
    """The rows to claim together: those that no worker died over, a handful at a time, then each of the others by
    itself.

    So a poison row takes the rows around it down once, never twice: at the second death it was alone in hand.
    """
    alone = patiently(lambda again: journal.suspects(work.model, ids))
    known = set(alone)
    others = [pk for pk in ids if pk not in known] if alone else ids
    for start in range(0, len(others), HANDFUL):
        yield others[start : start + HANDFUL]
    for pk in alone:
        yield [pk]

"""Celery beat of which one ticks, however many were started.

Each holds on to a lease in the database, renewed while it ticks; whoever has not got it waits. Where the holder is
killed, the next one takes over when its lease has run out, `LEASE_SECONDS` later at most. Two that believe to hold it
(a process that was stopped for longer than its lease, say) ring some bells twice, which does nothing: what is due
stands in the database. Without the database nobody ticks, for nobody could do the work either.
"""

import logging
import time
from typing import Any

from celery.beat import PersistentScheduler
from django.db import DatabaseError, InterfaceError, connection

from limits.buckets import extend, hold, release
from subscriptions.heartbeat import BEAT, beat

logger = logging.getLogger(__name__)

LEASE = "beat"
LEASE_SECONDS = 30.0
RENEW_AFTER = 10.0
# How soon one that waits asks again.
WAIT = 5.0


class OneBeat(PersistentScheduler):
    """The scheduler to give to `celery beat --scheduler`; it is the default of this project."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._token = ""
        self._renewed_at = 0.0
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Ring what is due, if it is ours to ring. Returns in how many seconds to look again."""
        if not self._is_ours():
            return WAIT
        return min(float(super().tick(*args, **kwargs)), RENEW_AFTER)

    def close(self) -> None:
        """Let another one go on at once."""
        super().close()
        if self._token:
            self._ask(lambda: release(LEASE, token=self._token))

    def _is_ours(self) -> bool:
        if self._token and time.monotonic() - self._renewed_at < RENEW_AFTER:
            return True
        started = time.monotonic()
        had = self._token
        kept = bool(had) and bool(self._ask(lambda: extend(LEASE, token=had, seconds=LEASE_SECONDS)))
        self._token = had if kept else str(self._ask(lambda: hold(LEASE, seconds=LEASE_SECONDS)) or "")
        if bool(self._token) != bool(had):
            logger.info("this beat ticks now" if self._token else "another beat ticks; this one waits")
        if self._token:
            self._renewed_at = started
            self._ask(lambda: beat(BEAT))
        return bool(self._token)

    def _ask(self, question: Any) -> Any:
        try:
            return question()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("beat waits for the database: %s", type(error).__name__)
            # A connection that broke stays broken until it is closed.
            connection.close()
            return None

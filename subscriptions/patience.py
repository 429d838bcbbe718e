"""Writing down what must be written down, although the database is away for a moment."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db import connection as database

# Seconds between the tries to write into the journal.
JOURNAL_AGAIN_AFTER = (0.2, 1.0, 5.0)

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")


def patiently(write: Callable[[bool], Answer]) -> Answer:
    """Write into the journal, again where the database does not answer: a mail has left, or it has not, and what is not
    written down now nobody will ever know. `write` is told whether it is tried again, and must be safe to repeat."""
    for number, seconds in enumerate(JOURNAL_AGAIN_AFTER):
        try:
            return write(number > 0)
        except (DatabaseError, InterfaceError):
            logger.warning("the journal of mails could not be written yet", exc_info=True)
            time.sleep(seconds)
            renew_database_connection()
    return write(True)


def renew_database_connection() -> None:
    """A connection that broke stays broken until it is closed. Within a transaction it cannot be exchanged."""
    if not database.in_atomic_block:
        close_old_connections()

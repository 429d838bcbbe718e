"""The books as they stand in the database, read (and, where time has to pass, moved) past the product."""

import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

OPEN = ("queued", "claimed", "handing_over")
ROWS = """
select d.id, d.state, d.reason, d.claim_token, s.email
from digests_delivery d join subscriptions_subscriber s on s.id = d.subscriber_id
"""
NOTICES = (
    "select s.email, n.state from subscriptions_notice n join subscriptions_subscriber s on s.id = n.subscriber_id"
)
JUMP = {
    True: "update digests_delivery set lease_until = lease_until - interval '1 hour', "
    "not_before = not_before - interval '1 hour' where state in ('queued', 'claimed', 'handing_over')",
    False: "update digests_delivery set lease_until = datetime(lease_until, '-1 hour'), "
    "not_before = datetime(not_before, '-1 hour') where state in ('queued', 'claimed', 'handing_over')",
}
GIVEN_UP = "In hand at the end of"


@dataclass(frozen=True, slots=True)
class Row:
    """One delivery."""

    id: int
    state: str
    reason: str
    claim_token: str
    recipient: str


class Journal:
    """`url` is a PostgreSQL's, or the path of an SQLite file."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._is_postgres = url.startswith("postgresql")
        self._connection: Any = None

    def readers(self) -> list[str]:
        """The addresses of all readers."""
        return [address for (address,) in self._ask("select email from subscriptions_subscriber")]

    def rows(self, *, only: str = "") -> list[Row]:
        """The deliveries, all or those of which `only` (SQL, our own) is true."""
        query = f"{ROWS} where {only}" if only else ROWS
        return [Row(*values) for values in self._ask(query)]

    def count_rows(self) -> Counter[str]:
        """How many deliveries are in each state."""
        return Counter(dict(self._ask("select state, count(*) from digests_delivery group by state")))

    def count_notices(self, states: Sequence[str]) -> int:
        """How many notices are in these states."""
        counts = dict(self._ask("select state, count(*) from subscriptions_notice group by state"))
        return sum(counts.get(state, 0) for state in states)

    def notices_in(self, state: str) -> list[str]:
        """The addresses of those whose notice is in this state."""
        return [address for address, found in self._ask(NOTICES) if found == state]

    def let_waiting_end(self) -> None:
        """What waits minutes for its next attempt waits no longer."""
        for table in ("digests_delivery", "subscriptions_notice"):
            self._ask(f"update {table} set not_before = null where state = 'queued' and not_before is not null")  # noqa: S608

    def jump_an_hour(self) -> None:
        """The database's clock jumps: told by moving the rows' times, since nobody else may see it jump."""
        self._ask(JUMP[self._is_postgres])

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _ask(self, query: str) -> Sequence[Any]:
        # The server is restarted under us, and SQLite's file may be busy: a question is asked until it is answered.
        for left in range(100, -1, -1):
            try:
                if self._connection is None:
                    self._connection = self._connect()
                cursor = self._connection.execute(query)
                return cursor.fetchall() if cursor.description else []
            except (psycopg.OperationalError, psycopg.InterfaceError, sqlite3.OperationalError):
                if not left:
                    raise
                self.close()
                time.sleep(0.2)
        raise AssertionError

    def _connect(self) -> Any:
        if self._is_postgres:
            return psycopg.connect(self.url, autocommit=True, connect_timeout=5)
        return sqlite3.connect(self.url, timeout=30, isolation_level=None)

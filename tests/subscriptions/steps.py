"""The steps of the journal for one mail, as a test wants to take them: each with the model's own row."""

import datetime as dt
import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Q

from mailer.handoff import Outcome
from subscriptions import journal
from subscriptions.journal import Claimed, Permission
from subscriptions.outgoing import LEASE, Outgoing, OutgoingState
from subscriptions.sql import Column

Mail = TypeVar("Mail", bound=Outgoing)

_TYPES = {"paper_ids": "jsonb", "edition_revision": "int"}


def claim(model: type[Mail], ids: Iterable[int], *, lease: dt.timedelta = LEASE) -> list[Mail]:
    wanted = list(ids)
    token = journal.new_claim_token()
    taken = journal.claim_rows(model, wanted, token=token, columns=["id", "claim_token"], lease=lease)
    assert {given for _, given in taken} <= {token}
    return list(model._default_manager.filter(pk__in=[pk for pk, _ in taken]).order_by("pk"))


def begin(row: Outgoing, *, allowed: Q, values: dict[str, Any] | None = None) -> bool:
    columns = [Column(name, _TYPES[name]) for name in values or {}]
    begun = journal.begin_rows(
        type(row),
        [_claimed(row)],
        permission=Permission(type(row), allowed),
        columns=columns,
        values=[list((values or {}).values())],
    )
    return begun == {row.pk}


def record(row: Outgoing, outcome: Outcome) -> OutgoingState | None:
    return journal.record_rows(type(row), [(_claimed(row), outcome)]).get(row.pk)


def skip(row: Outgoing, reason: str) -> bool:
    return bool(journal.settle_rows(type(row), [(_claimed(row), OutgoingState.SKIPPED, reason)]))


def fail(row: Outgoing, reason: str) -> bool:
    return bool(journal.settle_rows(type(row), [(_claimed(row), OutgoingState.FAILED, reason)]))


def put_back(row: Outgoing, reason: str, *, after: dt.timedelta) -> bool:
    return journal.put_back_rows(type(row), [_claimed(row)], reason, after=after) == {row.pk}


def in_turn(model: type[Mail], ids: Sequence[int]) -> Iterable[list[Mail]]:
    """Claim as the sender does: the rows that no worker died over together, then each of the others."""
    alone = journal.suspects(model, ids)
    yield claim(model, [pk for pk in ids if pk not in alone])
    for pk in alone:
        yield claim(model, [pk])


def wait_until_blocked() -> None:
    """Until the other connection waits for our lock: PostgreSQL can be asked; SQLite has one writer, who waits."""
    until = time.monotonic() + 10
    while connection.vendor == "postgresql" and time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            (waiting,) = cursor.fetchone()
        if waiting:
            return
        time.sleep(0.01)
    time.sleep(0.05)


def _claimed(row: Outgoing) -> Claimed:
    return Claimed(pk=row.pk, attempt=row.attempt, claim_token=row.claim_token)

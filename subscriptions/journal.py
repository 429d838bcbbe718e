"""The journal of mails on their way: claim, begin and record, for whole handfuls of mails in a statement each.

Each row still changes by a conditional UPDATE on its own claim token, judged by the database's clock; a statement
merely carries many of them, and a commit many statements. What a statement did not change, it does not name in its
answer. Both databases take `UPDATE … FROM … RETURNING` (SQLite from 3.35 on).
"""

import datetime as dt
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.db.models.expressions import RawSQL

from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater
from subscriptions import sql
from subscriptions.models import SendingHold
from subscriptions.outgoing import BACKOFF, GIVEN_UP, LEASE, MAX_ATTEMPTS, MAY_FOLLOW, Outgoing, OutgoingState

# The readers' turns among all advisory locks of the database: far above those that others number by hand.
_TURN = 7_072_658 << 32


@dataclass(slots=True, kw_only=True)
class Claimed:
    """A claimed row, as far as the journal must know it. `attempt` is how many hand-offs came before."""

    pk: int
    attempt: int
    claim_token: str


_ID = sql.Column("id", "bigint")
# As `new_public_id` makes them; what a mail service repeats to us may be anything.
_OPAQUE_ID = re.compile(r"[0-9a-f]{32}")
# Nothing is claimed, and nothing begun, while there is a row in it.
_HOLD = SendingHold._meta.db_table


def claim_rows(
    model: type[Outgoing],
    ids: Iterable[int],
    *,
    token: str,
    columns: Sequence[str],
    also: str = "",
    again: bool = False,
    lease: dt.timedelta = LEASE,
) -> list[tuple[Any, ...]]:
    """Take those of `ids` that are queued and due. Returns the asked columns of each row taken, in the order of the
    first of them.

    `token` is a new one, made by `new_claim_token`; `also` is SQL over `mail`, the row: what else must hold. With
    `again`, rows that an earlier call with this token took are named as well: for whoever could not hear its answer.

    A row that a worker died over is only taken alone: the sweep may have put it back just now, and at a second death it
    must not be that the rows around it are counted as poison with it.
    """
    now = sql.now()
    wanted = list(ids)
    condition, params = sql.is_one_of(wanted)
    # S608: names of tables and columns are ours, values travel as parameters.
    rows = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = 'claimed', claim_token = %s, lease_until = {sql.later("%s")}
            WHERE {condition} AND mail.state = 'queued'
            AND (mail.not_before IS NULL OR mail.not_before <= {now}) AND (mail.worker_deaths = 0 OR %s) {also}
            AND NOT EXISTS (SELECT 1 FROM {_HOLD})
            RETURNING {sql.back(*columns)}""",  # noqa: S608
        [token, lease.total_seconds(), *params, len(wanted) == 1],
    )
    if again:
        held = model._default_manager.filter(pk__in=wanted, claim_token=token, state=OutgoingState.CLAIMED)
        rows = [*{*rows, *held.values_list(*columns)}]
    return sorted(rows)


def new_claim_token() -> str:
    """What tells one worker's claim from all others."""
    return secrets.token_hex(16)


def suspects(model: type[Outgoing], ids: Iterable[int]) -> list[int]:
    """Those of these queued mails that a worker died over."""
    queued = model._default_manager.filter(pk__in=list(ids), state=OutgoingState.QUEUED, worker_deaths__gt=0)
    return list(queued.order_by("pk").values_list("pk", flat=True))


class Permission:
    """What must hold at the very moment of a hand-off, worked out once for many of them.

    `allowed` is a condition on the row and what it leads to; `also` is SQL over `mail`, the row, and `given`, the facts
    that are handed to `begin_rows` with it.
    """

    def __init__(self, model: type[Outgoing], allowed: Q, *, also: str = "") -> None:
        self.also = also
        # What is allowed joins other tables, and an UPDATE with joins is written `id IN (SELECT …)`: PostgreSQL then
        # judges the row as it was before a concurrent change. Inside EXISTS it leaves the row's own conditions to the
        # UPDATE itself.
        rows = model._default_manager.filter(allowed, pk=RawSQL("mail.id", ())).order_by().values("pk")
        self.sql, params = rows.query.sql_with_params() if allowed else ("SELECT 1", ())
        self.params = list(params)


def take_turns(ids: Iterable[int]) -> None:
    """Until the transaction ends, nobody else begins a mail to one of these readers.

    Two mails to one reader that are begun at one moment could not see each other. Taken in order, so that two workers
    never wait for each other, and in a statement of its own: the next one then sees what whoever was first has written.
    SQLite has one writer at a time, and nothing to lock.
    """
    if sql.is_postgres():
        keys = [_TURN + pk for pk in sorted(set(ids))]
        sql.execute("SELECT COUNT(PG_ADVISORY_XACT_LOCK(turn.key)) FROM UNNEST(%s::bigint[]) AS turn (key)", [keys])


def begin_rows(
    model: type[Outgoing],
    rows: Sequence[Claimed],
    *,
    permission: Permission,
    columns: Sequence[sql.Column] = (),
    facts: Sequence[sql.Column] = (),
    values: Sequence[Sequence[Any]] = (),
    again: bool = False,
    lease: dt.timedelta = LEASE,
) -> set[int]:
    """The last word before the hand-off, for many rows: the ids of those that this worker, now, may send. What it
    claimed in a database that was put back meanwhile may be claimed there as well, so the hold is asked for once more.

    `values` has a list for each row: what to write into `columns`, then the `facts` that the permission looks at.
    The lease begins anew, so that each hand-off has a whole one. With `again`, rows that an earlier call began are
    named as well: for whoever could not hear the answer to that call, and has handed over nothing since.
    """
    if not rows:
        return set()
    now = sql.now()
    ids = [row.pk for row in rows]
    given = [[pk, *more] for pk, more in zip(ids, values, strict=True)] if values else [[pk] for pk in ids]
    source, condition, params = sql.given(given, [_ID, *columns, *facts])
    writes = "".join([f", {column.name} = given.{column.name}" for column in columns])
    token = rows[0].claim_token
    begun = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = 'handing_over', begun_at = {now}, lease_until = {sql.later("%s")},
                attempt = mail.attempt + 1{writes}
            FROM {source} WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            AND mail.lease_until > {now} AND EXISTS ({permission.sql}) {permission.also}
            AND NOT EXISTS (SELECT 1 FROM {_HOLD})
            RETURNING {sql.back("id")}""",  # noqa: S608
        [lease.total_seconds(), *params, token, *permission.params],
    )
    found = {pk for (pk,) in begun}
    if again:
        held = model._default_manager.filter(pk__in=ids, claim_token=token, state=OutgoingState.HANDING_OVER)
        found |= set(held.values_list("pk", flat=True))
    return found


def record_rows(model: type[Outgoing], outcomes: Sequence[tuple[Claimed, Outcome]]) -> dict[int, OutgoingState]:
    """Write down how hand-offs ended. Returns the new states, by id, of those rows that were still ours to change."""
    if not outcomes:
        return {}
    now = sql.now()
    columns = [
        _ID,
        sql.Column("state", "text"),
        sql.Column("reason", "text"),
        sql.Column("wait", "float8"),
        sql.Column("provider", "text"),
        sql.Column("message_id", "text"),
    ]
    source, condition, params = sql.given([_result(row, outcome) for row, outcome in outcomes], columns)
    token = outcomes[0][0].claim_token
    recorded = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = given.state, reason = given.reason,
                settled_at = CASE WHEN given.state = 'queued' THEN NULL ELSE {now} END,
                not_before = CASE WHEN given.wait IS NULL THEN mail.not_before ELSE {sql.later("given.wait")} END,
                provider = CASE WHEN given.provider = '' THEN mail.provider ELSE given.provider END,
                provider_message_id =
                    CASE WHEN given.provider = '' THEN mail.provider_message_id ELSE given.message_id END,
                claim_token = CASE WHEN given.state = 'unknown' THEN mail.claim_token ELSE '' END,
                lease_until = NULL
            FROM {source} WHERE {condition} AND mail.claim_token = %s
            AND mail.state IN ('handing_over', 'unknown')
            RETURNING {sql.back("id", "state")}""",  # noqa: S608
        [*params, token],
    )
    return {pk: OutgoingState(state) for pk, state in recorded}


def settle_rows(
    model: type[Outgoing], decisions: Sequence[tuple[Claimed, OutgoingState, str]]
) -> dict[int, OutgoingState]:
    """Decide, while holding the claims, that these mails are not to be sent (skipped) or cannot be made (failed)."""
    if not decisions:
        return {}
    columns = [_ID, sql.Column("state", "text"), sql.Column("reason", "text")]
    values = [[row.pk, state.value, sql.text(reason)] for row, state, reason in decisions]
    source, condition, params = sql.given(values, columns)
    settled = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = given.state, reason = given.reason, claim_token = '', lease_until = NULL,
                settled_at = {sql.now()}
            FROM {source} WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            RETURNING {sql.back("id", "state")}""",  # noqa: S608
        [*params, decisions[0][0].claim_token],
    )
    return {pk: OutgoingState(state) for pk, state in settled}


def put_back_rows(model: type[Outgoing], rows: Sequence[Claimed], reason: str, *, after: dt.timedelta) -> set[int]:
    """Give claimed rows back, unsent, not to be tried again before `after` has passed."""
    if not rows:
        return set()
    condition, params = sql.is_one_of([row.pk for row in rows])
    put_back = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = 'queued', reason = %s, claim_token = '', lease_until = NULL, not_before = {sql.later("%s")}
            WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            RETURNING {sql.back("id")}""",  # noqa: S608
        [sql.text(reason), after.total_seconds(), *params, rows[0].claim_token],
    )
    return {pk for (pk,) in put_back}


def move_rows(model: type[Outgoing], words: Mapping[str, str], *, state: OutgoingState) -> set[str]:
    """Move mails to what a mail service says of them, never backwards: `words` has what it said of each, by its opaque
    id. Returns the ids of those that were moved, which is what `outgoing.move` does for one of them."""
    said = [[public_id, sql.text(detail)] for public_id, detail in words.items() if _OPAQUE_ID.fullmatch(public_id)]
    if not said:
        return set()
    source, condition, params = sql.given(said, [sql.Column("public_id", "text"), sql.Column("reason", "text")])
    moved = sql.execute(
        f"""UPDATE {sql.table(model)} AS mail
            SET state = %s, reason = given.reason, claim_token = '', lease_until = NULL, not_before = NULL,
                settled_at = {sql.now()}
            FROM {source} WHERE {condition} AND mail.state IN ({", ".join(["%s"] * len(MAY_FOLLOW[state]))})
            RETURNING {sql.back("public_id")}""",  # noqa: S608
        [state.value, *params, *[before.value for before in MAY_FOLLOW[state]]],
    )
    return {public_id for (public_id,) in moved}


def _result(row: Claimed, outcome: Outcome) -> list[Any]:
    """State, reason, seconds to wait, provider, and the id it gave. `attempt` is the row's before it was begun."""
    match outcome:
        case Accepted(provider=provider, message_id=message_id):
            return [row.pk, OutgoingState.ACCEPTED.value, "", None, provider, sql.text(message_id)[:255]]
        case TryLater(reason=reason) if row.attempt + 1 < MAX_ATTEMPTS:
            wait = max(60.0 * BACKOFF[min(row.attempt, len(BACKOFF) - 1)], outcome.wait_seconds or 0.0)
            return [row.pk, OutgoingState.QUEUED.value, sql.text(reason), wait, "", ""]
        case TryLater(reason=reason):
            given_up = f"{GIVEN_UP} {MAX_ATTEMPTS} attempts: {sql.text(reason)}"
            return [row.pk, OutgoingState.FAILED.value, given_up, None, "", ""]
        case Refused(reason=reason):
            return [row.pk, OutgoingState.FAILED.value, sql.text(reason), None, "", ""]
        case NoAnswer(reason=reason):
            # The token stays: an answer that is only late may still come from this worker.
            return [row.pk, OutgoingState.UNKNOWN.value, sql.text(reason), None, "", ""]

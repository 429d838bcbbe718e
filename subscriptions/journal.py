"""The journal of mails on their way: claim, begin and record, for whole handfuls of mails in a statement each.

Each row still changes by a conditional UPDATE on its own claim token, judged by the database's clock; a statement
merely carries many of them, and a commit many statements. What a statement did not change, it does not name in its
answer. Both databases take `UPDATE … FROM … RETURNING` (SQLite from 3.35 on).
"""

import datetime as dt
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL

from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater
from subscriptions.models import SendingHold
from subscriptions.outgoing import BACKOFF, GIVEN_UP, LEASE, MAX_ATTEMPTS, MAY_FOLLOW, Outgoing, OutgoingState

# Anything but None: Django's own cursors never keep plans, whatever it is, and ours always do.
_PREPARE_AFTER = 5
# The readers' turns among all advisory locks of the database: far above those that others number by hand.
_TURN = 7_072_658 << 32


@dataclass(slots=True, kw_only=True)
class Claimed:
    """A claimed row, as far as the journal must know it. `attempt` is how many hand-offs came before."""

    pk: int
    attempt: int
    claim_token: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column that `begin_rows` writes, with its type in PostgreSQL."""

    name: str
    type: str


_ID = Column("id", "bigint")
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
    now = _now()
    wanted = list(ids)
    condition, params = _one_of(wanted)
    # S608: names of tables and columns are ours, values travel as parameters.
    rows = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = 'claimed', claim_token = %s, lease_until = {_later("%s")}
            WHERE {condition} AND mail.state = 'queued'
            AND (mail.not_before IS NULL OR mail.not_before <= {now}) AND (mail.worker_deaths = 0 OR %s) {also}
            AND NOT EXISTS (SELECT 1 FROM {_HOLD})
            RETURNING {_back(*columns)}""",  # noqa: S608
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
    if _is_postgres():
        keys = [_TURN + pk for pk in sorted(set(ids))]
        _execute("SELECT COUNT(PG_ADVISORY_XACT_LOCK(turn.key)) FROM UNNEST(%s::bigint[]) AS turn (key)", [keys])


def begin_rows(
    model: type[Outgoing],
    rows: Sequence[Claimed],
    *,
    permission: Permission,
    columns: Sequence[Column] = (),
    facts: Sequence[Column] = (),
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
    now = _now()
    ids = [row.pk for row in rows]
    given = [[pk, *more] for pk, more in zip(ids, values, strict=True)] if values else [[pk] for pk in ids]
    source, condition, params = _given(given, [_ID, *columns, *facts])
    writes = "".join([f", {column.name} = given.{column.name}" for column in columns])
    token = rows[0].claim_token
    begun = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = 'handing_over', begun_at = {now}, lease_until = {_later("%s")},
                attempt = mail.attempt + 1{writes}
            FROM {source} WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            AND mail.lease_until > {now} AND EXISTS ({permission.sql}) {permission.also}
            AND NOT EXISTS (SELECT 1 FROM {_HOLD})
            RETURNING {_back("id")}""",  # noqa: S608
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
    now = _now()
    columns = [
        _ID,
        Column("state", "text"),
        Column("reason", "text"),
        Column("wait", "float8"),
        Column("provider", "text"),
        Column("message_id", "text"),
    ]
    source, condition, params = _given([_result(row, outcome) for row, outcome in outcomes], columns)
    token = outcomes[0][0].claim_token
    recorded = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = given.state, reason = given.reason,
                settled_at = CASE WHEN given.state = 'queued' THEN NULL ELSE {now} END,
                not_before = CASE WHEN given.wait IS NULL THEN mail.not_before ELSE {_later("given.wait")} END,
                provider = CASE WHEN given.provider = '' THEN mail.provider ELSE given.provider END,
                provider_message_id =
                    CASE WHEN given.provider = '' THEN mail.provider_message_id ELSE given.message_id END,
                claim_token = CASE WHEN given.state = 'unknown' THEN mail.claim_token ELSE '' END,
                lease_until = NULL
            FROM {source} WHERE {condition} AND mail.claim_token = %s
            AND mail.state IN ('handing_over', 'unknown')
            RETURNING {_back("id", "state")}""",  # noqa: S608
        [*params, token],
    )
    return {pk: OutgoingState(state) for pk, state in recorded}


def settle_rows(
    model: type[Outgoing], decisions: Sequence[tuple[Claimed, OutgoingState, str]]
) -> dict[int, OutgoingState]:
    """Decide, while holding the claims, that these mails are not to be sent (skipped) or cannot be made (failed)."""
    if not decisions:
        return {}
    columns = [_ID, Column("state", "text"), Column("reason", "text")]
    values = [[row.pk, state.value, _text(reason)] for row, state, reason in decisions]
    source, condition, params = _given(values, columns)
    settled = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = given.state, reason = given.reason, claim_token = '', lease_until = NULL, settled_at = {_now()}
            FROM {source} WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            RETURNING {_back("id", "state")}""",  # noqa: S608
        [*params, decisions[0][0].claim_token],
    )
    return {pk: OutgoingState(state) for pk, state in settled}


def put_back_rows(model: type[Outgoing], rows: Sequence[Claimed], reason: str, *, after: dt.timedelta) -> set[int]:
    """Give claimed rows back, unsent, not to be tried again before `after` has passed."""
    if not rows:
        return set()
    condition, params = _one_of([row.pk for row in rows])
    put_back = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = 'queued', reason = %s, claim_token = '', lease_until = NULL, not_before = {_later("%s")}
            WHERE {condition} AND mail.claim_token = %s AND mail.state = 'claimed'
            RETURNING {_back("id")}""",  # noqa: S608
        [_text(reason), after.total_seconds(), *params, rows[0].claim_token],
    )
    return {pk for (pk,) in put_back}


def move_rows(model: type[Outgoing], words: Mapping[str, str], *, state: OutgoingState) -> set[str]:
    """Move mails to what a mail service says of them, never backwards: `words` has what it said of each, by its opaque
    id. Returns the ids of those that were moved, which is what `outgoing.move` does for one of them."""
    said = [[public_id, _text(detail)] for public_id, detail in words.items() if _OPAQUE_ID.fullmatch(public_id)]
    if not said:
        return set()
    source, condition, params = _given(said, [Column("public_id", "text"), Column("reason", "text")])
    moved = _execute(
        f"""UPDATE {_table(model)} AS mail
            SET state = %s, reason = given.reason, claim_token = '', lease_until = NULL, not_before = NULL,
                settled_at = {_now()}
            FROM {source} WHERE {condition} AND mail.state IN ({", ".join(["%s"] * len(MAY_FOLLOW[state]))})
            RETURNING {_back("public_id")}""",  # noqa: S608
        [state.value, *params, *[before.value for before in MAY_FOLLOW[state]]],
    )
    return {public_id for (public_id,) in moved}


def _result(row: Claimed, outcome: Outcome) -> list[Any]:
    """State, reason, seconds to wait, provider, and the id it gave. `attempt` is the row's before it was begun."""
    match outcome:
        case Accepted(provider=provider, message_id=message_id):
            return [row.pk, OutgoingState.ACCEPTED.value, "", None, provider, _text(message_id)[:255]]
        case TryLater(reason=reason) if row.attempt + 1 < MAX_ATTEMPTS:
            wait = max(60.0 * BACKOFF[min(row.attempt, len(BACKOFF) - 1)], outcome.wait_seconds or 0.0)
            return [row.pk, OutgoingState.QUEUED.value, _text(reason), wait, "", ""]
        case TryLater(reason=reason):
            given_up = f"{GIVEN_UP} {MAX_ATTEMPTS} attempts: {_text(reason)}"
            return [row.pk, OutgoingState.FAILED.value, given_up, None, "", ""]
        case Refused(reason=reason):
            return [row.pk, OutgoingState.FAILED.value, _text(reason), None, "", ""]
        case NoAnswer(reason=reason):
            # The token stays: an answer that is only late may still come from this worker.
            return [row.pk, OutgoingState.UNKNOWN.value, _text(reason), None, "", ""]


def one_of(values: Iterable[int] | Iterable[str]) -> RawSQL:
    """For `…__in`: these values as one parameter, however many they are, instead of one each."""
    found = list(values)
    if not _is_postgres():
        return RawSQL("SELECT value FROM JSON_EACH(%s)", [json.dumps(found)])
    if found and isinstance(found[0], str):
        return RawSQL("SELECT JSON_ARRAY_ELEMENTS_TEXT(%s::json)", [json.dumps(found)])
    return RawSQL("SELECT UNNEST(%s::text::bigint[])", [array_of(found)])


# --- the two databases ------------------------------------------------------------------------------------------------


def _execute(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """Run a statement and return what it answers.

    On PostgreSQL past Django's own cursor, so that the server keeps the plans: planning one of these takes longer than
    its work. Not where DATABASE_URL says `prepare_threshold=…`: behind a pooler that hands out connections by the
    transaction, say.
    """
    found: list[tuple[Any, ...]]
    if not _is_postgres() or "prepare_threshold" in connection.settings_dict["OPTIONS"]:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            found = cursor.fetchall()
            return found
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as raw:
        if connection.connection.prepare_threshold is None:
            connection.connection.prepare_threshold = _PREPARE_AFTER
        raw.execute(sql.encode(), params, prepare=True)
        found = raw.fetchall()
        return found


def _table(model: type[Outgoing]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _is_postgres() -> bool:
    return connection.vendor == "postgresql"


def _back(*columns: str) -> str:
    """These columns of the changed row, for RETURNING: SQLite knows no other rows there, and no name for this one."""
    return ", ".join(f"mail.{name}" if _is_postgres() else name for name in columns)


def _now() -> str:
    """The database's clock, as Django's `Now()` asks it."""
    return "STATEMENT_TIMESTAMP()" if _is_postgres() else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"


def _later(seconds: str) -> str:
    """So many seconds from now: `seconds` is a column or a parameter."""
    if _is_postgres():
        return f"STATEMENT_TIMESTAMP() + {seconds}::float8 * INTERVAL '1 second'"
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', {seconds} || ' seconds')"


def _text(words: str) -> str:
    """What others said, as a database can keep it: PostgreSQL's text holds no NUL."""
    return words.replace("\x00", "")


def _one_of(ids: Sequence[int]) -> tuple[str, list[Any]]:
    """The condition «the mail is one of these», and its parameter: one text, however many they are."""
    if _is_postgres():
        return "mail.id = ANY (%s::text::bigint[])", [array_of(ids)]
    return "mail.id IN (SELECT value FROM JSON_EACH(%s))", [json.dumps(ids)]


def array_of(values: Iterable[object]) -> str:
    """Numbers or instants as an array in PostgreSQL's own words: psycopg looks at each of them, which takes longer than
    all else it does."""
    return f"{{{','.join(map(str, values))}}}"


def _given(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> tuple[str, str, list[Any]]:
    """These rows as a table `given` with these columns, the first of them a mail's key: for FROM, the condition that
    finds their mails, and the parameters of both. The rows travel as one JSON text, so the statement's text stays the
    same whatever their number: PostgreSQL can keep its plan."""
    key = columns[0]
    if _is_postgres():
        named = json.dumps([dict(zip([column.name for column in columns], row, strict=True)) for row in rows])
        types = ", ".join([f"{column.name} {column.type}" for column in columns])
        source = f"JSON_TO_RECORDSET(%s::json) AS given ({types})"
        # The array makes it look up the few rows by their key, whatever it thinks of the size of the table.
        found = f"mail.{key.name} = ANY (%s::text::{key.type}[]) AND mail.{key.name} = given.{key.name}"
        return source, found, [named, array_of([row[0] for row in rows])]
    extracts = ", ".join(
        [f"JSON_EXTRACT(value, '$[{index}]') AS {column.name}" for index, column in enumerate(columns)]
    )
    return f"(SELECT {extracts} FROM JSON_EACH(%s)) AS given", f"mail.{key.name} = given.{key.name}", [json.dumps(rows)]  # noqa: S608

"""Statements for many rows at once, in the words of both databases.

What is about rows of mails calls them `mail`, and a table of values that travels along `given`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection
from django.db.models import Model
from django.db.models.expressions import RawSQL

# Anything but None: Django's own cursors never keep plans, whatever it is, and ours always do.
_PREPARE_AFTER = 5


@dataclass(frozen=True, slots=True)
class Column:
    """A column that `begin_rows` writes, with its type in PostgreSQL."""

    name: str
    type: str


def one_of(values: Iterable[int] | Iterable[str]) -> RawSQL:
    """For `…__in`: these values as one parameter, however many they are, instead of one each."""
    found = list(values)
    if not is_postgres():
        return RawSQL("SELECT value FROM JSON_EACH(%s)", [json.dumps(found)])
    if found and isinstance(found[0], str):
        return RawSQL("SELECT JSON_ARRAY_ELEMENTS_TEXT(%s::json)", [json.dumps(found)])
    return RawSQL("SELECT UNNEST(%s::text::bigint[])", [array_of(found)])


def execute(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """Run a statement and return what it answers.

    On PostgreSQL past Django's own cursor, so that the server keeps the plans: planning one of these takes longer than
    its work. Not where DATABASE_URL says `prepare_threshold=…`: behind a pooler that hands out connections by the
    transaction, say.
    """
    found: list[tuple[Any, ...]]
    if not is_postgres() or "prepare_threshold" in connection.settings_dict["OPTIONS"]:
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


def table(model: type[Model]) -> str:
    """Its name, quoted."""
    return connection.ops.quote_name(model._meta.db_table)


def is_postgres() -> bool:
    """The other one is SQLite."""
    return connection.vendor == "postgresql"


def back(*columns: str) -> str:
    """These columns of the changed row, for RETURNING: SQLite knows no other rows there, and no name for this one."""
    return ", ".join(f"mail.{name}" if is_postgres() else name for name in columns)


def now() -> str:
    """The database's clock, as Django's `Now()` asks it."""
    return "STATEMENT_TIMESTAMP()" if is_postgres() else "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"


def later(seconds: str) -> str:
    """So many seconds from now: `seconds` is a column or a parameter."""
    if is_postgres():
        return f"STATEMENT_TIMESTAMP() + {seconds}::float8 * INTERVAL '1 second'"
    return f"STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', {seconds} || ' seconds')"


def text(words: str) -> str:
    """What others said, as a database can keep it: PostgreSQL's text holds no NUL."""
    return words.replace("\x00", "")


def is_one_of(ids: Sequence[int]) -> tuple[str, list[Any]]:
    """The condition «the mail is one of these», and its parameter: one text, however many they are."""
    if is_postgres():
        return "mail.id = ANY (%s::text::bigint[])", [array_of(ids)]
    return "mail.id IN (SELECT value FROM JSON_EACH(%s))", [json.dumps(ids)]


def array_of(values: Iterable[object]) -> str:
    """Numbers or instants as an array in PostgreSQL's own words: psycopg looks at each of them, which takes longer than
    all else it does."""
    return f"{{{','.join(map(str, values))}}}"


def given(rows: Sequence[Sequence[Any]], columns: Sequence[Column]) -> tuple[str, str, list[Any]]:
    """These rows as a table `given` with these columns, the first of them a mail's key: for FROM, the condition that
    finds their mails, and the parameters of both. The rows travel as one JSON text, so the statement's text stays the
    same whatever their number: PostgreSQL can keep its plan."""
    key = columns[0]
    if is_postgres():
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

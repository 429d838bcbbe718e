"""Reads the lists that other services hand out: Mailchimp, listmonk, Buttondown, our own export, and plain ones. Pure.

Which it is shows in the names of its columns, and each is read in its own words: who had left there, bounced there, or
never confirmed there has not agreed to anything here.
"""

import csv
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TextIO

# One row of any of them is far shorter.
_LONGEST_FIELD = 131072
_FORMULA = re.compile(r"'[=+\-@\t\r\n]")
_EMAIL_NAMES = ("email_address", "email", "e_mail", "e_mail_address", "mail", "address", "subscriber")


class Standing(StrEnum):
    """How somebody stood there."""

    SUBSCRIBED = "subscribed"
    LEFT = "left"
    BOUNCED = "bounced"
    UNCONFIRMED = "unconfirmed"


@dataclass(frozen=True, slots=True)
class Row:
    """One person as the list has them; `since` is when they agreed there, where it says so."""

    line: int
    email: str
    standing: Standing = Standing.SUBSCRIBED
    word: str = ""
    since: dt.datetime | None = None
    zone: str = ""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read at all."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Format:
    """What a service calls things. `standings` are its words; every other one stands for `otherwise`."""

    name: str
    needs: frozenset[str]
    standing_columns: tuple[str, ...] = ()
    standings: dict[str, Standing] = field(default_factory=dict)
    otherwise: Standing = Standing.LEFT
    # Whoever has something in such a column has left, or bounced.
    left_columns: tuple[str, ...] = ()
    bounced_columns: tuple[str, ...] = ()
    since_columns: tuple[str, ...] = ()
    zone_columns: tuple[str, ...] = ()


_IN, _NOT_YET = Standing.SUBSCRIBED, Standing.UNCONFIRMED
FORMATS = (
    # https://mailchimp.com/help/about-exported-audience-files/
    Format(
        name="Mailchimp",
        needs=frozenset({"leid", "euid"}),
        standing_columns=("status",),
        standings={"": _IN, "subscribed": _IN, "cleaned": Standing.BOUNCED, "pending": _NOT_YET},
        left_columns=("unsub_time",),
        bounced_columns=("clean_time",),
        since_columns=("confirm_time", "optin_time"),
        zone_columns=("timezone",),
    ),
    # https://listmonk.app/docs/concepts/
    Format(
        name="listmonk",
        needs=frozenset({"uuid", "attributes", "status"}),
        standing_columns=("status",),
        standings={"enabled": _IN},
        since_columns=("created_at",),
    ),
    # https://docs.buttondown.com/api-subscribers-type
    Format(
        name="Buttondown",
        needs=frozenset({"creation_date"}),
        standing_columns=("type", "subscriber_type"),
        standings={
            **dict.fromkeys(("", "regular", "premium", "gifted", "trialed", "churning", "past_due"), _IN),
            "unactivated": _NOT_YET,
            "unpaid": _NOT_YET,
            "undeliverable": Standing.BOUNCED,
        },
        left_columns=("unsubscription_date", "unsubscribed_date"),
        bounced_columns=("undeliverability_date",),
        since_columns=("creation_date",),
    ),
    # What `manage.py export_subscribers` writes.
    Format(
        name="Daily Papers",
        needs=frozenset({"email", "state", "cadence", "max_papers"}),
        standing_columns=("state",),
        standings={"active": _IN, "paused": _IN, "pending": _NOT_YET},
        since_columns=("confirmed_at",),
        zone_columns=("zone",),
    ),
)
PLAIN = Format(
    name="plain",
    needs=frozenset(),
    since_columns=("confirmed_at", "subscribed_at", "created_at"),
    zone_columns=("zone", "timezone"),
)


class UnreadableListError(ValueError):
    """This is no list of addresses; the message says why, for whoever chose the file."""


def read_list(text: TextIO) -> tuple[Format, Iterator[Row | BadRow]]:
    """What the list is, and its rows, read as they are asked for. Raises UnreadableListError."""
    head = text.readline()
    if "\x00" in head:
        raise UnreadableListError("This file is not plain text in UTF-8. Save it as CSV, UTF-8.")
    delimiter = max(",;\t", key=head.count)
    names = [
        re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")
        for name in next(csv.reader([head], delimiter=delimiter), [])
    ]
    if "@" in head and not set(names) & set(_EMAIL_NAMES):
        # No names at all, but an address: a bare list.
        column = next(
            number for number, value in enumerate(next(csv.reader([head], delimiter=delimiter))) if "@" in value
        )
        first = next(csv.reader([head], delimiter=delimiter))[column]
        return PLAIN, _bare_rows(text, delimiter, column, first)
    email = next((names.index(name) for name in _EMAIL_NAMES if name in names), None)
    if email is None:
        raise UnreadableListError("No column of this file is called email, or Email Address.")
    found = next((known for known in FORMATS if known.needs <= set(names)), PLAIN)
    return found, _rows(text, delimiter, found, names, email)


def _bare_rows(text: TextIO, delimiter: str, column: int, first: str) -> Iterator[Row | BadRow]:
    yield Row(1, _unquoted(first))
    for line, cells in _cells(text, delimiter, start=1):
        if isinstance(cells, BadRow):
            yield cells
        else:
            yield Row(line, _unquoted(cells[column]) if column < len(cells) else "")


def _rows(text: TextIO, delimiter: str, known: Format, names: Sequence[str], email: int) -> Iterator[Row | BadRow]:
    def columns(wanted: Sequence[str]) -> list[int]:
        return [names.index(name) for name in wanted if name in names]

    standing, left = columns(known.standing_columns), columns(known.left_columns)
    bounced, since, zone = columns(known.bounced_columns), columns(known.since_columns), columns(known.zone_columns)
    for line, cells in _cells(text, delimiter, start=1):
        if isinstance(cells, BadRow):
            yield cells
            continue
        padded = [*cells, *[""] * (len(names) - len(cells))]
        word = next((padded[column].strip().lower() for column in standing), "")
        stands = known.standings.get(word, known.otherwise) if standing else Standing.SUBSCRIBED
        if any(padded[column].strip() for column in left):
            stands, word = Standing.LEFT, ""
        if any(padded[column].strip() for column in bounced):
            stands, word = Standing.BOUNCED, ""
        yield Row(
            line,
            _unquoted(padded[email]),
            stands,
            word[:40],
            next((found for column in since if (found := _instant(padded[column]))), None),
            next((padded[column].strip() for column in zone), ""),
        )


def _cells(text: TextIO, delimiter: str, *, start: int) -> Iterator[tuple[int, list[str] | BadRow]]:
    """Rows that are not empty, with the line each ends on."""
    reader = csv.reader(text, delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield start + reader.line_num, BadRow(start + reader.line_num, f"The row cannot be read: {error}.")
            continue
        if any(cell.strip() for cell in cells):
            yield start + reader.line_num, cells


def _unquoted(value: str) -> str:
    # Exports of ours put a quote before what a spreadsheet would take for a formula.
    plain = value.strip()
    return plain[1:] if _FORMULA.match(plain) else plain


def _instant(value: str) -> dt.datetime | None:
    """Of the forms «2026-11-23 12:00:00» and ISO 8601; without a zone it is UTC. None for anything else."""
    plain = re.sub(r" ([+-]\d\d):?(\d\d)( [A-Z]+)?$", r"\1:\2", value.strip().replace(" UTC", ""))
    try:
        found = dt.datetime.fromisoformat(plain)
    except ValueError:
        return None
    return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found.astimezone(dt.UTC)

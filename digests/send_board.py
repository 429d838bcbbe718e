"""How an edition's mail is going, as of now: the books, how fast it leaves, when it will be done, and what went wrong.

Accepted is not delivered: a mail counts as delivered only where the mail service said so.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Max, Min, QuerySet, TextField, Value
from django.db.models.functions import Cast, StrIndex, Substr

from digests.books import Books, read_books
from digests.models import Delivery, Edition, EditionState
from subscriptions.outgoing import OutgoingState

# Over so long the rate is taken.
WINDOW = dt.timedelta(minutes=10)
MOST_DOMAINS = 12
MOST_CAUSES = 8
WAITING = (OutgoingState.QUEUED, OutgoingState.CLAIMED, OutgoingState.HANDING_OVER)
# The columns of the tables: what is close enough to be one thing for whoever looks.
COLUMNS: dict[str, tuple[OutgoingState, ...]] = {
    "waiting": WAITING,
    "accepted": (OutgoingState.ACCEPTED,),
    "delivered": (OutgoingState.DELIVERED,),
    "deferred": (OutgoingState.DEFERRED,),
    "bounced": (OutgoingState.BOUNCED,),
    "complained": (OutgoingState.COMPLAINED,),
    "failed": (OutgoingState.FAILED,),
    "unknown": (OutgoingState.UNKNOWN,),
}
_COLUMN_OF = {state.value: name for name, states in COLUMNS.items() for state in states}


@dataclass(frozen=True, slots=True)
class Line:
    """A mail service or a domain, and how many mails are where."""

    name: str
    counts: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def cells(self) -> list[int]:
        """The counts in the order of COLUMNS."""
        return [self.counts.get(name, 0) for name in COLUMNS]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why mails failed, were put back or are unknown: how many, since when, and one of them to look at."""

    reason: str
    state: OutgoingState
    count: int
    example: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The state of a send."""

    books: Books
    waiting: int
    # Mails a minute over the last ten, and the instant at which none will be left at that rate.
    per_minute: float
    ends_at: dt.datetime | None
    began_at: dt.datetime | None
    last_at: dt.datetime | None
    providers: tuple[Line, ...]
    domains: tuple[Line, ...]
    causes: tuple[Cause, ...]


def read_board(edition: Edition, *, now: dt.datetime) -> Board:
    """The board of an edition. A constant number of queries over its own rows; writes nothing."""
    rows = Delivery.objects.filter(edition=edition)
    books = read_books(edition)
    waiting = sum(books[state] for state in WAITING)
    recent = rows.filter(begun_at__gt=now - WINDOW).exclude(state=OutgoingState.QUEUED).count()
    instants = rows.aggregate(first=Min("begun_at"), last=Max("begun_at"))
    per_minute = _rate(recent, instants["first"], now=now)
    is_going = edition.state == EditionState.PUBLISHED and per_minute > 0 and waiting > 0
    return Board(
        books=books,
        waiting=waiting,
        per_minute=per_minute,
        ends_at=now + dt.timedelta(minutes=waiting / per_minute) if is_going else None,
        began_at=instants["first"],
        last_at=instants["last"],
        providers=_lines(rows.exclude(provider="").values_list("provider", "state")),
        domains=_lines(_by_domain(rows))[:MOST_DOMAINS],
        causes=tuple(_causes(rows)),
    )


def of_cause(edition: Edition, *, reason: str, state: str) -> QuerySet[Delivery]:
    """The deliveries of one cause, to be settled together."""
    return Delivery.objects.filter(edition=edition, reason=reason, state=state)


def _rate(recent: int, first: dt.datetime | None, *, now: dt.datetime) -> float:
    if first is None or not recent:
        return 0.0
    minutes = min(WINDOW, max(now - first, dt.timedelta(seconds=30))).total_seconds() / 60
    return recent / minutes


def _by_domain(rows: QuerySet[Delivery]) -> QuerySet[Any, Any]:
    email = F("subscriber__email")
    domain = Substr(email, StrIndex(email, Value("@")) + 1)
    return (
        rows.filter(subscriber__isnull=False).annotate(domain=Cast(domain, TextField())).values_list("domain", "state")
    )


def _lines(grouped: QuerySet[Any, Any]) -> tuple[Line, ...]:
    found: dict[str, dict[str, int]] = {}
    for name, state, count in grouped.annotate(count=Count("id")).order_by():
        column = _COLUMN_OF.get(state)
        if column:
            counts = found.setdefault(str(name), {})
            counts[column] = counts.get(column, 0) + count
    lines = (Line(name, counts) for name, counts in found.items())
    return tuple(sorted(lines, key=lambda line: (-line.total, line.name)))


def _causes(rows: QuerySet[Delivery]) -> Iterable[Cause]:
    told = rows.exclude(reason="").filter(
        state__in=[OutgoingState.FAILED, OutgoingState.UNKNOWN, OutgoingState.QUEUED, OutgoingState.BOUNCED]
    )
    grouped = told.values("reason", "state").annotate(count=Count("id"), example=Min("id"))
    for row in grouped.order_by("-count", "reason")[:MOST_CAUSES]:
        yield Cause(row["reason"], OutgoingState(row["state"]), row["count"], row["example"])

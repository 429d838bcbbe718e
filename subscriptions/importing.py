"""Bringing readers along from another service, on the owner's word that they agreed.

A list of any length is read a thousand rows at a time, each lot in a transaction of its own, so that memory stays the
same and a run that was cut off is made good by another: whoever is here already is left alone. Nobody comes back this
way who left, bounced, complained or was erased.
"""

import datetime as dt
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import transaction

from papers.models import Topic
from subscriptions.addresses import InvalidAddressError, hash_address, normalise_address
from subscriptions.guard import screen
from subscriptions.import_formats import BadRow, Row, Standing
from subscriptions.models import (
    ConsentEvent,
    ConsentKind,
    Subscriber,
    SubscriberImport,
    SubscriberState,
    Subscription,
)
from subscriptions.schedule import Cadence, Schedule, is_zone, next_due

LOT = 1000


class Fate(StrEnum):
    """What became of a row."""

    NEW = "new"
    KNOWN = "known"
    TWICE = "twice"
    LEFT = "left"
    REFUSED = "refused"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that did not become a reader, and why."""

    line: int
    email: str
    fate: Fate
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the imported get, as they agreed to there: the owner says it for all of them."""

    topics: tuple[str, ...] = ()
    cadence: Cadence = Cadence.DAILY
    weekday: int = 0
    hour: int = 8

    def as_json(self) -> dict[str, Any]:
        """As it is kept with an import; `Wishes.of` reads it back."""
        return {**asdict(self), "topics": list(self.topics)}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Wishes":
        """What `as_json` made."""
        return cls(**{**kept, "topics": tuple(kept["topics"]), "cadence": Cadence(kept["cadence"])})


@dataclass(frozen=True, slots=True)
class _Person:
    line: int
    email: str
    address_hash: str
    since: dt.datetime | None
    zone: str


def import_rows(
    rows: Iterable[Row | BadRow],
    *,
    record: SubscriberImport,
    wishes: Wishes,
    now: dt.datetime,
    dry_run: bool = False,
    on_problem: Callable[[Problem], None],
    on_lot: Callable[[int], None] = lambda done: None,
) -> Counter[Fate]:
    """Make readers of these rows. Returns how many met which fate; each row that made none is told to `on_problem`.

    `record` says what the owner stated, and every reader's consent event points to it. With `dry_run` nothing is
    written, and the counts are those that a run would have.
    """
    topic_ids = list(Topic.objects.active().filter(slug__in=wishes.topics).values_list("id", flat=True))
    counts: Counter[Fate] = Counter()
    met, done = _Met(), 0
    stream = iter(rows)
    while lot := list(islice(stream, LOT)):
        problems: list[Problem] = []
        people = _new_people(lot, met, problems)
        if not dry_run:
            people = _write(people, record=record, wishes=wishes, topic_ids=topic_ids, now=now)
        counts[Fate.NEW] += len(people)
        for problem in problems:
            counts[problem.fate] += 1
            on_problem(problem)
        done += len(lot)
        on_lot(done)
    return counts


def unknown_topics(slugs: Sequence[str]) -> list[str]:
    """Those of these slugs that are no topics to choose."""
    known = set(Topic.objects.active().filter(slug__in=slugs).values_list("slug", flat=True))
    return [slug for slug in slugs if slug not in known]


class _Met:
    """The addresses of the list so far, in a file of SQLite's own, so that a long list takes no more memory."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("")
        self._file.execute("CREATE TABLE met (address TEXT PRIMARY KEY) WITHOUT ROWID")

    def is_new(self, address: str) -> bool:
        return self._file.execute("INSERT OR IGNORE INTO met VALUES (?)", (address,)).rowcount == 1


def _new_people(lot: Sequence[Row | BadRow], met: _Met, problems: list[Problem]) -> list[_Person]:
    """Those of a lot who may become readers; why the others may not is appended to `problems`."""
    people = list(_readable(lot, met, problems))
    here = dict(Subscriber.objects.filter(email__in=[person.email for person in people]).values_list("email", "state"))
    refused = screen({person.email: person.address_hash for person in people})
    found = []
    for person in people:
        if reason := refused.get(person.email):
            problems.append(Problem(person.line, person.email, Fate.REFUSED, reason))
        elif state := here.get(person.email):
            problems.append(Problem(person.line, person.email, *_here(state)))
        else:
            found.append(person)
    return found


def _readable(lot: Sequence[Row | BadRow], met: _Met, problems: list[Problem]) -> Iterator[_Person]:
    for row in lot:
        if isinstance(row, BadRow):
            problems.append(Problem(row.line, "", Fate.INVALID, row.reason))
            continue
        try:
            email = normalise_address(row.email)
        except InvalidAddressError as error:
            problems.append(Problem(row.line, row.email, Fate.INVALID, str(error)))
            continue
        if not met.is_new(email):
            problems.append(Problem(row.line, row.email, Fate.TWICE, "It stands in the list before."))
        elif row.standing is not Standing.SUBSCRIBED:
            word = f" ({row.word})" if row.word else ""
            problems.append(Problem(row.line, email, Fate.LEFT, f"There: {row.standing}{word}."))
        else:
            yield _Person(row.line, email, hash_address(email), row.since, row.zone if is_zone(row.zone) else "")


def _here(state: str) -> tuple[Fate, str]:
    match state:
        case SubscriberState.UNSUBSCRIBED:
            return Fate.LEFT, "Unsubscribed here: only the person can come back."
        case SubscriberState.PENDING:
            return Fate.KNOWN, "Asked here, and has not confirmed yet."
        case _:
            return Fate.KNOWN, "Is a reader already."


@transaction.atomic
def _write(
    people: Sequence[_Person],
    *,
    record: SubscriberImport,
    wishes: Wishes,
    topic_ids: Sequence[int],
    now: dt.datetime,
) -> list[_Person]:
    """The readers, their topics and what was stated about their consent. Returns those who are new indeed: some may
    have signed up meanwhile."""
    rows = {person.email: _subscriber(person, wishes, now) for person in people}
    Subscriber.objects.bulk_create(rows.values(), ignore_conflicts=True)
    public_ids = [row.public_id for row in rows.values()]
    made = dict(Subscriber.objects.filter(public_id__in=public_ids).values_list("email", "id"))
    Subscription.objects.bulk_create(
        [Subscription(subscriber_id=pk, topic_id=topic_id) for pk in made.values() for topic_id in topic_ids]
    )
    ConsentEvent.objects.bulk_create(
        [
            ConsentEvent(
                subscriber_id=made[person.email],
                address_hash=person.address_hash,
                kind=ConsentKind.IMPORTED,
                at=now,
                wording=record.wording,
                how="import",
            )
            for person in people
            if person.email in made
        ]
    )
    return [person for person in people if person.email in made]


def _subscriber(person: _Person, wishes: Wishes, now: dt.datetime) -> Subscriber:
    zone = person.zone or settings.EDITION_TIME_ZONE
    schedule = Schedule(cadence=wishes.cadence, hour=wishes.hour, zone=zone, weekday=wishes.weekday)
    return Subscriber(
        email=person.email,
        address_hash=person.address_hash,
        state=SubscriberState.ACTIVE,
        cadence=wishes.cadence,
        weekday=wishes.weekday,
        hour=wishes.hour,
        zone=zone,
        next_due_at=next_due(schedule, after=now),
        created_at=now,
        # When they agreed, as far as the list knows; at the latest now, on the owner's word.
        confirmed_at=min(person.since, now) if person.since else now,
    )

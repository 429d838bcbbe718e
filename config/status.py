"""The whole state of an installation on one screen: sources, editions, mails, queue, workers, room.

`doctor` looks at what is set up, this at how things go right now; each line says whether it needs somebody.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db.models import Count

from digests.books import read_books
from digests.letters import letter_books
from digests.models import Choice, Edition, EditionState, Letter, LetterState, age_limit
from digests.watching import LEAST_FREE, MOST_BELLS, free_room, queue_lengths
from papers.models import Source, SourceState
from subscriptions.heartbeat import last_beat
from subscriptions.holding import held
from subscriptions.models import Notice, Subscriber
from subscriptions.outgoing import OutgoingState

# How long a task may not have been done anywhere, before somebody should look.
LONGEST_SILENCE = dt.timedelta(minutes=5)
SHOWN_EDITIONS = 3
OLDEST_BACKUP = dt.timedelta(days=2)


@dataclass(frozen=True, slots=True)
class StatusLine:
    """What was looked at, how it is, and whether somebody should do something about it."""

    about: str
    says: str
    is_well: bool = True


def read_status(*, now: dt.datetime) -> list[StatusLine]:
    """Every line, in the order of the way from source to inbox. Changes nothing."""
    return [
        *_hold(),
        *_sources(now),
        *_editions(now),
        *_readers(),
        *_notices(),
        *_letters(),
        *_workers(),
        _queue(),
        _room(),
        _backup(now),
    ]


def _hold() -> Iterator[StatusLine]:
    hold = held()
    if hold is not None:
        yield StatusLine("sending", f"HELD since {hold.at:%Y-%m-%d %H:%M} UTC: {hold.reason}", is_well=False)


def _sources(now: dt.datetime) -> Iterator[StatusLine]:
    counts = dict(Source.objects.values_list("state").annotate(Count("id")).order_by())
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none"
    bad = [SourceState.STALLED, SourceState.FAILING]
    yield StatusLine("sources", told, is_well=not any(counts.get(state) for state in bad))
    for source in Source.objects.filter(state__in=bad):
        yield StatusLine("source", f"{source.name}: {source.state_reason or source.last_error[:160]}", is_well=False)


def _editions(now: dt.datetime) -> Iterator[StatusLine]:
    found = Edition.objects.filter(date__gte=age_limit(now)).order_by("-date")[:SHOWN_EDITIONS]
    for edition in found:
        picks = edition.entries.filter(choice=Choice.PICK).count()
        waits = edition.state in (EditionState.DRAFT, EditionState.HELD)
        if waits:
            is_late = edition.cutoff_at <= now - LONGEST_SILENCE
            cutoff = f"cut-off {'was' if is_late else 'is'} at {edition.cutoff_at:%Y-%m-%d %H:%M} UTC"
            yield StatusLine("edition", f"{edition} {edition.state}, {picks} picks, {cutoff}", is_well=not is_late)
            continue
        books = read_books(edition)
        parts = ", ".join(f"{count} {state.value}" for state, count in books.counts.items() if count)
        unknown = books[OutgoingState.UNKNOWN]
        is_well = books.balances and not unknown and edition.state != EditionState.PAUSED
        verdict = "" if books.balances else " THE BOOKS DO NOT BALANCE"
        yield StatusLine(
            "edition", f"{edition} {edition.state}, {books.audience} due: {parts or 'none'}{verdict}", is_well
        )
    if not found:
        yield StatusLine("edition", "none within the last week", is_well=False)


def _readers() -> Iterator[StatusLine]:
    counts = dict(Subscriber.objects.values_list("state").annotate(Count("id")).order_by())
    yield StatusLine("readers", ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none")


def _notices() -> Iterator[StatusLine]:
    open_states = [OutgoingState.QUEUED, OutgoingState.CLAIMED, OutgoingState.HANDING_OVER, OutgoingState.UNKNOWN]
    rows = Notice.objects.filter(state__in=open_states)
    counts = dict(rows.values_list("state").annotate(Count("id")).order_by())
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none wait"
    yield StatusLine("notices", told)


def _letters() -> Iterator[StatusLine]:
    for letter in Letter.objects.filter(state__in=[LetterState.SENDING, LetterState.PAUSED])[:SHOWN_EDITIONS]:
        books = letter_books(letter)
        waiting = books[OutgoingState.QUEUED]
        if waiting or not letter.is_planned or books[OutgoingState.UNKNOWN]:
            says = (
                f"«{letter}» {letter.state}: {waiting} of {books.audience} wait, {books[OutgoingState.UNKNOWN]} unknown"
            )
            yield StatusLine("letter", says, is_well=not books[OutgoingState.UNKNOWN])


def _workers() -> Iterator[StatusLine]:
    age = last_beat(anywhere=True)
    if age is None:
        yield StatusLine("workers", "no task was ever done", is_well=False)
        return
    says = f"the last task was done {age.total_seconds():.0f} seconds ago"
    yield StatusLine("workers", says, is_well=age <= LONGEST_SILENCE)


def _queue() -> StatusLine:
    try:
        waiting = queue_lengths()
    except redis.RedisError as error:
        return StatusLine("queue", f"cannot be reached ({error.__class__.__name__})", is_well=False)
    told = ", ".join(f"{count} in {name}" for name, count in waiting.items())
    return StatusLine("queue", told, is_well=max(waiting.values()) <= MOST_BELLS)


def _backup(now: dt.datetime) -> StatusLine:
    """Of those made by `manage.py backup` on this host, where there is one: others may be made elsewhere."""
    made = [path.stat().st_mtime for path in (settings.VAR_DIR / "backups").glob("daily-papers-*.tar")]
    if not made:
        return StatusLine("backup", "none was made here: manage.py backup")
    age = now - dt.datetime.fromtimestamp(max(made), tz=dt.UTC)
    return StatusLine("backup", f"the last one is {age.days} days old", is_well=age <= OLDEST_BACKUP)


def _room() -> StatusLine:
    free, octets = free_room()
    return StatusLine("disk", f"{free:.0%} free, {octets / 1e9:.1f} GB", is_well=free >= LEAST_FREE)

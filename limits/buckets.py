"""Token buckets, closed doors and turns: the one limiter of fetching, sending and sign-up.

Every step is ONE conditional change of the bucket's row, judged by the database's own clock, so any number of processes
on any number of hosts keep a limit together, and a restart forgets nothing. What a limit is (its `Rate`) stands in the
settings or the code of whoever asks; the row only knows how far it is used up.
"""

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now

from limits.models import Bucket


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second on average, and at most `burst` at once."""

    per_second: float
    burst: int = 1

    def __post_init__(self) -> None:
        if self.per_second <= 0 or self.burst < 1:
            raise ValueError("a rate is above zero and lets at least one pass at once")

    def spacing(self, count: int = 1) -> dt.timedelta:
        """How long the bucket needs to gain `count` tokens."""
        return dt.timedelta(seconds=count / self.per_second)


@dataclass(frozen=True, slots=True)
class Grant:
    """What was given: `count` tokens, or none and how many seconds to wait before asking again has a point."""

    count: int
    wait_seconds: float = 0.0


def take(name: str, *, rate: Rate, count: int = 1) -> Grant:
    """Take as many tokens as there are, at most `count`, from the bucket of this name; a new bucket is full.

    Never waits. While the bucket is closed nothing is given.
    """
    wanted = min(count, rate.burst)
    for _ in range(4):
        room = rate.spacing(rate.burst - wanted)
        if _move_on(name, by=rate.spacing(wanted), room=room, only_open=True) is not None:
            return Grant(wanted)
        row = _look(name)
        if row is None:
            continue
        closed = _seconds_until(row["closed_until"], row["now"])
        if closed > 0:
            return Grant(0, closed)
        # What is missing to a full bucket, in seconds; the rest of it is there to be taken.
        missing = _seconds_until(row["free_at"], row["now"])
        there = int(rate.burst - missing * rate.per_second + 1e-6)
        if there < 1:
            return Grant(0, max(0.001, missing - rate.spacing(rate.burst - 1).total_seconds()))
        wanted = min(there, count)
    # Others were quicker each time; they will be for a moment.
    return Grant(0, rate.spacing().total_seconds())


def reserve(name: str, *, rate: Rate, longest: dt.timedelta) -> float | None:
    """Take one token, of now or of a time to come: in how many seconds it is good, 0 for now.

    None, and nothing taken, where that would be later than in `longest`. Of several who reserve at the same instant
    some may be told a later turn than their own, never an earlier one. Closures do not count.
    """
    room = longest + rate.spacing(rate.burst - 1)
    ahead = _move_on(name, by=rate.spacing(), room=room, only_open=False)
    return None if ahead is None else max(0.0, ahead - rate.spacing(rate.burst).total_seconds())


def has_some(name: str, *, rate: Rate) -> bool:
    """Whether a token could be taken now. Takes none and writes nothing."""
    row = _look(name)
    if row is None:
        return True
    missing = _seconds_until(row["free_at"], row["now"])
    is_closed = _seconds_until(row["closed_until"], row["now"]) > 0
    return not is_closed and missing <= rate.spacing(rate.burst - 1).total_seconds()


def has_left(name: str, *, rate: Rate) -> int:
    """How many tokens could be taken now. Takes none and writes nothing."""
    row = _look(name)
    if row is None:
        return rate.burst
    if _seconds_until(row["closed_until"], row["now"]) > 0:
        return 0
    return max(0, int(rate.burst - _seconds_until(row["free_at"], row["now"]) * rate.per_second + 1e-6))


def forget_full(prefix: str) -> int:
    """Delete the buckets whose names begin so and that are full, open and held by nobody: a new one would be the same.

    Returns how many. Safe at any time: whoever takes from one meanwhile keeps it.
    """
    is_open = Q(closed_until__isnull=True) | Q(closed_until__lte=Now())
    is_free = Q(held_until__isnull=True) | Q(held_until__lte=Now())
    count, _ = Bucket.objects.filter(is_open, is_free, name__startswith=prefix, free_at__lte=Now()).delete()
    return count


_MOVE_ON_POSTGRES = """
    INSERT INTO limits_bucket AS bucket (name, free_at, holder)
    VALUES (%s, STATEMENT_TIMESTAMP() + %s * INTERVAL '1 microsecond', '')
    ON CONFLICT (name) DO UPDATE
        SET free_at = GREATEST(bucket.free_at, STATEMENT_TIMESTAMP()) + %s * INTERVAL '1 microsecond'
    WHERE bucket.free_at <= STATEMENT_TIMESTAMP() + %s * INTERVAL '1 microsecond'
        AND (%s OR bucket.closed_until IS NULL OR bucket.closed_until <= STATEMENT_TIMESTAMP())
    RETURNING EXTRACT(EPOCH FROM bucket.free_at - STATEMENT_TIMESTAMP())
"""
# Instants are texts there, and Django's own function adds microseconds to them.
_NOW_SQLITE = "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')"
_MOVE_ON_SQLITE = f"""
    INSERT INTO limits_bucket AS bucket (name, free_at, holder)
    VALUES (%s, DJANGO_FORMAT_DTDELTA('+', {_NOW_SQLITE}, %s), '')
    ON CONFLICT (name) DO UPDATE SET free_at = DJANGO_FORMAT_DTDELTA('+', MAX(bucket.free_at, {_NOW_SQLITE}), %s)
    WHERE bucket.free_at <= DJANGO_FORMAT_DTDELTA('+', {_NOW_SQLITE}, %s)
        AND (%s OR bucket.closed_until IS NULL OR bucket.closed_until <= {_NOW_SQLITE})
    RETURNING free_at || '', {_NOW_SQLITE}
"""  # noqa: S608 - all of it is ours


def give_back(name: str, *, rate: Rate, count: int) -> None:
    """Return tokens that were taken and not used."""
    if count > 0:
        Bucket.objects.filter(pk=name).update(free_at=F("free_at") - rate.spacing(count))


def close(name: str, *, seconds: float) -> None:
    """Let nothing pass for so long. A longer closure asked for before stays."""
    _make([name])
    until = Now() + dt.timedelta(seconds=seconds)
    open_earlier = Q(closed_until__isnull=True) | Q(closed_until__lt=until)
    Bucket.objects.filter(open_earlier, pk=name).update(closed_until=until)


def hold(name: str, *, seconds: float) -> str:
    """Become the one who passes, for at most so long: a token to `release` with, or nothing while somebody else is."""
    token = secrets.token_hex(16)
    _make([name])
    free = Q(held_until__isnull=True) | Q(held_until__lte=Now())
    held = Bucket.objects.filter(free, pk=name).update(holder=token, held_until=Now() + dt.timedelta(seconds=seconds))
    return token if held else ""


def extend(name: str, *, token: str, seconds: float) -> bool:
    """Stay the one who passes for so long from now on. False where the time ran out and another came."""
    held = Bucket.objects.filter(pk=name, holder=token)
    return held.update(held_until=Now() + dt.timedelta(seconds=seconds)) == 1


def release(name: str, *, token: str) -> None:
    """Let the next one pass; does nothing where the time of this holder ran out and another came."""
    Bucket.objects.filter(pk=name, holder=token).update(holder="", held_until=None)


def _move_on(name: str, *, by: dt.timedelta, room: dt.timedelta, only_open: bool) -> float | None:
    """Take tokens worth `by` from the bucket, a new and full one where there is none, if it would be full within
    `room` from now. Returns in how many seconds it is full after that, or None where nothing was taken.

    One statement, since every sign-up and every fetch asks for several: `INSERT … ON CONFLICT … RETURNING`, which both
    databases know.
    """
    is_postgres = connection.vendor == "postgresql"
    by_us, room_us = (span // dt.timedelta(microseconds=1) for span in (by, room))
    with connection.cursor() as cursor:
        statement = _MOVE_ON_POSTGRES if is_postgres else _MOVE_ON_SQLITE
        cursor.execute(statement, [name, by_us, by_us, room_us, not only_open])
        row = cursor.fetchone()
    if row is None:
        return None
    return max(0.0, float(row[0])) if is_postgres else _seconds_until(*map(dt.datetime.fromisoformat, row))


def _look(name: str) -> Mapping[str, Any] | None:
    return Bucket.objects.filter(pk=name).annotate(now=Now()).values("free_at", "closed_until", "now").first()


def _make(names: Iterable[str]) -> None:
    Bucket.objects.bulk_create([Bucket(name=name) for name in names], ignore_conflicts=True)


def _seconds_until(instant: dt.datetime | None, now: dt.datetime | None) -> float:
    return max(0.0, (instant - now).total_seconds()) if instant and now else 0.0

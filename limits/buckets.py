"""Token buckets, closed doors and turns: the one limiter of fetching, sending and sign-up.

Every step is ONE conditional UPDATE of the bucket's row, judged by the database's own clock, so any number of processes
on any number of hosts keep a limit together, and a restart forgets nothing. What a limit is (its `Rate`) stands in the
settings or the code of whoever asks; the row only knows how far it is used up.
"""

import datetime as dt
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

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
        if _take_exactly(name, rate, wanted):
            return Grant(wanted)
        row = _look(name)
        if row is None:
            _make([name])
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
    is_soon = Q(free_at__lte=Now() + longest + rate.spacing(rate.burst - 1))
    for _ in range(2):
        taken = Bucket.objects.filter(is_soon, pk=name).update(free_at=Greatest(F("free_at"), Now()) + rate.spacing())
        row = _look(name)
        if row is None:
            _make([name])
            continue
        if not taken:
            return None
        return max(0.0, _seconds_until(row["free_at"], row["now"]) - rate.spacing(rate.burst).total_seconds())
    return None


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


def _take_exactly(name: str, rate: Rate, count: int) -> bool:
    is_open = Q(closed_until__isnull=True) | Q(closed_until__lte=Now())
    has_them = Q(free_at__lte=Now() + rate.spacing(rate.burst - count))
    changed = Bucket.objects.filter(is_open, has_them, pk=name).update(
        free_at=Greatest(F("free_at"), Now()) + rate.spacing(count)
    )
    return changed == 1


def _look(name: str) -> Mapping[str, Any] | None:
    return Bucket.objects.filter(pk=name).annotate(now=Now()).values("free_at", "closed_until", "now").first()


def _make(names: Iterable[str]) -> None:
    Bucket.objects.bulk_create([Bucket(name=name) for name in names], ignore_conflicts=True)


def _seconds_until(instant: dt.datetime | None, now: dt.datetime | None) -> float:
    return max(0.0, (instant - now).total_seconds()) if instant and now else 0.0

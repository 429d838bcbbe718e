"""How fast mail may leave: rates that all workers keep together, the daily cap of a new sender, and closed doors.

Tokens are taken in the very step that begins mails, so none is kept in a pocket to be spent in a rush later.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Sequence

from django.conf import settings
from django.db import connection
from django.db.models import F, Min

from limits import buckets
from limits.buckets import Rate
from subscriptions.models import WarmupDay

# From the first day's cap to a thousand times as much: 200 to 200,000 in 42 days, as Ghost's own sending grew.
WARMUP_DAYS = 42
WARMUP_GROWTH = 1000.0
# A door that is open is looked at again so often: others may have been asked to wait meanwhile.
LOOK_SECONDS = 1.0
# Whoever lost every race for the day's tokens asks again so soon.
LOST_RACE_SECONDS = 0.1
# Whoever wants to know whether a bucket is closed, and nothing else, asks with this.
_UNLIMITED = Rate(per_second=1e6, burst=1_000_000)


class Pace:
    """The pace of one batch, over one mail service."""

    def __init__(self, provider: str, *, keeps_day_cap: bool = True) -> None:
        self._provider = provider
        self._rate = rate_of(settings.SEND_RATE) if settings.SEND_RATE else None
        self._domain_rates = {
            domain: rate_of(per_second) for domain, per_second in settings.SEND_RATE_PER_DOMAIN.items()
        }
        self._is_warming_up = keeps_day_cap and settings.SEND_WARMUP_START > 0
        self._looked_at = 0.0
        self._shut_until = 0.0
        self._domains_until: dict[str, float] = {}

    def allow(self, addresses: Sequence[str]) -> list[bool]:
        """For each of these recipients, whether a mail may leave for them now. Tokens are taken for those."""
        now = time.monotonic()
        if not self._is_open(now):
            return [False] * len(addresses)
        answers = self._allow_domains(addresses, now) if self._domain_rates else [True] * len(addresses)
        wanted = answers.count(True)
        granted = self._grant(wanted, now)
        if granted < wanted:
            kept = [place for place, yes in enumerate(answers) if yes]
            self._give_back_domains([addresses[place] for place in kept[granted:]])
            for place in kept[granted:]:
                answers[place] = False
        return answers

    def give_back(self, addresses: Sequence[str]) -> None:
        """Return the tokens of recipients for whom no mail left after all."""
        if self._rate is not None:
            buckets.give_back(self._name(), rate=self._rate, count=len(addresses))
        if self._is_warming_up:
            give_back_of_day(self._provider, len(addresses))
        self._give_back_domains(addresses)

    @property
    def is_shut(self) -> bool:
        """Whether nothing may leave now, whoever it is for."""
        return time.monotonic() < self._shut_until

    def wait_seconds(self, addresses: Sequence[str]) -> float:
        """How long until one of these might leave."""
        now = time.monotonic()
        domains = [self._domains_until.get(_domain(address), 0.0) for address in addresses] or [0.0]
        return max(0.0, self._shut_until - now, min(domains) - now)

    def shut(self, seconds: float) -> None:
        """The mail service asks all of us to wait."""
        buckets.close(self._name(), seconds=seconds)
        self._shut_until = max(self._shut_until, time.monotonic() + seconds)

    def _name(self, domain: str = "") -> str:
        return f"send:{self._provider}:{domain}" if domain else f"send:{self._provider}"

    def _is_open(self, now: float) -> bool:
        if now < self._shut_until:
            return False
        if self._rate is None and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._shut_until = now + buckets.take(self._name(), rate=_UNLIMITED).wait_seconds
        return now >= self._shut_until

    def _grant(self, wanted: int, now: float) -> int:
        if not wanted:
            return 0
        granted, wait = wanted, 0.0
        if self._rate is not None:
            grant = buckets.take(self._name(), rate=self._rate, count=wanted)
            granted, wait = grant.count, grant.wait_seconds
        if self._is_warming_up and granted:
            # After the rate: what is taken of the day's cap is sent, whatever breaks off in between.
            capped, wait_for_day = take_of_day(self._provider, granted)
            if self._rate is not None:
                buckets.give_back(self._name(), rate=self._rate, count=granted - capped)
            if capped < granted:
                granted, wait = capped, wait_for_day
        if granted < wanted:
            self._shut_until = now + (wait or (self._rate.spacing().total_seconds() if self._rate else 0.0))
        return granted

    def _allow_domains(self, addresses: Sequence[str], now: float) -> list[bool]:
        limited = Counter(domain for address in addresses if (domain := _domain(address)) in self._domain_rates)
        left = {domain: self._take_domain(domain, count, now) for domain, count in limited.items()}
        answers = []
        for address in addresses:
            domain = _domain(address)
            answers.append(left.get(domain, 1) > 0)
            if domain in left:
                left[domain] -= 1
        return answers

    def _take_domain(self, domain: str, count: int, now: float) -> int:
        if now < self._domains_until.get(domain, 0.0):
            return 0
        grant = buckets.take(self._name(domain), rate=self._domain_rates[domain], count=count)
        if not grant.count:
            self._domains_until[domain] = now + grant.wait_seconds
        return grant.count

    def _give_back_domains(self, addresses: Sequence[str]) -> None:
        for domain, count in Counter(map(_domain, addresses)).items():
            if domain in self._domain_rates:
                buckets.give_back(self._name(domain), rate=self._domain_rates[domain], count=count)


def rate_of(per_second: float) -> Rate:
    """At most so many in any second, a twentieth of them at once.

    A bucket lets its burst pass beside what a second brings, and mails that got leave one after the other may leave
    together: the bucket fills by two bursts a second less, so that no second ever sees more than it may.
    """
    burst = max(1, int(per_second / 20))
    return Rate(per_second=per_second - 2 * burst if burst > 1 else per_second, burst=burst)


def take_of_day(provider: str, wanted: int) -> tuple[int, float]:
    """Take as many of the day's cap as are left, at most `wanted`; and how many seconds until there are more, where
    there are none. The first day of all begins with the first mail."""
    now = _database_now()
    today = now.date()
    first = WarmupDay.objects.filter(provider=provider).aggregate(first=Min("date"))["first"] or today
    cap = cap_of_day((today - first).days, start=settings.SEND_WARMUP_START)
    if cap is None:
        return wanted, 0.0
    WarmupDay.objects.get_or_create(provider=provider, date=today)
    row = WarmupDay.objects.filter(provider=provider, date=today)
    for _ in range(4):
        left = cap - (row.values_list("taken", flat=True).first() or 0)
        count = min(wanted, left)
        if count <= 0:
            tomorrow = dt.datetime.combine(today + dt.timedelta(days=1), dt.time(), tzinfo=dt.UTC)
            return 0, (tomorrow - now).total_seconds()
        if row.filter(taken__lte=cap - count).update(taken=F("taken") + count):
            return count, 0.0
    # Others were quicker each time; they will be for a moment.
    return 0, LOST_RACE_SECONDS


def give_back_of_day(provider: str, count: int) -> None:
    """Return what was taken of the day's cap and not used."""
    if count > 0:
        today = _database_now().date()
        WarmupDay.objects.filter(provider=provider, date=today, taken__gte=count).update(taken=F("taken") - count)


def cap_of_day(day: int, *, start: int) -> int | None:
    """How many mails may leave on the day of that number, counted from nought; None where there is no cap any more."""
    if day >= WARMUP_DAYS:
        return None
    return int(start * WARMUP_GROWTH ** (max(day, 0) / WARMUP_DAYS))


def _database_now() -> dt.datetime:
    """By the clock that all workers share: two whose clocks differ must not count one mail on two days."""
    if connection.vendor == "postgresql":
        question = "SELECT STATEMENT_TIMESTAMP()"
    else:
        question = "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')"
    with connection.cursor() as cursor:
        cursor.execute(question)
        (answer,) = cursor.fetchone()
    now = answer if isinstance(answer, dt.datetime) else dt.datetime.fromisoformat(answer)
    return now.replace(tzinfo=dt.UTC) if now.tzinfo is None else now.astimezone(dt.UTC)


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

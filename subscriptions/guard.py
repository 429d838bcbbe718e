"""The guard that every door of the sign-up passes: the form, the embedded form, the programming interface, the import.

It judges the visitor and the domain, never whether an address is known to us, so its answer gives nobody away. Limits
are token buckets that all processes share (`limits`):

- each network of the internet (IPv6: /64) may ask so often an hour;
- while sign-ups come at an ordinary rate, whoever took a moment over the form is mailed at once;
- above that rate a proof of work stands in for calm;
- everybody else is taken as well, and their confirmation waits for its turn in a small bucket of its own.

What protects a single mailbox stands in `signup`: one confirmation a day, three in a month.
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from django.conf import settings
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy

from limits.buckets import Rate, forget_full, has_some, reserve, take
from subscriptions.disposable import is_disposable
from subscriptions.models import Notice, Suppression
from subscriptions.proof import is_proven
from subscriptions.stamps import shown_for

BUCKETS = "signup:"
# Nobody types an address and looks at the topics sooner.
LEAST_SECONDS = 2.0
# A confirmation that would come later than this is not promised at all.
LONGEST_WAIT = dt.timedelta(hours=24)
DISPOSABLE = gettext_lazy(
    "Addresses at this domain last for a day or so, and a newsletter is for longer. Please use one that you keep."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What is known of whoever asks, before anything is done for them."""

    network: str = ""
    stamp: str = ""
    proof: str = ""
    is_trap_sprung: bool = False


@dataclass(frozen=True, slots=True)
class Admitted:
    """Take the request. Its mail may leave after `wait`: at once, as a rule."""

    wait: dt.timedelta = dt.timedelta()


@dataclass(frozen=True, slots=True)
class Trapped:
    """A program fell for the field that people do not see: answer as ever, and keep nothing."""


@dataclass(frozen=True, slots=True)
class TooOften:
    """This network asked too often; it may again in so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class TooMany:
    """So many wait for their confirmation already that no more can be promised one within a day."""

    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Unwelcome:
    """No address like this is taken, and the person is told why."""

    reason: str


Admission: TypeAlias = Admitted | Trapped | TooOften | TooMany | Unwelcome


def admit(knock: Knock, *, address: str, now: dt.datetime) -> Admission:
    """Whether to take the request to subscribe this (normalised) address, and when its mail may leave.

    Takes tokens, each in a statement of its own: call it outside of transactions, once for each request.
    """
    if knock.is_trap_sprung:
        return Trapped()
    if is_disposable(address):
        return Unwelcome(str(DISPOSABLE))
    if knock.network:
        grant = take(_network_bucket(knock.network), rate=_per_network())
        if not grant.count:
            return TooOften(grant.wait_seconds)
    if _is_trusted(knock, now=now):
        wait = reserve(f"{BUCKETS}confirmations", rate=_confirmations(), longest=LONGEST_WAIT)
    else:
        wait = reserve(f"{BUCKETS}unproven", rate=_unproven(), longest=LONGEST_WAIT)
    return TooMany() if wait is None else Admitted(dt.timedelta(seconds=wait))


def asks_for_proof() -> bool:
    """Whether sign-ups come faster than is ordinary just now. Writes nothing."""
    return not has_some(f"{BUCKETS}calm", rate=_calm())


def hold_back(notice_id: int, *, until: dt.datetime) -> None:
    """Let this notice wait for its turn; the sweeper sends it. In the transaction that wrote it."""
    Notice.objects.filter(pk=notice_id).update(not_before=until)


def screen(addresses: Mapping[str, str]) -> Mapping[str, str]:
    """Those of these (normalised) addresses, given with their hashes, whom no owner's word can subscribe: each with the
    reason in words. Suppressed is suppressed, however long ago."""
    rows = Suppression.objects.filter(address_hash__in=addresses.values())
    reasons = {row.address_hash: f"Suppressed: {row.get_reason_display().lower()}." for row in rows}
    found = {address: reasons[hashed] for address, hashed in addresses.items() if hashed in reasons}
    return {**{address: str(DISPOSABLE) for address in addresses if is_disposable(address)}, **found}


def forget_visitors() -> int:
    """Delete the buckets of those who have not asked for long. Returns how many. Safe at any time."""
    return forget_full(BUCKETS) + forget_full("api:") + forget_full("reader:")


def _is_trusted(knock: Knock, *, now: dt.datetime) -> bool:
    is_calm = take(f"{BUCKETS}calm", rate=_calm()).count == 1
    age = shown_for(knock.stamp, now=now)
    took_time = age is not None and age.total_seconds() >= LEAST_SECONDS
    return (is_calm and took_time) or is_proven(knock.proof)


def visitor_key(network: str) -> str:
    """This network under a keyed hash: who asked is nobody's business a day later, so not even we can read it."""
    key = salted_hmac("daily-papers:visitor", "network", algorithm="sha256").digest()
    return hmac.new(key, network.encode(), hashlib.sha256).hexdigest()[:32]


def _network_bucket(network: str) -> str:
    return f"{BUCKETS}network:{visitor_key(network)}"


def _per_network() -> Rate:
    return Rate(per_second=settings.SIGNUPS_PER_NETWORK / 3600, burst=max(1, settings.SIGNUPS_PER_NETWORK // 3))


def _calm() -> Rate:
    return Rate(per_second=settings.SIGNUPS_CALM / 60, burst=settings.SIGNUPS_CALM)


def _confirmations() -> Rate:
    return Rate(per_second=settings.CONFIRMATIONS_PER_HOUR / 3600, burst=max(1, settings.CONFIRMATIONS_PER_HOUR // 12))


def _unproven() -> Rate:
    per_hour = settings.UNPROVEN_CONFIRMATIONS_PER_HOUR
    return Rate(per_second=per_hour / 3600, burst=max(1, per_hour // 12))

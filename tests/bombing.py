"""A subscription bombing, played through the real form: who asks, what they are answered, and what is mailed.

Three kinds of attackers take turns: one machine that looks at the form first, a botnet that posts without having seen
it, and one that looks at the form but does no work for it. Every tenth of their requests names the same victim. Real
readers come in between, each from a home of their own, wait a moment over the form, and let their browser prove work
where the site asks for it.
"""

import datetime as dt
import ipaddress
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from altcha import Challenge, Payload, solve_challenge
from django.test import Client
from django.utils import timezone

from subscriptions.addresses import hash_address
from subscriptions.models import Notice
from subscriptions.notices import send_notices
from subscriptions.outgoing import OutgoingState, due_ids
from subscriptions.stamps import new_stamp

VICTIM = "victim@example.net"


@dataclass(slots=True)
class Story:
    """What came of it."""

    statuses: Counter[int] = field(default_factory=Counter)
    readers: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def mailed(self) -> set[str]:
        """The hashes of the addresses that were mailed."""
        sent = Notice.objects.filter(state=OutgoingState.ACCEPTED)
        return set(sent.values_list("address_hash", flat=True))

    def readers_mailed(self) -> int:
        """How many real readers have their confirmation."""
        return len({hash_address(address) for address in self.readers} & self.mailed())


def bomb(*, sign_ups: int, readers: int, stamp: str) -> Story:
    """So many sign-ups by attackers, with so many real readers among them. `stamp` is of a form shown a moment ago."""
    story, client, started = Story(), Client(SERVER_NAME="127.0.0.1"), timezone.now()
    gap = max(1, sign_ups // readers)
    for number in range(sign_ups):
        story.statuses[_attack(client, number, stamp)] += 1
        if number % gap == gap - 1 and len(story.readers) < readers:
            address = f"reader{number}@example.org"
            assert _sign_up(client, address, number, stamp) == 302
            story.readers.append(address)
    story.seconds = (timezone.now() - started).total_seconds()
    return story


def send_what_is_due() -> int:
    """One sweep after the other, as the worker would, until nothing is due. Returns how many mails left."""
    sent = 0
    while ids := due_ids(Notice, limit=500):
        sent += send_notices(ids, now=timezone.now())
    return sent


def stamp_of_a_while_ago() -> str:
    """The stamp of a form that was shown long enough ago."""
    import time_machine

    with time_machine.travel(timezone.now() - dt.timedelta(seconds=30), tick=False):
        return new_stamp()


def _attack(client: Client, number: int, stamp: str) -> int:
    address = VICTIM if number % 10 == 0 else f"bombed{number}@example.com"
    match number % 3:
        case 0:
            return _post(client, address, ip="198.20.0.9", stamp=stamp)
        case 1:
            return _post(client, address, ip=_home(number, "2a00:1450::"), stamp="")
        case _:
            return _post(client, address, ip=_home(number, "23.0.0.0"), stamp=stamp)


def _sign_up(client: Client, address: str, number: int, stamp: str) -> int:
    challenge = client.get("/subscribe/challenge/").json()["challenge"]
    proof = ""
    if challenge:
        asked = Challenge.from_dict(challenge)
        solution = solve_challenge(asked)
        assert solution
        proof = Payload(asked, solution).to_base64()
    return _post(client, address, ip=_home(number, "31.0.0.0"), stamp=stamp, altcha=proof)


def _home(number: int, base: str) -> str:
    """An address of its own for each; in IPv6 a network of its own."""
    address: Any = ipaddress.ip_address(base)
    return str(address + (number << 64 if address.version == 6 else number))


def _post(client: Client, address: str, *, ip: str, **data: str) -> int:
    return client.post("/subscribe/", {"email": address, **data}, REMOTE_ADDR=ip).status_code

"""Keeping one host's terms over all workers.

arXiv asks for one request in three seconds over one connection, from all our machines and for its API, OAI-PMH and RSS
together (https://info.arxiv.org/help/api/tou.html); the hour after midnight UTC, its busiest, we leave to others.
Every other host gets the same manners but for that hour.
"""

import contextlib
import datetime as dt
import random
import time
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from limits.buckets import Rate, close, hold, release, take

RATE = Rate(per_second=1 / 3)
# A connection is ours for as long as a fetch may take at most, should its worker die over it.
LONGEST_FETCH = 90.0
QUIET_HOUR = 0  # UTC
_ARXIV = "arxiv.org"
_LOOK_AGAIN = 0.5


class HostClosedError(Exception):
    """It is not our turn for longer than a task should wait: the host asked for silence, or others are before us."""

    def __init__(self, sentence: str, *, wait: dt.timedelta) -> None:
        super().__init__(sentence)
        self.wait = wait


@contextlib.contextmanager
def turn(*, host: str, now: dt.datetime, patience: float) -> Iterator[None]:
    """Be the only one of all workers who asks this host, for as long as the block runs.

    Waits at most `patience` seconds for it. Raises HostClosedError where the turn does not come, and says how long to
    wait before trying again.
    """
    if _is_loopback(host):
        yield
        return
    gate, begun = _gate_of(host), time.monotonic()
    _respect_quiet_hour(gate, now)
    token = _wait_for_turn(gate, patience=patience)
    try:
        # The hour may have begun while we waited.
        _respect_quiet_hour(gate, now + dt.timedelta(seconds=time.monotonic() - begun))
        yield
    finally:
        release(gate, token=token)


def close_gate(*, host: str, wait: dt.timedelta) -> None:
    """Nobody of ours asks this host for so long. A longer silence asked for before stays."""
    close(_gate_of(host), seconds=wait.total_seconds())


def _wait_for_turn(gate: str, *, patience: float) -> str:
    deadline = time.monotonic() + patience
    while True:
        token = hold(gate, seconds=LONGEST_FETCH)
        wait = _LOOK_AGAIN
        if token:
            grant = take(gate, rate=RATE)
            if grant.count:
                return token
            release(gate, token=token)
            wait = grant.wait_seconds
        if time.monotonic() + wait > deadline:
            raise HostClosedError(_sentence(gate, wait), wait=dt.timedelta(seconds=max(wait, 3.0)))
        time.sleep(wait)


def _sentence(gate: str, wait: float) -> str:
    host = gate.removeprefix("fetch:")
    if wait > LONGEST_FETCH:
        return f"{host} asked to be left alone for another {wait / 60:.0f} minutes."
    return f"{host} is being asked by another worker; each waits its turn."


def _respect_quiet_hour(gate: str, now: dt.datetime) -> None:
    if gate == f"fetch:{_ARXIV}" and now.astimezone(dt.UTC).hour == QUIET_HOUR:
        raise HostClosedError("arXiv is left alone between 00:00 and 01:00 UTC.", wait=_to_the_end_of_hour(now))


def _to_the_end_of_hour(now: dt.datetime) -> dt.timedelta:
    end = now.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    # Not all at the stroke of one.
    return end - now + dt.timedelta(seconds=random.uniform(0, 300))  # noqa: S311 - no secret hangs on it


def _gate_of(host: str) -> str:
    bare, port = _host_and_port(host)
    # arXiv counts its API, OAI-PMH and RSS hosts together.
    return f"fetch:{_ARXIV}" if bare == _ARXIV or bare.endswith("." + _ARXIV) else f"fetch:{bare}{port}"


def _is_loopback(host: str) -> bool:
    """Whether this is a server on this machine, which needs no manners."""
    bare, _ = _host_and_port(host)
    try:
        return ip_address(bare.strip("[]")).is_loopback
    except ValueError:
        return bare == "localhost"


def _host_and_port(netloc: str) -> tuple[str, str]:
    """The bare host in lower case, without the dot that may end it, and its port where it is not the usual one."""
    parts = urlsplit(f"//{netloc}")
    host = (parts.hostname or "").rstrip(".")
    return host, f":{parts.port}" if parts.port not in {None, 80, 443} else ""

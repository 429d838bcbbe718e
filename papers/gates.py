"""Keeping one host's terms over all workers: arXiv asks for one request in three seconds, from all our machines."""

import datetime as dt
import time

from django.utils import timezone

from papers.models import HostGate

SPACING = dt.timedelta(seconds=3)
LONGEST_WAIT = dt.timedelta(minutes=2)
# Our own loopback servers need no manners.
_LOOPBACK = ("127.", "localhost", "[::1]")


class HostClosedError(Exception):
    """The host asked for silence, for longer than a task should wait."""


def pass_gate(*, host: str) -> None:
    """Wait until it is our turn to ask this host, and take the turn.

    The turn is one conditional UPDATE on the host's row, so of any number of workers one gets it. Raises
    HostClosedError where the turn would come too late to wait for.
    """
    if host.startswith(_LOOPBACK):
        return
    host = _gate_of(host)
    deadline = timezone.now() + LONGEST_WAIT
    HostGate.objects.get_or_create(host=host, defaults={"free_at": timezone.now()})
    while True:
        now = timezone.now()
        if HostGate.objects.filter(host=host, free_at__lte=now).update(free_at=now + SPACING):
            return
        free_at = HostGate.objects.values_list("free_at", flat=True).get(host=host)
        if free_at > deadline:
            raise HostClosedError(f"{host} asked not to be visited before {free_at:%H:%M} UTC.")
        time.sleep(max(0.05, (free_at - now).total_seconds()))


def close_gate(*, host: str, until: dt.datetime) -> None:
    """Nobody of ours asks this host before `until`. A longer silence asked for before stays."""
    HostGate.objects.get_or_create(host=_gate_of(host), defaults={"free_at": until})
    HostGate.objects.filter(host=_gate_of(host), free_at__lt=until).update(free_at=until)


def _gate_of(host: str) -> str:
    # arXiv counts its API, OAI-PMH and RSS hosts together.
    return "arxiv.org" if host.endswith(".arxiv.org") else host

"""Signs of life: tasks that were really done, not processes that are merely there."""

import datetime as dt
import socket

from django.db.models import Max
from django.db.models.functions import Now

from subscriptions.models import Heartbeat

_PREFIX = "worker "
# The one that rings the bells, on whichever host.
BEAT = "beat"


def this_host() -> str:
    """The name under which the workers of this host, or container, are known."""
    return f"{_PREFIX}{socket.gethostname()}"[:60]


def beat(name: str = "") -> None:
    """A task was done here, just now, by the database's clock."""
    Heartbeat.objects.update_or_create(name=name or this_host(), defaults={"at": Now()})


def last_tick() -> dt.timedelta | None:
    """How long ago beat said that it ticks; None where it never did."""
    newest = Heartbeat.objects.filter(name=BEAT).aggregate(at=Max("at"), now=Max(Now()))
    return newest["now"] - newest["at"] if newest["at"] else None


def last_beat(*, anywhere: bool = False) -> dt.timedelta | None:
    """How long ago a task was last done on this host, or on any; None where none ever was."""
    rows = (
        Heartbeat.objects.filter(name__startswith=_PREFIX) if anywhere else Heartbeat.objects.filter(name=this_host())
    )
    newest = rows.aggregate(at=Max("at"), now=Max(Now()))
    return newest["now"] - newest["at"] if newest["at"] else None

"""What the owner must know of the send and of the machine: told by mail, once for each thing and day.

`digests/alerts.py` does the same for sources, `breaker.py` for editions that are taken badly.
"""

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import redis
from celery import current_app
from django.conf import settings
from django.db.models import Count
from django.urls import reverse
from kombu.exceptions import OperationalError

from digests.models import Delivery, Edition, EditionState, age_limit
from subscriptions.models import NoticeKind
from subscriptions.outgoing import OutgoingState
from subscriptions.owner import tell_owner

# A curator may be late by so much before the owner hears of it.
PATIENCE = dt.timedelta(minutes=30)
LEAST_FREE = 0.1
# A bell is rung again each minute; so many of them unheard mean that nobody listens.
MOST_BELLS = 2000
# So many mails that were put back so often: it is not the single reader's mailbox.
MANY_PUT_BACK, OFTEN = 20, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing to tell, under the key by which it is told once; `facts` are what the mail's words are made of."""

    key: str
    about: str
    facts: dict[str, str]
    path: str


def tell_about_sending(*, now: dt.datetime) -> int:
    """Tell whatever there is to tell. Returns how many notices are new. Safe twice."""
    steps: list[Callable[[dt.datetime], Iterator[Alert]]] = [_unpublished, _unknown, _rejected, _filling]
    return sum(_tell(alert) for step in steps for alert in step(now))


def queue_lengths() -> dict[str, int]:
    """How many bells nobody has heard yet, by queue. Raises redis.RedisError."""
    # By Celery's own connection: on one machine the broker's address is a socket, which only it can read.
    with current_app.connection_for_read() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=3)
        except (OperationalError, OSError) as error:
            raise redis.ConnectionError(str(error)) from error
        broker: Any = connection.default_channel.client  # type: ignore[attr-defined]
        return {queue.name: int(broker.llen(queue.name)) for queue in settings.CELERY_TASK_QUEUES}


def free_room() -> tuple[float, int]:
    """Which part of the disk that we write to is free, and how many bytes."""
    found = shutil.disk_usage(settings.VAR_DIR if settings.VAR_DIR.exists() else settings.BASE_DIR)
    return found.free / found.total, found.free


def _unpublished(now: dt.datetime) -> Iterator[Alert]:
    waiting = Edition.objects.filter(
        state__in=[EditionState.HELD, EditionState.DRAFT], cutoff_at__lte=now - PATIENCE, date__gte=age_limit(now)
    )
    for edition in waiting:
        yield Alert(
            key=f"not-published-{edition.pk}",
            about="unpublished",
            facts={"date": str(edition), "time": f"{edition.cutoff_at:%H:%M}"},
            path=reverse("admin:digests_edition_change", args=[edition.pk]),
        )


def _unknown(now: dt.datetime) -> Iterator[Alert]:
    rows = Delivery.objects.filter(
        state=OutgoingState.UNKNOWN, settled_at__lte=now - PATIENCE, edition__date__gte=age_limit(now)
    )
    for pk, date, count in rows.values_list("edition", "edition__date").annotate(count=Count("id")).order_by():
        yield Alert(
            key=f"unknown-{pk}",
            about="unknown",
            facts={"date": str(date), "number": str(count)},
            path=reverse("admin:digests_edition_board", args=[pk]),
        )


def _rejected(now: dt.datetime) -> Iterator[Alert]:
    put_back = Delivery.objects.filter(
        state=OutgoingState.QUEUED, attempt__gte=OFTEN, edition__state=EditionState.PUBLISHED
    ).exclude(reason="")
    grouped = put_back.values_list("edition", "edition__date").annotate(count=Count("id")).order_by()
    for pk, date, count in grouped.filter(count__gte=MANY_PUT_BACK):
        reasons = put_back.filter(edition=pk).values_list("reason").annotate(count=Count("id")).order_by("-count")
        yield Alert(
            key=f"rejecting-{pk}",
            about="rejecting",
            facts={"date": str(date), "number": str(count), "reason": reasons[0][0]},
            path=reverse("admin:digests_edition_board", args=[pk]),
        )


def _filling(now: dt.datetime) -> Iterator[Alert]:
    free, octets = free_room()
    if free < LEAST_FREE:
        yield Alert(
            key=f"disk-{now:%Y-%m-%d}",
            about="disk",
            facts={"percent": f"{free:.0%}", "gigabytes": f"{octets / 1e9:.1f}"},
            path=reverse("admin:index"),
        )
    try:
        lengths = queue_lengths()
    except redis.RedisError:
        # Whoever runs this was rung by the queue, or by hand: it is told by `status`, and not here.
        return
    for name, length in lengths.items():
        if length > MOST_BELLS:
            yield Alert(
                key=f"queue-{name}-{now:%Y-%m-%d}",
                about="queue",
                facts={"number": str(length), "queue": name},
                path=reverse("admin:index"),
            )


def _tell(alert: Alert) -> bool:
    details = {**alert.facts, "about": alert.about, "admin_path": alert.path}
    return tell_owner(key=alert.key, kind=NoticeKind.ATTENTION, details=details)

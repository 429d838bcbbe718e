"""The life of one outgoing mail, from queued to known: what digests and notices share.

Every step is ONE conditional UPDATE, judged by the database's own clock, so any number of workers may try any step at
any time and at most one of them changes the row. The queue is a doorbell; these rows are the truth.

    queued ─claim→ claimed ─begin→ handing_over ─record→ accepted | queued again | failed | unknown

Those three steps, which every mail takes, are in `journal.py`, many rows a statement; the rarer ones are here.
"""

import datetime as dt
import secrets
from enum import Enum, auto
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

LEASE = dt.timedelta(minutes=5)
MAX_ATTEMPTS = 8
MAX_WORKER_DEATHS = 2
# How the reasons begin of mails that failed without a word from the mail service about them.
GIVEN_UP = "Given up after"
DIED_OVER = "In hand at the end of"
BACKOFF = (1, 5, 15, 60, 120, 240, 480)  # minutes after the first, second, … refusal for now


class OutgoingState(models.TextChoices):
    QUEUED = "queued", "Queued"
    CLAIMED = "claimed", "Claimed by a worker"
    HANDING_OVER = "handing_over", "Being handed over"
    ACCEPTED = "accepted", "Accepted by the mail service"
    DELIVERED = "delivered", "Delivered, says the mail service"
    DEFERRED = "deferred", "Deferred by the receiving side"
    BOUNCED = "bounced", "Bounced"
    COMPLAINED = "complained", "Marked as spam"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"
    UNKNOWN = "unknown", "Unknown: no answer came"


# The mail has, or may have, left: its papers count as seen, and nothing sends it again.
SENT_STATES = (
    OutgoingState.HANDING_OVER,
    OutgoingState.ACCEPTED,
    OutgoingState.DELIVERED,
    OutgoingState.DEFERRED,
    OutgoingState.BOUNCED,
    OutgoingState.COMPLAINED,
    OutgoingState.UNKNOWN,
)

# From which states a mail service's word may move a mail: events come late and out of order, and must never move one
# backwards.
MAY_FOLLOW = {
    OutgoingState.ACCEPTED: [OutgoingState.UNKNOWN],
    OutgoingState.FAILED: [OutgoingState.UNKNOWN, OutgoingState.ACCEPTED, OutgoingState.DEFERRED],
    OutgoingState.DEFERRED: [OutgoingState.UNKNOWN, OutgoingState.ACCEPTED],
    OutgoingState.DELIVERED: [OutgoingState.UNKNOWN, OutgoingState.ACCEPTED, OutgoingState.DEFERRED],
    OutgoingState.BOUNCED: [
        OutgoingState.UNKNOWN,
        OutgoingState.ACCEPTED,
        OutgoingState.DEFERRED,
        OutgoingState.DELIVERED,
    ],
    OutgoingState.COMPLAINED: [
        OutgoingState.UNKNOWN,
        OutgoingState.ACCEPTED,
        OutgoingState.DEFERRED,
        OutgoingState.DELIVERED,
        OutgoingState.BOUNCED,
    ],
}


class Move(Enum):
    """What came of applying a mail service's word to a mail."""

    MOVED = auto()
    NOTHING_NEW = auto()
    NOT_YET = auto()
    NO_SUCH_MAIL = auto()


def new_public_id() -> str:
    """An opaque id: it rides in Message-IDs and provider metadata and says nothing about anybody."""
    return secrets.token_hex(16)


class Outgoing(models.Model):
    """One mail to one address, with its state and the dates of each step.

    Each mail changes its state at least three times, and each index that knows of it is written as often: there are as
    few as the questions need. `indexes_of` makes those that every kind of mail has.
    """

    public_id = models.CharField(max_length=32, default=new_public_id, editable=False)
    state = models.CharField(max_length=12, choices=OutgoingState, default=OutgoingState.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it was skipped, failed, put back, or is unknown.")
    attempt = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True, blank=True)
    claim_token = models.CharField(max_length=32, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    worker_deaths = models.PositiveSmallIntegerField(default=0)
    provider = models.CharField(max_length=40, blank=True)
    provider_message_id = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    begun_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When the outcome was recorded.")

    class Meta:
        abstract = True


def indexes_of(name: str) -> list[models.Index]:
    """What waits, what is in hand, and what a mail service knows by an id of its own: each index holds those alone."""
    return [
        models.Index(fields=["id"], condition=Q(state="queued"), name=f"{name}_queued"),
        models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name=f"{name}_in_hand"),
        models.Index(fields=["provider_message_id"], condition=~Q(provider_message_id=""), name=f"{name}_known_as"),
    ]


def bring_back(skipped: models.QuerySet[Any]) -> int:
    """Put those of these mails that were skipped into the queue again: what stood against them is over."""
    return skipped.filter(state=OutgoingState.SKIPPED).update(
        state=OutgoingState.QUEUED, reason="", not_before=None, settled_at=None
    )


def send_again(mails: models.QuerySet[Any], **values: Any) -> int:
    """The owner's word that those of these mails that failed, or are unknown, go out once more. Safe to press twice.

    `values` are written with it. A late answer to the attempt before changes nothing any more.
    """
    return mails.filter(state__in=[OutgoingState.FAILED, OutgoingState.UNKNOWN]).update(
        state=OutgoingState.QUEUED,
        reason="To be sent again: the owner said so.",
        attempt=0,
        worker_deaths=0,
        not_before=None,
        claim_token="",
        lease_until=None,
        settled_at=None,
        **values,
    )


def take_as_sent(mails: models.QuerySet[Any]) -> int:
    """The owner's word that those of these mails that are unknown did leave. Safe to press twice."""
    return mails.filter(state=OutgoingState.UNKNOWN).update(
        state=OutgoingState.ACCEPTED, reason="The owner took it as sent.", claim_token="", lease_until=None
    )


def move(model: type[Outgoing], *, outgoing_id: str, state: OutgoingState, detail: str, also: Q | None = None) -> Move:
    """Move the mail of this id to what a mail service says of it, never backwards. `also` are other mails that may be
    moved to this state: what was to be sent again, say, and turns out to have arrived."""
    rows = model._default_manager.filter(public_id=outgoing_id)
    may_move = Q(state__in=MAY_FOLLOW[state])
    moved = rows.filter(may_move if also is None else may_move | also).update(
        state=state, reason=detail, claim_token="", lease_until=None, not_before=None, settled_at=Now()
    )
    if moved:
        return Move.MOVED
    current = rows.values_list("state", flat=True).first()
    if current is None:
        return Move.NO_SUCH_MAIL
    return Move.NOT_YET if current == OutgoingState.HANDING_OVER else Move.NOTHING_NEW


def public_id_of(provider_message_id: str) -> str:
    """Our own id of the mail, of whatever kind, that a mail service knows by this one; empty where there is none."""
    if not provider_message_id:
        return ""
    for model in Outgoing.__subclasses__():
        rows = model._default_manager.filter(provider_message_id=provider_message_id)
        if found := rows.values_list("public_id", flat=True).first():
            return str(found)
    return ""


def sweep(model: type[Outgoing]) -> dict[str, int]:
    """End the leases that ran out. Safe at any time, from any number of processes.

    A claimed row goes back to the queue, unless workers died over it twice: then it fails and is shown, so that a
    poison row cannot kill workers for ever. A row that was being handed over becomes unknown and is never re-sent.
    """
    expired = model._default_manager.filter(lease_until__lte=Now())
    free = {"claim_token": "", "lease_until": None}
    unknown = expired.filter(state=OutgoingState.HANDING_OVER).update(
        state=OutgoingState.UNKNOWN,
        reason="The worker ended during the hand-off; whether the mail left is not known.",
        lease_until=None,
        settled_at=Now(),
    )
    failed = expired.filter(state=OutgoingState.CLAIMED, worker_deaths__gte=MAX_WORKER_DEATHS - 1).update(
        state=OutgoingState.FAILED,
        reason=f"{DIED_OVER} {MAX_WORKER_DEATHS} workers.",
        worker_deaths=F("worker_deaths") + 1,
        settled_at=Now(),
        **free,
    )
    requeued = expired.filter(state=OutgoingState.CLAIMED).update(
        state=OutgoingState.QUEUED, worker_deaths=F("worker_deaths") + 1, **free
    )
    return {"requeued": requeued, "failed": failed, "unknown": unknown}


def due_ids(model: type[Outgoing], *, limit: int, also: Q | None = None) -> list[int]:
    """The ids of queued rows that may be sent now, oldest first: what a sweeper rings for. `also` must hold, too."""
    queued = model._default_manager.filter(_due() if also is None else _due() & also, state=OutgoingState.QUEUED)
    return list(queued.order_by("pk").values_list("pk", flat=True)[:limit])


def _due() -> Q:
    return Q(not_before__isnull=True) | Q(not_before__lte=Now())

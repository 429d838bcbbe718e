"""The life of one outgoing mail, from queued to known: what digests and notices share.

Every step is ONE conditional UPDATE, judged by the database's own clock, so any number of workers may try any step at
any time and at most one of them changes the row. The queue is a doorbell; these rows are the truth.

    queued ─claim→ claimed ─begin→ handing_over ─record→ accepted | queued again | failed | unknown
"""

import datetime as dt
import secrets
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum, auto
from typing import Any, TypeVar

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater

LEASE = dt.timedelta(minutes=5)
MAX_ATTEMPTS = 8
MAX_WORKER_DEATHS = 2
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
_MAY_FOLLOW = {
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


Mail = TypeVar("Mail", bound=Outgoing)


def indexes_of(name: str) -> list[models.Index]:
    """What waits, what is in hand, and what a mail service knows by an id of its own: each index holds those alone."""
    return [
        models.Index(fields=["id"], condition=Q(state="queued"), name=f"{name}_queued"),
        models.Index(fields=["lease_until"], condition=Q(lease_until__isnull=False), name=f"{name}_in_hand"),
        models.Index(fields=["provider_message_id"], condition=~Q(provider_message_id=""), name=f"{name}_known_as"),
    ]


def claim(model: type[Mail], ids: Iterable[int], *, lease: dt.timedelta = LEASE) -> list[Mail]:
    """Take those of `ids` that are queued and due, for as long as `lease`. Returns the rows taken, in id order."""
    token = secrets.token_hex(16)
    wanted = list(ids)
    waiting = model._default_manager.filter(pk__in=wanted, state=OutgoingState.QUEUED).filter(_due())
    waiting.update(state=OutgoingState.CLAIMED, claim_token=token, lease_until=Now() + lease)
    taken = model._default_manager.filter(pk__in=wanted, claim_token=token, state=OutgoingState.CLAIMED)
    return list(taken.order_by("pk"))


def claim_apart(model: type[Mail], ids: Iterable[int], *, lease: dt.timedelta = LEASE) -> Iterator[list[Mail]]:
    """Claim all of `ids` that no worker died over, then each of the others by itself, when its turn comes.

    So a poison row takes the rows around it down once, never twice: at the second death it was alone in hand.
    """
    wanted = list(ids)
    queued = model._default_manager.filter(pk__in=wanted, state=OutgoingState.QUEUED)
    suspects = list(queued.filter(worker_deaths__gt=0).order_by("pk").values_list("pk", flat=True))
    yield claim(model, [pk for pk in wanted if pk not in suspects], lease=lease)
    for pk in suspects:
        yield claim(model, [pk], lease=lease)


def begin(row: Outgoing, *, allowed: Q, values: Mapping[str, Any] | None = None) -> bool:
    """The last word before the hand-off: True means this worker, now, may send this row, and nobody else may.

    `allowed` is what else must hold at this very moment (the reader still wants mail, the edition is not paused);
    `values` are written in the same UPDATE. False means do not send.
    """
    # `allowed` joins other tables, and an UPDATE with joins is written `id IN (SELECT …)`: PostgreSQL then judges the
    # row as it was before a concurrent change. Inside EXISTS it leaves the row's own conditions to the UPDATE itself.
    permitted = type(row)._default_manager.filter(allowed, pk=OuterRef("pk"))
    changed = (
        _held(row, OutgoingState.CLAIMED)
        .filter(Exists(permitted), lease_until__gt=Now())
        .update(state=OutgoingState.HANDING_OVER, begun_at=Now(), attempt=F("attempt") + 1, **(values or {}))
    )
    return changed == 1


def record(row: Outgoing, outcome: Outcome) -> OutgoingState | None:
    """Write down how the hand-off ended. Returns the new state, or None where the row was no longer ours to change.

    A late answer from the row's own worker still turns `unknown` into what really happened.
    """
    held = _held(row, OutgoingState.HANDING_OVER, OutgoingState.UNKNOWN)
    match outcome:
        case Accepted():
            state, values = OutgoingState.ACCEPTED, _accepted(outcome)
        case TryLater() if row.attempt + 1 < MAX_ATTEMPTS:
            state, values = OutgoingState.QUEUED, _put_back(row, outcome)
        case TryLater(reason=reason):
            state, values = OutgoingState.FAILED, {"reason": f"Given up after {MAX_ATTEMPTS} attempts: {reason}"}
        case Refused(reason=reason):
            state, values = OutgoingState.FAILED, {"reason": reason}
        case NoAnswer(reason=reason):
            # The token stays: an answer that is only late may still come from this worker.
            changed = held.update(state=OutgoingState.UNKNOWN, reason=reason, settled_at=Now())
            return OutgoingState.UNKNOWN if changed else None
    changed = held.update(state=state, claim_token="", lease_until=None, settled_at=Now(), **values)
    return state if changed else None


def skip(row: Outgoing, reason: str) -> bool:
    """Decide, while holding the claim, that this mail is not to be sent, and say why."""
    return _settle_claimed(row, state=OutgoingState.SKIPPED, reason=reason)


def fail(row: Outgoing, reason: str) -> bool:
    """Decide, while holding the claim, that this mail cannot be made, and say why."""
    return _settle_claimed(row, state=OutgoingState.FAILED, reason=reason)


def put_back(row: Outgoing, reason: str, *, after: dt.timedelta) -> bool:
    """Give a claimed row back, unsent, not to be tried again before `after` has passed."""
    changed = _held(row, OutgoingState.CLAIMED).update(
        state=OutgoingState.QUEUED, claim_token="", lease_until=None, reason=reason, not_before=Now() + after
    )
    return changed == 1


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


def move(
    model: type[Outgoing], *, outgoing_id: str, provider_message_id: str, state: OutgoingState, detail: str
) -> Move:
    """Move one mail to what a mail service says of it, never backwards.

    It is known by our own id; only where the service did not give that back, by the id the service gave it.
    """
    if outgoing_id:
        rows = model._default_manager.filter(public_id=outgoing_id)
    elif provider_message_id:
        rows = model._default_manager.filter(provider_message_id=provider_message_id)
    else:
        return Move.NO_SUCH_MAIL
    if rows.filter(state__in=_MAY_FOLLOW[state]).update(state=state, reason=detail, settled_at=Now()):
        return Move.MOVED
    current = rows.values_list("state", flat=True).first()
    if current is None:
        return Move.NO_SUCH_MAIL
    return Move.NOT_YET if current == OutgoingState.HANDING_OVER else Move.NOTHING_NEW


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
        reason=f"In hand at the end of {MAX_WORKER_DEATHS} workers.",
        worker_deaths=F("worker_deaths") + 1,
        settled_at=Now(),
        **free,
    )
    requeued = expired.filter(state=OutgoingState.CLAIMED).update(
        state=OutgoingState.QUEUED, worker_deaths=F("worker_deaths") + 1, **free
    )
    return {"requeued": requeued, "failed": failed, "unknown": unknown}


def due_ids(model: type[Outgoing], *, limit: int) -> list[int]:
    """The ids of queued rows that may be sent now, oldest first: what a sweeper rings for."""
    queued = model._default_manager.filter(state=OutgoingState.QUEUED).filter(_due())
    return list(queued.order_by("pk").values_list("pk", flat=True)[:limit])


def _due() -> Q:
    return Q(not_before__isnull=True) | Q(not_before__lte=Now())


def _held(row: Outgoing, *states: OutgoingState) -> models.QuerySet[Outgoing]:
    return type(row)._default_manager.filter(pk=row.pk, claim_token=row.claim_token, state__in=states)


def _settle_claimed(row: Outgoing, *, state: OutgoingState, reason: str) -> bool:
    changed = _held(row, OutgoingState.CLAIMED).update(
        state=state, reason=reason, claim_token="", lease_until=None, settled_at=Now()
    )
    return changed == 1


def _accepted(outcome: Accepted) -> dict[str, Any]:
    return {"provider": outcome.provider, "provider_message_id": outcome.message_id, "reason": ""}


def _put_back(row: Outgoing, outcome: TryLater) -> dict[str, Any]:
    minutes = BACKOFF[min(row.attempt, len(BACKOFF) - 1)]
    return {"reason": outcome.reason, "not_before": Now() + dt.timedelta(minutes=minutes)}

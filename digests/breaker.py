"""The circuit breaker: where too much of an edition bounces, or is taken for spam, nothing more of it leaves.

Providers close the accounts of senders who go on, and every further mail would cost the others their inbox.
"""

import datetime as dt
import logging
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from digests.editions import pause
from digests.models import Delivery, Edition, EditionState, age_limit
from subscriptions.models import MailEvent, NoticeKind
from subscriptions.outgoing import DIED_OVER, GIVEN_UP, SENT_STATES, OutgoingState
from subscriptions.owner import tell_owner

logger = logging.getLogger(__name__)

MOST_HARD_BOUNCES = 0.05
MOST_COMPLAINTS = 0.003
# What a few readers do says nothing about all of them.
SMALLEST_SAMPLE = 200
FEWEST_BOUNCES = 10
FEWEST_COMPLAINTS = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an edition's mail is taken: how many left, and how many of them came back or were called spam."""

    sent: int
    hard_bounces: int
    complaints: int

    @property
    def reason(self) -> str:
        """Why to stop, or nothing."""
        if self.sent < SMALLEST_SAMPLE:
            return ""
        if self.hard_bounces >= FEWEST_BOUNCES and self.hard_bounces > MOST_HARD_BOUNCES * self.sent:
            return f"{self.hard_bounces} of {self.sent} mails bounced for good"
        if self.complaints >= FEWEST_COMPLAINTS and self.complaints > MOST_COMPLAINTS * self.sent:
            return f"{self.complaints} of {self.sent} mails were marked as spam"
        return ""


def trip_breakers(*, now: dt.datetime) -> list[Edition]:
    """Pause each edition that is taken badly, and tell the owner, once: whoever resumes it has decided. Safe twice."""
    tripped = []
    for edition in Edition.objects.published().filter(date__gte=age_limit(now)):
        reason = judge(edition).reason
        if not reason:
            continue
        with transaction.atomic():
            # Both or neither: an edition that stands still and nobody knows of would stand still for ever, and a word
            # to the owner that nothing followed would keep the breaker from ever tripping.
            if not pause(edition):
                continue
            if not _tell(edition, reason):
                transaction.set_rollback(True)
                continue
            logger.error("edition %s was paused: %s", edition, reason)
            tripped.append(edition)
    return tripped


def judge(edition: Edition) -> Verdict:
    """How this edition's mail is taken so far."""
    rows = Delivery.objects.filter(edition=edition)
    bad = MailEvent.objects.filter(outgoing_id__in=rows.filter(state=OutgoingState.BOUNCED).values("public_id"))
    # Said no for good at the hand-off itself, where a provider would have taken it and told of a bounce later.
    refused = rows.filter(_was_refused()).count()
    return Verdict(
        sent=rows.filter(state__in=SENT_STATES).count() + refused,
        hard_bounces=bad.filter(is_hard_bounce=True).values("outgoing_id").distinct().count() + refused,
        complaints=rows.filter(state=OutgoingState.COMPLAINED).count(),
    )


def _was_refused() -> Q:
    """Failed by the mail service's word: not for its patience at an end, nor in the hands of workers that died."""
    ours = Q(reason__startswith=GIVEN_UP) | Q(reason__startswith=DIED_OVER)
    return Q(state=OutgoingState.FAILED, begun_at__isnull=False) & ~ours


def _tell(edition: Edition, reason: str) -> bool:
    details = {
        "edition": str(edition),
        "reason": reason,
        "state": EditionState.PAUSED.value,
        "admin_path": reverse("admin:digests_edition_change", args=[edition.pk]),
    }
    return tell_owner(key=f"sending-paused-{edition.pk}", kind=NoticeKind.SENDING_PAUSED, details=details)

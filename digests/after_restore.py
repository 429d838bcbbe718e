"""What a database that was put back may have sent since: editions, day by day, and what the owner says of each."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from digests.editions import cutoff_of, local_date
from digests.models import Delivery, Edition, EditionState, Letter, LetterState
from subscriptions.outgoing import OutgoingState

SENT_BEFORE = "It went out before the database was put back, says the owner."
_OPEN = [OutgoingState.QUEUED, OutgoingState.CLAIMED]
# No edition is sent that is older than a week, so no more days are in question.
_MOST_DAYS = 8


@dataclass(frozen=True, slots=True)
class InQuestion:
    """A day whose mails may have left: how far it is here, and how many of its mails wait."""

    date: dt.date
    says: str
    waiting: int


def editions_in_question(*, since: dt.datetime, now: dt.datetime) -> list[InQuestion]:
    """The editions that may have been sent, in part or whole, between the backup and now; the oldest first."""
    first = max(local_date(since) - dt.timedelta(days=1), local_date(now) - dt.timedelta(days=_MOST_DAYS))
    found = []
    day = first
    while day <= local_date(now):
        edition = Edition.objects.filter(date=day).first()
        waiting = Delivery.objects.filter(edition=edition, state__in=_OPEN).count() if edition else 0
        if edition is None and cutoff_of(day) <= now:
            found.append(InQuestion(day, "is not there, and may have been made and sent", 0))
        elif edition and _may_have_gone(edition, waiting=waiting, now=now):
            found.append(InQuestion(day, f"{edition.get_state_display().lower()}", waiting))
        day += dt.timedelta(days=1)
    return found


@transaction.atomic
def mark_sent(*, date: dt.date, now: dt.datetime) -> int:
    """The owner's word that this day's edition went out: its mails that wait are skipped, with the reason, and nobody
    is planned for it any more. Returns how many were skipped. Safe twice."""
    edition, _ = Edition.objects.get_or_create(
        date=date, defaults={"cutoff_at": cutoff_of(date), "state": EditionState.CANCELLED}
    )
    rows = Delivery.objects.filter(edition=edition, state__in=_OPEN)
    skipped = rows.update(
        state=OutgoingState.SKIPPED, reason=SENT_BEFORE, claim_token="", lease_until=None, settled_at=now
    )
    closed = EditionState.CLOSED if edition.published_at else EditionState.CANCELLED
    Edition.objects.filter(pk=edition.pk).exclude(state=EditionState.CLOSED).update(state=closed)
    return skipped


def stop_letters() -> int:
    """Letters that were on their way wait for the owner to go on with them. Returns how many."""
    return Letter.objects.filter(state=LetterState.SENDING).update(state=LetterState.PAUSED)


def _may_have_gone(edition: Edition, *, waiting: int, now: dt.datetime) -> bool:
    if edition.state in (EditionState.DRAFT, EditionState.HELD):
        return edition.cutoff_at <= now
    return bool(waiting) or edition.state in (EditionState.PUBLISHED, EditionState.PAUSED)

"""Records of mails that nobody asks for any more: what mail services said, and notices that ended, over a year ago."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import Model, QuerySet

from subscriptions.models import MailEvent, Notice
from subscriptions.outgoing import OutgoingState

# A yearly question, and who answered it, must still be found when the next one is due.
RECORDS_KEPT_DAYS = 400
_CHUNK = 1000
_NOT_ENDED = [OutgoingState.QUEUED, OutgoingState.CLAIMED, OutgoingState.HANDING_OVER]


@dataclass(frozen=True, slots=True)
class RecordsReport:
    """How many of each were deleted, or would be."""

    mail_events: int = 0
    notices: int = 0


def prune_records(*, now: dt.datetime, dry_run: bool = False) -> RecordsReport:
    """Delete applied mail events, and notices whose end is known, that are older than `RECORDS_KEPT_DAYS`. Safe to run
    twice, and to be killed."""
    before = now - dt.timedelta(days=RECORDS_KEPT_DAYS)
    events = MailEvent.objects.filter(received_at__lt=before, applied_at__isnull=False)
    notices = Notice.objects.filter(created_at__lt=before).exclude(state__in=_NOT_ENDED)
    if dry_run:
        return RecordsReport(events.count(), notices.count())
    return RecordsReport(delete_in_chunks(events), delete_in_chunks(notices))


def delete_in_chunks(rows: QuerySet[Model]) -> int:
    """Delete these rows, some at a time, so that no one statement holds many. Returns how many went."""
    deleted = 0
    while ids := list(rows.order_by("pk").values_list("pk", flat=True)[:_CHUNK]):
        gone = rows.filter(pk__in=ids).delete()[0]
        if not gone:
            break
        deleted += gone
    return deleted

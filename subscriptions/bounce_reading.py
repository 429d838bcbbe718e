"""What came back to our bounce address goes into the same table as the webhooks of providers, to be applied by the same
rules.

A report is believed about one thing: which of our mails it speaks of, by the opaque id in the address it came to, or in
the Message-ID of our mail that it holds. Whose mail that was we know ourselves, so that nobody can report a stranger.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum

from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from django.conf import settings

from mailer.envelope import outgoing_id_in, outgoing_id_of
from subscriptions.bounce_mailbox import Letter, Mailbox
from subscriptions.events import is_stored, store_event
from subscriptions.outgoing import Outgoing
from subscriptions.reports import Report, ReportKind, read_reports

logger = logging.getLogger(__name__)

PROVIDER = "bounce mailbox"
_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")
_TYPES = {
    ReportKind.FAILED: EventType.BOUNCED,
    ReportKind.DELAYED: EventType.DEFERRED,
    ReportKind.DELIVERED: EventType.DELIVERED,
    ReportKind.COMPLAINT: EventType.COMPLAINED,
    ReportKind.OPT_OUT: EventType.UNSUBSCRIBED,
}


class Found(StrEnum):
    """What a letter turned out to be."""

    NEW = "new"
    KNOWN = "known"
    # A report, but of no mail of ours, or of one that is long forgotten.
    STRANGE = "strange"
    OTHER = "other"
    BROKEN = "broken"


def read_letter(source: bytes, *, dry_run: bool = False) -> Found:
    """Take in what one letter reports. Reading it again changes nothing."""
    try:
        reports = read_reports(source) if source else []
    except (ValueError, LookupError, RecursionError):
        logger.warning("a letter in the bounce mailbox cannot be read")
        return Found.BROKEN
    if not reports:
        return Found.OTHER
    events = [event for report in reports if (event := _event_of(report))]
    if not events:
        return Found.STRANGE
    if dry_run:
        return Found.NEW
    new = [event for event in events if not is_stored(event, provider=PROVIDER)]
    for event in new:
        store_event(event, provider=PROVIDER)
    return Found.NEW if new else Found.KNOWN


def read_mailbox(mailbox: Mailbox, names: Iterable[str], *, dry_run: bool = False) -> Counter[Found]:
    """Take in these letters, one after the other, and mark each when what it says is stored."""
    counts: Counter[Found] = Counter()
    for name in names:
        letter: Letter = mailbox.read(name)
        found = read_letter(letter.source, dry_run=dry_run)
        counts[found] += 1
        if not dry_run:
            mailbox.mark(name, is_report=found in {Found.NEW, Found.KNOWN, Found.STRANGE})
    return counts


def bounces_are_known() -> bool:
    """Whether anybody would tell us of a bounce: a provider by webhook, or a mailbox of our own."""
    if settings.EMAIL_PROVIDER in {"smtp", "outbox"}:
        return bool(settings.BOUNCE_ADDRESS)
    return bool(settings.ANYMAIL.get("WEBHOOK_SECRET"))


def _event_of(report: Report) -> AnymailTrackingEvent | None:
    mail = _mail_of(report)
    if mail is None:
        return None
    subscriber = getattr(mail, "subscriber", None)
    kind = _TYPES[report.kind]
    words = _ADDRESS.sub("…", report.words)[:400]
    return AnymailTrackingEvent(
        event_type=kind,
        event_id=report.key,
        timestamp=report.happened_at,
        recipient=subscriber.email if subscriber else None,
        metadata={"outgoing_id": mail.public_id},
        reject_reason=RejectReason.BOUNCED if kind == EventType.BOUNCED else None,
        description=f"{report.status} {words}".strip(),
        mta_response=f"{report.status} {words}".strip(),
        esp_event={"status": report.status, "words": words},
    )


def _mail_of(report: Report) -> Outgoing | None:
    named = [outgoing_id_of(address) for address in report.addresses]
    named += [outgoing_id_in(message_id) for message_id in report.message_ids]
    # Its own address first: a mail that was sent back may hold another one.
    for public_id in filter(None, named):
        for model in Outgoing.__subclasses__():
            mail = model._default_manager.filter(public_id=public_id).first()
            if mail is not None:
                return mail
    return None

"""Links for what a forwarded mail must not allow: mailed to the reader's own address, good for two hours, each for
one thing."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext_lazy

from subscriptions.models import Notice, NoticeKind, Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.tokens import Purpose

# How often, at most, whoever holds a forwarded mail can have a reader sent such a link.
MOST_A_DAY = 6

# What each is for, in the words of the mail that brings it.
OWN_LINKS = {
    Purpose.ARCHIVE: gettext_lazy("read again what was sent to you"),
    Purpose.EXPORT: gettext_lazy("download all we keep about you"),
    Purpose.ADDRESS: gettext_lazy("have your papers sent to another address"),
    Purpose.ERASE: gettext_lazy("erase all we keep about you"),
}


@transaction.atomic
def ask_for_link(*, subscriber: Subscriber, purpose: Purpose, now: dt.datetime) -> int | None:
    """Write the mail that brings this link. Returns the notice to send, or None where none may go now; the page says
    the same in either case."""
    if purpose not in OWN_LINKS or subscriber.state == SubscriberState.PENDING:
        return None
    # Held until the end, so that many at once are counted one after the other.
    Subscriber.objects.select_for_update().get(pk=subscriber.pk)
    sent = Notice.objects.filter(address_hash=subscriber.address_hash, kind=NoticeKind.FRESH_LINK)
    today = sent.exclude(state__in=[OutgoingState.FAILED, OutgoingState.SKIPPED]).filter(
        created_at__gt=now - dt.timedelta(days=1)
    )
    if today.count() >= MOST_A_DAY:
        return None
    notice = Notice.objects.create(
        kind=NoticeKind.FRESH_LINK,
        subscriber=subscriber,
        address_hash=subscriber.address_hash,
        details={"purpose": purpose.value},
        created_at=now,
    )
    return notice.pk

"""Sending notices: every mail that is no digest, over the same engine as the digests."""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db.models import Q

from mailer.languages import speaking
from mailer.links import absolute
from mailer.messages import compose, render
from subscriptions import journal
from subscriptions.batch import Made, Unmade
from subscriptions.journal import Claimed, Permission
from subscriptions.models import OWNER_KINDS, AddressChange, Notice, NoticeKind, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.own_links import OWN_LINKS
from subscriptions.sending import send_claimed
from subscriptions.suppression import awaits_new_opt_in, may_confirm, not_suppressed
from subscriptions.tokens import Purpose, link

logger = logging.getLogger(__name__)


def send_notices(ids: Iterable[int], *, now: dt.datetime) -> int:
    """Send those of these notices that are queued and due. Returns how many were accepted. Safe to run twice."""
    return send_claimed(NoticeWork(now=now), ids).count(OutgoingState.ACCEPTED)


@dataclass(slots=True, kw_only=True)
class ClaimedNotice(Claimed):
    """A notice in hand."""

    notice: Notice


class NoticeWork:
    """How notices become mails; see `subscriptions.batch.Work`."""

    model = Notice
    # Few, and somebody waits for each: a confirmation must not wait for tomorrow because digests used up the day.
    keeps_day_cap = False

    def __init__(self, *, now: dt.datetime) -> None:
        self._now = now
        self._allowed = _allowed(now)
        self._permission = Permission(Notice, self._allowed)

    def claim(self, ids: Sequence[int], *, token: str, again: bool) -> list[ClaimedNotice]:
        taken = [pk for (pk,) in journal.claim_rows(Notice, ids, token=token, columns=["id"], again=again)]
        notices = Notice.objects.select_related("subscriber").filter(pk__in=taken).order_by("pk")
        return [
            ClaimedNotice(pk=notice.pk, attempt=notice.attempt, claim_token=token, notice=notice) for notice in notices
        ]

    def make(self, rows: Sequence[ClaimedNotice]) -> Iterator[Made[ClaimedNotice] | Unmade[ClaimedNotice]]:
        for row in rows:
            yield self._make_one(row)

    def begin(self, mails: Sequence[Made[ClaimedNotice]], *, again: bool) -> set[int]:
        return journal.begin_rows(Notice, [mail.row for mail in mails], permission=self._permission, again=again)

    def stopped(self, row: ClaimedNotice) -> tuple[OutgoingState | None, str]:
        """Ask the database why. A notice that is still wanted waits, or is somebody else's by now."""
        if Notice.objects.filter(self._allowed, pk=row.pk).exists():
            return None, "It took longer than its lease."
        return OutgoingState.SKIPPED, "No longer wanted, or the address is suppressed."

    def _make_one(self, row: ClaimedNotice) -> Made[ClaimedNotice] | Unmade[ClaimedNotice]:
        """What goes wrong with one notice stays on its row and never stops the others."""
        notice, address = row.notice, _address_of(row.notice)
        if not address:
            return Unmade(row, OutgoingState.SKIPPED, _WHY_NOBODY.get(notice.kind, "The subscriber was erased."))
        try:
            language = notice.subscriber.language if notice.subscriber else ""
            with speaking(language):
                rendered = render(notice.kind, _context(notice), language=language)
            message = compose(rendered, to=address, public_id=notice.public_id, now=self._now)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            logger.exception("notice %s cannot be made", notice.public_id)
            return Unmade(row, OutgoingState.FAILED, f"The mail cannot be made: {error.__class__.__name__}.")
        return Made(row, message)


_WHY_NOBODY = {
    **dict.fromkeys(map(str, OWNER_KINDS), "No OWNER_EMAIL is set."),
    str(NoticeKind.NEW_ADDRESS): "Another address was asked for since.",
}


def _address_of(notice: Notice) -> str:
    if notice.kind in OWNER_KINDS:
        return str(settings.OWNER_EMAIL)
    if notice.kind == NoticeKind.NEW_ADDRESS:
        change = AddressChange.objects.filter(public_id=notice.details.get("change", "")).first()
        return change.email if change else ""
    return notice.subscriber.email if notice.subscriber else ""


def _context(notice: Notice) -> dict[str, Any]:
    if notice.subscriber is None:
        return {**notice.details, "admin_url": f"{settings.SITE_URL}{notice.details.get('admin_path', '')}"}
    public_id = notice.subscriber.public_id
    return {
        **_of_kind(notice, public_id),
        "confirm_url": link(Purpose.CONFIRM, public_id),
        "manage_url": link(Purpose.MANAGE, public_id),
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, public_id),
        "subscribe_url": absolute("subscriptions:subscribe"),
        "privacy_url": absolute("subscriptions:privacy"),
    }


def _of_kind(notice: Notice, public_id: str) -> dict[str, str]:
    """The link that is the point of a mail of this kind. Made now, so that its time begins when the mail leaves."""
    match notice.kind:
        case NoticeKind.FRESH_LINK:
            purpose = Purpose(notice.details["purpose"])
            return {"purpose": purpose.value, "what_for": str(OWN_LINKS[purpose]), "own_url": link(purpose, public_id)}
        case NoticeKind.NEW_ADDRESS:
            return {"new_address_url": link(Purpose.NEW_ADDRESS, notice.details["change"])}
        case NoticeKind.SIGN_IN:
            return {"sign_in_url": link(Purpose.SIGN_IN, notice.details["session"])}
        case NoticeKind.SUBMISSION_ANSWER:
            return {**notice.details, "paper_url": f"{settings.SITE_URL}{notice.details.get('path', '')}"}
        case NoticeKind.STILL_WANTED:
            return {"keep_url": link(Purpose.KEEP, public_id)}
    return {}


def _allowed(now: dt.datetime) -> Q:
    """What must hold at the very moment of the hand-off."""
    unconfirmed = Q(subscriber__state=SubscriberState.PENDING) & may_confirm(now)
    back = Q(subscriber__state=SubscriberState.ACTIVE) & awaits_new_opt_in(now)
    known = Q(subscriber__state__in=[SubscriberState.ACTIVE, SubscriberState.PAUSED]) & not_suppressed()
    # Whoever came back meanwhile is told no goodbye. Who has left may still ask what we keep.
    gone = Q(subscriber__state=SubscriberState.UNSUBSCRIBED) & not_suppressed()
    is_for_owner = Q(kind__in=OWNER_KINDS)
    is_confirmation, is_goodbye = Q(kind=NoticeKind.CONFIRMATION), Q(kind=NoticeKind.GOODBYE)
    is_own_link = Q(kind=NoticeKind.FRESH_LINK)
    to_owner = is_for_owner & Q(subscriber__isnull=True)
    to_reader = ~is_confirmation & ~is_goodbye & ~is_for_owner & known
    to_gone = (is_goodbye | is_own_link) & gone
    return to_owner | (is_confirmation & (unconfirmed | back)) | to_gone | to_reader

"""Sending notices: every mail that is no digest, over the same engine as the digests."""

import datetime as dt
import logging
from collections.abc import Iterable
from typing import Any

from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q

from mailer.handoff import hand_off
from mailer.messages import compose, render
from subscriptions.models import OWNER_KINDS, Notice, NoticeKind, SubscriberState
from subscriptions.outgoing import OutgoingState, begin, fail, put_back, skip
from subscriptions.sending import LOOK_AGAIN, record_patiently, send_claimed
from subscriptions.suppression import awaits_new_opt_in, may_confirm, not_suppressed
from subscriptions.tokens import Purpose, link

logger = logging.getLogger(__name__)


def send_notices(ids: Iterable[int], *, now: dt.datetime) -> int:
    """Send those of these notices that are queued and due. Returns how many were accepted. Safe to run twice."""

    def send_one(notice: Notice, connection: BaseEmailBackend) -> OutgoingState | None:
        return _send_notice(notice, connection=connection, now=now)

    return send_claimed(Notice, ids, send_one=send_one).count(OutgoingState.ACCEPTED)


def _send_notice(notice: Notice, *, connection: BaseEmailBackend, now: dt.datetime) -> OutgoingState | None:
    """One notice, start to end. What goes wrong with it stays on its row and never stops the others."""
    address = _address_of(notice)
    if not address:
        nobody = "No OWNER_EMAIL is set." if notice.kind in OWNER_KINDS else "The subscriber was erased."
        skip(notice, nobody)
        return OutgoingState.SKIPPED
    try:
        rendered = render(notice.kind, _context(notice))
        message = compose(rendered, to=address, public_id=notice.public_id, now=now)
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        logger.exception("notice %s cannot be made", notice.public_id)
        fail(notice, f"The mail cannot be made: {error.__class__.__name__}.")
        return OutgoingState.FAILED
    if not begin(notice, allowed=_allowed(notice, now=now)):
        return _stopped_at_the_door(notice, now=now)
    state = record_patiently(notice, hand_off(message, connection=connection))
    logger.info("notice %s (%s): %s", notice.public_id, notice.kind, state)
    return state


def _address_of(notice: Notice) -> str:
    if notice.kind in OWNER_KINDS:
        return str(settings.OWNER_EMAIL)
    return notice.subscriber.email if notice.subscriber else ""


def _context(notice: Notice) -> dict[str, Any]:
    if notice.subscriber is None:
        return {**notice.details, "admin_url": f"{settings.SITE_URL}{notice.details.get('admin_path', '')}"}
    public_id = notice.subscriber.public_id
    return {
        "confirm_url": link(Purpose.CONFIRM, public_id),
        "manage_url": link(Purpose.MANAGE, public_id),
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, public_id),
    }


def _allowed(notice: Notice, *, now: dt.datetime) -> Q:
    """What must hold at the very moment of the hand-off."""
    if notice.kind in OWNER_KINDS:
        return Q(subscriber__isnull=True)
    if notice.kind == NoticeKind.CONFIRMATION:
        unconfirmed = Q(subscriber__state=SubscriberState.PENDING) & may_confirm(now)
        return unconfirmed | (Q(subscriber__state=SubscriberState.ACTIVE) & awaits_new_opt_in(now))
    return Q(subscriber__state__in=[SubscriberState.ACTIVE, SubscriberState.PAUSED]) & not_suppressed()


def _stopped_at_the_door(notice: Notice, *, now: dt.datetime) -> OutgoingState | None:
    """Begin said no: ask the database why. A notice that is still wanted waits, or is somebody else's by now."""
    if Notice.objects.filter(_allowed(notice, now=now), pk=notice.pk).exists():
        waits = put_back(notice, "It took longer than its lease.", after=LOOK_AGAIN)
        return OutgoingState.QUEUED if waits else None
    return OutgoingState.SKIPPED if skip(notice, "No longer wanted, or the address is suppressed.") else None

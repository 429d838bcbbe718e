"""Sending notices: every mail that is no digest, over the same engine as the digests."""

import datetime as dt
import logging
from collections.abc import Iterable

from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Q

from mailer.handoff import hand_off
from mailer.messages import compose, render
from subscriptions.models import Notice, NoticeKind, SubscriberState
from subscriptions.outgoing import OutgoingState, begin, fail, record, skip
from subscriptions.sending import send_claimed
from subscriptions.suppression import may_confirm, not_suppressed
from subscriptions.tokens import Purpose, link

logger = logging.getLogger(__name__)

_STATES_FOR = {
    NoticeKind.CONFIRMATION: [SubscriberState.PENDING],
    NoticeKind.ALREADY_SUBSCRIBED: [SubscriberState.ACTIVE, SubscriberState.PAUSED],
}


def send_notices(ids: Iterable[int], *, now: dt.datetime) -> int:
    """Send those of these notices that are queued and due. Returns how many were accepted. Safe to run twice."""

    def send_one(notice: Notice, connection: BaseEmailBackend) -> OutgoingState | None:
        return _send_notice(notice, connection=connection, now=now)

    return send_claimed(Notice, ids, send_one=send_one).count(OutgoingState.ACCEPTED)


def _send_notice(notice: Notice, *, connection: BaseEmailBackend, now: dt.datetime) -> OutgoingState | None:
    """One notice, start to end. What goes wrong with it stays on its row and never stops the others."""
    subscriber = notice.subscriber
    if subscriber is None:
        skip(notice, "The subscriber was erased.")
        return OutgoingState.SKIPPED
    try:
        rendered = render(notice.kind, _context(subscriber.public_id))
        message = compose(rendered, to=subscriber.email, public_id=notice.public_id, now=now)
    except Exception as error:
        logger.exception("notice %s cannot be made", notice.public_id)
        fail(notice, f"The mail cannot be made: {error.__class__.__name__}.")
        return OutgoingState.FAILED
    if not begin(notice, allowed=_allowed(notice, now=now)):
        skip(notice, "No longer wanted, or the address is suppressed.")
        return OutgoingState.SKIPPED
    outcome = hand_off(message, connection=connection)
    state = record(notice, outcome)
    logger.info("notice %s (%s): %s", notice.public_id, notice.kind, state)
    return state


def _context(public_id: str) -> dict[str, str]:
    return {
        "confirm_url": link(Purpose.CONFIRM, public_id),
        "manage_url": link(Purpose.MANAGE, public_id),
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, public_id),
    }


def _allowed(notice: Notice, *, now: dt.datetime) -> Q:
    kind = NoticeKind(notice.kind)
    suppression = may_confirm(now) if kind == NoticeKind.CONFIRMATION else not_suppressed()
    return Q(subscriber__state__in=_STATES_FOR[kind]) & suppression

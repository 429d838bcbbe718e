"""Notices on their way: what they wait for, what stops them, and what a mail service that is down does to them."""

import datetime as dt
import socket
from collections.abc import Iterator

import pytest
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from subscriptions.models import Notice, NoticeKind, Subscriber, SubscriberState, SuppressionReason
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids, sweep
from subscriptions.suppression import suppress
from subscriptions.tasks import tick
from tests.factories import NOW, make_subscriber
from tests.smtp import DROP, OK, SmtpServer, smtp_server

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        yield server


@pytest.fixture
def asked() -> Subscriber:
    """Somebody who has not confirmed yet."""
    return make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)


def write(subscriber: Subscriber | None, kind: NoticeKind = NoticeKind.CONFIRMATION, **values: object) -> Notice:
    address_hash = subscriber.address_hash if subscriber else "0" * 64
    return Notice.objects.create(kind=kind, subscriber=subscriber, address_hash=address_hash, **values)


def states() -> list[tuple[str, str]]:
    return list(Notice.objects.order_by("id").values_list("state", "reason"))


def test_a_confirmation_is_sent_once_and_is_no_list_mail(smtp: SmtpServer, asked: Subscriber):
    notice = write(asked)
    assert send_notices([notice.pk], now=NOW) == 1
    assert send_notices([notice.pk], now=NOW) == 0
    (mail,) = smtp.mails
    assert mail.recipients == [asked.email]
    assert "/confirm/" in mail.source.decode()
    assert not [name for name in mail.message if name.lower().startswith("list-")]
    assert states() == [("accepted", "")]


def test_a_mail_service_that_is_down_for_long_loses_no_confirmation(settings: Settings, asked: Subscriber):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    notice = write(asked)
    for _ in range(20):
        assert send_notices([notice.pk], now=NOW) == 0
        Notice.objects.update(not_before=Now())
        sweep(Notice)
    notice.refresh_from_db()
    assert (notice.state, notice.attempt, notice.worker_deaths) == ("queued", 0, 0)
    assert "could not be reached" in notice.reason

    with smtp_server() as server:
        settings.EMAIL_PORT = server.port
        assert send_notices([notice.pk], now=NOW) == 1


def test_one_drop_leaves_one_unknown_and_the_others_go_on(smtp: SmtpServer):
    smtp.answers = [OK, DROP, OK]
    ids = [write(make_subscriber(state=SubscriberState.PENDING)).pk for _ in range(3)]
    assert send_notices(ids, now=NOW) == 2
    assert [state for state, _ in states()] == ["accepted", "unknown", "accepted"]


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (NoticeKind.CONFIRMATION, SubscriberState.ACTIVE),
        (NoticeKind.CONFIRMATION, SubscriberState.UNSUBSCRIBED),
        (NoticeKind.ALREADY_SUBSCRIBED, SubscriberState.PENDING),
        (NoticeKind.ALREADY_SUBSCRIBED, SubscriberState.UNSUBSCRIBED),
    ],
)
def test_a_notice_that_is_no_longer_true_is_not_sent(smtp: SmtpServer, kind: NoticeKind, state: str):
    write(make_subscriber(state=state), kind)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == 0
    assert states() == [("skipped", "No longer wanted, or the address is suppressed.")]
    assert smtp.mails == []


def test_a_notice_to_somebody_who_was_erased_is_skipped(smtp: SmtpServer):
    write(None)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == 0
    assert states() == [("skipped", "The subscriber was erased.")]


@pytest.mark.parametrize(
    ("reason", "days_ago", "may_go"),
    [
        (SuppressionReason.COMPLAINT, 400, False),
        (SuppressionReason.MANUAL, 400, False),
        (SuppressionReason.HARD_BOUNCE, 29, False),
        (SuppressionReason.HARD_BOUNCE, 30, True),
        (SuppressionReason.ERASED, 0, True),
    ],
)
def test_to_a_suppressed_address_a_confirmation_goes_only_where_its_owner_may_ask_anew(
    smtp: SmtpServer, asked: Subscriber, reason: SuppressionReason, days_ago: int, *, may_go: bool
):
    suppress(address_hash=asked.address_hash, reason=reason, now=NOW - dt.timedelta(days=days_ago))
    write(asked)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == may_go
    assert len(smtp.mails) == may_go


@pytest.mark.parametrize("reason", SuppressionReason)
def test_other_notices_never_go_to_a_suppressed_address(smtp: SmtpServer, reason: SuppressionReason):
    reader = make_subscriber()
    suppress(address_hash=reader.address_hash, reason=reason, now=NOW - dt.timedelta(days=400))
    write(reader, NoticeKind.ALREADY_SUBSCRIBED)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == 0
    assert smtp.mails == []


def test_the_minute_rings_for_what_the_queue_forgot(asked: Subscriber, silent_bell: list[tuple[str, tuple[object]]]):
    notice = write(asked)
    later = write(asked, not_before=timezone.now() + dt.timedelta(hours=1))
    tick()
    assert silent_bell == [("subscriptions.tasks.send_notices", ([notice.pk],))]
    assert later.pk not in silent_bell[0][1][0]  # type: ignore[operator]

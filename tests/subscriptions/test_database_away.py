"""A database that goes away between two commits, while mails are on their way."""

from collections.abc import Iterator, Sequence

import pytest
from django.db import OperationalError
from pytest_django import Settings

from subscriptions.models import Notice, NoticeKind, SubscriberState
from subscriptions.notices import send_notices
from subscriptions.pace import Pace
from tests.factories import NOW, make_subscriber
from tests.smtp import SmtpServer, smtp_server

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.SEND_CONNECTIONS = 1
        yield server


def test_an_answer_that_was_heard_is_written_down_although_the_database_was_away_for_a_moment(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)
        Notice.objects.create(kind=NoticeKind.CONFIRMATION, subscriber=reader, address_hash=reader.address_hash)
    allow, asked = Pace.allow, 0

    def allow_but_once(pace: Pace, addresses: Sequence[str]) -> list[bool]:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise OperationalError("server closed the connection unexpectedly")
        return allow(pace, addresses)

    monkeypatch.setattr(Pace, "allow", allow_but_once)
    ids = list(Notice.objects.order_by("id").values_list("id", flat=True))
    send_notices(ids, now=NOW)
    assert len(smtp.mails) == 1
    rows = Notice.objects.order_by("id").values_list("state", "reason")
    assert sorted(rows) == [
        ("accepted", ""),
        ("queued", "The database did not answer."),
        ("queued", "The database did not answer."),
    ]
    assert send_notices(ids, now=NOW) == 2

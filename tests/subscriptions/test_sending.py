"""Notices on their way: what they wait for, what stops them, and what a mail service that is down does to them."""

import datetime as dt
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from mailer import lines
from mailer.handoff import Accepted
from subscriptions import batch, journal, notices, patience
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
        settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.SEND_CONNECTIONS = 1
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
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
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
        (NoticeKind.GOODBYE, SubscriberState.ACTIVE),
        (NoticeKind.GOODBYE, SubscriberState.PENDING),
    ],
)
def test_a_notice_that_is_no_longer_true_is_not_sent(smtp: SmtpServer, kind: NoticeKind, state: str):
    write(make_subscriber(state=state), kind)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == 0
    assert states() == [("skipped", "No longer wanted, or the address is suppressed.")]
    assert smtp.mails == []


def test_a_goodbye_goes_to_who_has_left_in_their_language_and_says_how_to_come_back(smtp: SmtpServer):
    reader = make_subscriber(state=SubscriberState.UNSUBSCRIBED, next_due_at=None, language="de")
    assert send_notices([write(reader, NoticeKind.GOODBYE).pk], now=NOW) == 1
    (mail,) = smtp.mails
    assert mail.message["Subject"] == "Auf Wiedersehen von Daily Papers"
    assert "/subscribe/" in mail.source.decode()
    assert "/manage/" not in mail.source.decode()
    assert not [name for name in mail.message if name.lower().startswith("list-")]


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
    assert ("subscriptions.tasks.send_notices", ([notice.pk],)) in silent_bell
    # What mail services said is applied in a task of its own.
    assert ("subscriptions.tasks.apply_mail_events", ()) in silent_bell
    assert len(silent_bell) == 2
    assert later.pk not in silent_bell[0][1][0]  # type: ignore[operator]


# --- what changes, or breaks, on our own side -------------------------------------------------------------------------


def while_it_is_made(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Something happens after the notice was claimed and before it is begun."""
    render = notices.render

    def act_and_render(*args: Any, **more: Any) -> Any:
        act()
        return render(*args, **more)

    monkeypatch.setattr(notices, "render", act_and_render)


def asked_many(number: int) -> list[int]:
    return [write(make_subscriber(state=SubscriberState.PENDING)).pk for _ in range(number)]


def test_a_confirmation_whose_lease_ran_out_is_put_back_and_goes_out_later(
    smtp: SmtpServer, asked: Subscriber, monkeypatch: pytest.MonkeyPatch
):
    notice = write(asked)
    with monkeypatch.context() as patch:
        while_it_is_made(patch, lambda: Notice.objects.update(lease_until=Now()))
        assert send_notices([notice.pk], now=NOW) == 0
    assert states() == [("queued", "It took longer than its lease.")]
    Notice.objects.update(not_before=None)
    assert send_notices([notice.pk], now=NOW) == 1


def test_a_confirmation_that_another_worker_holds_by_now_is_left_to_it(
    smtp: SmtpServer, asked: Subscriber, monkeypatch: pytest.MonkeyPatch
):
    notice = write(asked)
    while_it_is_made(monkeypatch, lambda: Notice.objects.update(claim_token="somebody else"))
    assert send_notices([notice.pk], now=NOW) == 0
    assert states() == [("claimed", "")]
    assert smtp.mails == []


def test_a_confirmation_that_is_used_while_it_is_made_is_skipped_and_says_so(
    smtp: SmtpServer, asked: Subscriber, monkeypatch: pytest.MonkeyPatch
):
    notice = write(asked)
    while_it_is_made(monkeypatch, lambda: Subscriber.objects.update(state=SubscriberState.ACTIVE))
    send_notices([notice.pk], now=NOW)
    assert states() == [("skipped", "No longer wanted, or the address is suppressed.")]


@pytest.mark.parametrize(("days_ago", "may_go"), [(29, False), (30, True)])
def test_a_reader_cut_off_by_an_old_bounce_gets_the_confirmation_they_asked_for(
    smtp: SmtpServer, days_ago: int, *, may_go: bool
):
    reader = make_subscriber()
    bounced_at = NOW - dt.timedelta(days=days_ago)
    suppress(address_hash=reader.address_hash, reason=SuppressionReason.HARD_BOUNCE, now=bounced_at)
    write(reader)
    assert send_notices(due_ids(Notice, limit=9), now=NOW) == may_go
    assert len(smtp.mails) == may_go


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("closed")])
@pytest.mark.parametrize("step", ["begin_rows", "record_rows"])
def test_the_journal_is_written_again_until_the_database_answers(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
):
    write, troubles = getattr(journal, step), [error, error]

    def write_at_last(*args: Any, **more: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return write(*args, **more)

    monkeypatch.setattr(journal, step, write_at_last)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0, 0))
    assert send_notices(asked_many(2), now=NOW) == 2
    assert states() == [("accepted", "")] * 2
    assert len(smtp.mails) == 2


@pytest.mark.django_db(transaction=True)
def test_a_database_connection_that_broke_is_renewed_and_the_outcome_is_recorded(
    settings: Settings, asked: Subscriber, monkeypatch: pytest.MonkeyPatch
):
    def break_then_send(*args: Any, **more: Any) -> Accepted:
        # What a restart of the database server does to a connection: the driver's own object is of no more use.
        database.connection.close()
        return Accepted("outbox")

    monkeypatch.setattr(lines, "hand_off", break_then_send)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
    assert send_notices([write(asked).pk], now=NOW) == 1
    assert states() == [("accepted", "")]


@pytest.mark.django_db(transaction=True)
def test_a_commit_whose_answer_was_lost_sends_each_mail_once(
    smtp: SmtpServer, asked: Subscriber, monkeypatch: pytest.MonkeyPatch
):
    """The database did begin the mail; it only could not say so."""
    begin, calls = journal.begin_rows, []

    def begin_and_hear_nothing(*args: Any, **more: Any) -> set[int]:
        calls.append(more["again"])
        begun = begin(*args, **more)
        if len(calls) == 1:
            transaction.set_rollback(False)
            database.connection.commit()
            raise OperationalError("server closed the connection unexpectedly")
        return begun

    monkeypatch.setattr(journal, "begin_rows", begin_and_hear_nothing)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
    assert send_notices([write(asked).pk], now=NOW) == 1
    assert calls == [False, True]
    assert states() == [("accepted", "")]
    assert len(smtp.mails) == 1
    assert Notice.objects.get().attempt == 1


def test_what_cannot_be_recorded_is_unknown_in_the_end_and_sent_by_nobody(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    ids = asked_many(2)

    def never(model: Any, outcomes: Any) -> Any:
        if outcomes:
            raise OperationalError("gone")
        return {}

    with monkeypatch.context() as patch:
        patch.setattr(journal, "record_rows", never)
        patch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
        with pytest.raises(OperationalError):
            send_notices(ids, now=NOW)
    assert [state for state, _ in states()] == ["handing_over", "claimed"]
    Notice.objects.update(lease_until=Now())
    assert sweep(Notice) == {"requeued": 1, "failed": 0, "unknown": 1}
    assert due_ids(Notice, limit=9) == ids[1:]


def test_a_worker_whose_time_is_up_while_a_mail_is_made_gives_back_what_it_has_not_come_to(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    ids = asked_many(3)

    def too_slow() -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        while_it_is_made(patch, too_slow)
        assert send_notices(ids, now=NOW) == 0
    waits = ("queued", "The worker's time was up.")
    assert states() == [("claimed", ""), waits, waits]
    assert due_ids(Notice, limit=9) == ids[1:]
    # The one in hand is counted as one that a worker died over.
    Notice.objects.filter(pk=ids[0]).update(lease_until=Now())
    sweep(Notice)
    assert list(Notice.objects.order_by("id").values_list("worker_deaths", flat=True)) == [1, 0, 0]
    assert send_notices(ids, now=NOW) == 3


def test_a_worker_whose_time_is_up_during_a_hand_off_leaves_that_one_unknown(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    ids = asked_many(2)

    def too_slow(*args: Any, **more: Any) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr("mailer.smtp.SmtpLine.submit", too_slow)
    monkeypatch.setattr(batch, "LAST_WORDS_SECONDS", 0.0)
    assert send_notices(ids, now=NOW) == 0
    assert [state for state, _ in states()] == ["handing_over", "queued"]
    Notice.objects.filter(pk=ids[0]).update(lease_until=Now())
    sweep(Notice)
    assert [state for state, _ in states()] == ["unknown", "queued"]

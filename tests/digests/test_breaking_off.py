"""Work on a handful of mails that breaks off between two steps: what is begun leaves, what is not is given back."""

from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError, transaction
from django.db import connection as database
from pytest_django import Settings

from digests import delivering
from digests.delivering import DigestWork, SendReport, send_deliveries
from digests.digest import join_digest
from digests.models import Delivery, Edition
from subscriptions import journal, patience, sending
from subscriptions.batch import Batch
from subscriptions.pace import Pace
from subscriptions.signup import unsubscribe
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.smtp import SmtpServer, smtp_server

pytestmark = [pytest.mark.db, pytest.mark.django_db]

AWAY = OperationalError("server closed the connection unexpectedly")
TIME_IS_UP = "The worker's time was up."


@pytest.fixture
def edition() -> Edition:
    return make_edition([make_paper()])


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
        settings.SEND_CONNECTIONS = 2
        yield server


@pytest.fixture
def ids(edition: Edition) -> list[int]:
    return [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(2)]


def rows() -> list[tuple[str, str, int]]:
    return list(Delivery.objects.order_by("id").values_list("state", "reason", "worker_deaths"))


def raising(error: Exception) -> Any:
    def work(*args: Any, **more: Any) -> Any:
        raise error

    return work


def test_what_is_begun_leaves_although_the_database_is_away_when_another_is_asked_about(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    leaver = Delivery.objects.get(pk=ids[0]).subscriber
    assert leaver is not None

    def join_and_leave(*args: Any, **more: Any) -> Any:
        unsubscribe(public_id=leaver.public_id, how="mail link", now=NOW)
        return join_digest(*args, **more)

    monkeypatch.setattr(delivering, "join_digest", join_and_leave)
    monkeypatch.setattr(DigestWork, "stopped", raising(AWAY))
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=1, other=1)
    assert rows() == [("queued", "The database did not answer.", 0), ("accepted", "", 0)]
    assert len(smtp.mails) == 1


def test_a_worker_whose_time_is_up_while_it_asks_whether_mail_may_leave_holds_nothing(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Pace, "allow", raising(SoftTimeLimitExceeded()))
    assert send_deliveries(ids, now=NOW) == SendReport(other=2)
    assert rows() == [("queued", TIME_IS_UP, 0)] * 2


def test_what_is_begun_and_never_submitted_did_not_leave_and_is_tried_again(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    write, calls = Batch._journal, []

    def write_and_be_interrupted(held: Any, mails: Any) -> Any:
        begun = write(held, mails)
        calls.append(mails)
        if len(calls) == 1:
            raise SoftTimeLimitExceeded
        return begun

    monkeypatch.setattr(Batch, "_journal", write_and_be_interrupted)
    send_deliveries(ids, now=NOW)
    assert rows() == [("queued", TIME_IS_UP, 0)] * 2
    assert smtp.mails == []
    monkeypatch.undo()


@pytest.mark.parametrize("error", [AWAY, SoftTimeLimitExceeded()], ids=["database away", "time is up"])
def test_rows_claimed_by_a_call_whose_answer_was_never_heard_are_given_back_by_their_token(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    claim = journal.claim_rows

    def claim_and_hear_nothing(*args: Any, **more: Any) -> Any:
        claim(*args, **more)
        raise error

    monkeypatch.setattr(journal, "claim_rows", claim_and_hear_nothing)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
    assert send_deliveries(ids, now=NOW) == SendReport()
    assert {(state, deaths) for state, _, deaths in rows()} == {("queued", 0)}


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_was_committed_and_not_heard_is_found_again_and_sent(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    edition = make_edition([make_paper()])
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(2)]
    claim, calls = journal.claim_rows, []

    def claim_and_hear_nothing_once(*args: Any, **more: Any) -> Any:
        calls.append(more["again"])
        taken = claim(*args, **more)
        if len(calls) == 1:
            assert not database.in_atomic_block
            raise AWAY
        return taken

    monkeypatch.setattr(journal, "claim_rows", claim_and_hear_nothing_once)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=2)
    assert calls == [False, True]


def test_a_worker_whose_time_is_up_while_it_connects_holds_nothing(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sending, "borrow_lines", raising(SoftTimeLimitExceeded()))
    assert send_deliveries(ids, now=NOW) == SendReport()
    assert rows() == [("queued", TIME_IS_UP, 0)] * 2


def test_a_database_that_is_away_while_a_handful_is_read_blames_nobody(
    ids: list[int], smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delivering, "read_recipients", raising(AWAY))
    with transaction.atomic():
        assert send_deliveries(ids, now=NOW) == SendReport(other=2)
    assert rows() == [("queued", "The database did not answer.", 0)] * 2

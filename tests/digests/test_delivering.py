"""Sending digests over real connections: whatever a mail service does, the books balance and nothing goes out twice."""

import datetime as dt
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import OperationalError
from django.db.models.functions import Now
from pytest_django import Settings

from digests import delivering
from digests.books import read_books
from digests.delivering import SendReport, send_deliveries
from digests.digest import join_digest
from digests.editions import cancel, pause, resume
from digests.models import Delivery, Edition, EditionState
from digests.planning import plan_due
from digests.readers import Recipient
from subscriptions import journal, patience
from subscriptions.models import Notice, Subscriber, SubscriberState, SuppressionReason
from subscriptions.notices import send_notices
from subscriptions.outgoing import OutgoingState, due_ids, sweep
from subscriptions.signup import confirm_subscription, unsubscribe
from subscriptions.suppression import suppress
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber
from tests.servers import LocalServer, Received, Reply, json_reply, serve
from tests.smtp import DROP, OK, SmtpServer, smtp_server

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)


@pytest.fixture
def edition() -> Edition:
    return make_edition([make_paper(upvotes=3), make_paper()], picks=[make_paper()])


def send(edition: Edition, readers: int = 1) -> SendReport:
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(readers)]
    return send_deliveries(ids, now=NOW)


def books_of(edition: Edition) -> dict[str, int]:
    """The states that occur; the books must balance."""
    books = read_books(edition)
    assert books.balances
    assert books.audience == Delivery.objects.filter(edition=edition).count()
    return {state.value: count for state, count in books.counts.items() if count}


@pytest.fixture
def smtp(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server() as server:
        use_smtp(settings, server.port)
        yield server


def use_smtp(settings: Settings, port: int) -> None:
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 5
    settings.SEND_CONNECTIONS = 1


# --- over SMTP --------------------------------------------------------------------------------------------------------


def test_every_reader_gets_a_mail_of_their_own_over_one_connection(edition: Edition, smtp: SmtpServer):
    assert send(edition, readers=3) == SendReport(accepted=3)
    assert smtp.connections == 1
    assert [mail.recipients for mail in smtp.mails] == [
        [email] for email in Subscriber.objects.order_by("id").values_list("email", flat=True)
    ]
    assert books_of(edition) == {"accepted": 3}
    for delivery, mail in zip(Delivery.objects.order_by("id"), smtp.mails, strict=True):
        assert delivery.provider == "smtp"
        assert delivery.public_id in mail.message["Message-ID"]
        assert delivery.paper_ids == [entry.paper_id for entry in edition.entries.order_by("-choice", "id")]
        assert delivery.reasons == ["Picked by the editor", *delivery.reasons[1:]]
        assert delivery.edition_revision == edition.revision
        assert delivery.begun_at is not None


def test_sending_the_same_deliveries_again_sends_nothing(edition: Edition, smtp: SmtpServer):
    send(edition, readers=2)
    ids = list(Delivery.objects.values_list("id", flat=True))
    assert send_deliveries(ids, now=NOW) == SendReport()
    assert len(smtp.mails) == 2


def test_not_now_waits_and_does_not_stop_the_others(edition: Edition, smtp: SmtpServer):
    smtp.answers = [OK, "451 greylisted, come back", OK]
    assert send(edition, readers=3) == SendReport(accepted=2, other=1)
    assert books_of(edition) == {"accepted": 2, "queued": 1}
    waiting = Delivery.objects.get(state=OutgoingState.QUEUED)
    assert "451 greylisted" in waiting.reason
    assert due_ids(Delivery, limit=9) == []

    Delivery.objects.filter(pk=waiting.pk).update(not_before=Now())
    assert send_deliveries([waiting.pk], now=NOW) == SendReport(accepted=1)
    assert books_of(edition) == {"accepted": 3}


def test_never_fails_with_the_words_of_the_server(edition: Edition, smtp: SmtpServer):
    smtp.answers = ["554 we do not like this", OK]
    assert send(edition, readers=2) == SendReport(accepted=1, other=1)
    assert books_of(edition) == {"accepted": 1, "failed": 1}
    assert "554 we do not like this" in Delivery.objects.get(state=OutgoingState.FAILED).reason


def test_what_a_server_says_of_a_reader_is_kept_without_their_address(edition: Edition, smtp: SmtpServer):
    reader = make_subscriber()
    smtp.refused_recipients = {reader.email: f"550 5.1.1 <{reader.email}>: no such user"}
    delivery = make_delivery(edition=edition, subscriber=reader)
    send_deliveries([delivery.pk], now=NOW)
    assert Delivery.objects.get().reason == "The mail server answered 550 5.1.1 the recipient: no such user"


def test_a_refused_recipient_fails_alone(edition: Edition, smtp: SmtpServer):
    smtp.refused_recipients = {"gone@example.org": "550 5.1.1 no such user", "slow@example.org": "450 mailbox busy"}
    emails = ["gone@example.org", "slow@example.org", "ada@example.org"]
    ids = [make_delivery(edition=edition, subscriber=make_subscriber(email=email)).pk for email in emails]
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=1, other=2)
    assert books_of(edition) == {"failed": 1, "queued": 1, "accepted": 1}
    assert [mail.recipients for mail in smtp.mails] == [["ada@example.org"]]


def test_a_server_that_leaves_after_the_message_leaves_one_unknown_and_the_rest_go_on(
    edition: Edition, smtp: SmtpServer
):
    smtp.answers = [OK, DROP, OK, OK]
    assert send(edition, readers=4) == SendReport(accepted=3, other=1)
    assert books_of(edition) == {"accepted": 3, "unknown": 1}
    assert smtp.connections == 2
    assert "No answer" in Delivery.objects.get(state=OutgoingState.UNKNOWN).reason


def test_what_is_unknown_is_never_sent_again_by_itself(edition: Edition, smtp: SmtpServer):
    smtp.answers = [DROP]
    send(edition)
    Delivery.objects.update(lease_until=Now() - dt.timedelta(seconds=1))
    sweep(Delivery)
    ids = list(Delivery.objects.values_list("id", flat=True))
    assert due_ids(Delivery, limit=9) == []
    assert send_deliveries(ids, now=NOW) == SendReport()
    assert len(smtp.mails) == 1


def test_a_server_that_says_goodbye_is_a_refusal_for_now_and_the_rest_go_on(edition: Edition, smtp: SmtpServer):
    smtp.answers = ["421 closing down", OK]
    assert send(edition, readers=2) == SendReport(accepted=1, other=1)
    assert books_of(edition) == {"accepted": 1, "queued": 1}


def test_without_a_connection_nothing_is_begun_and_nothing_is_lost(edition: Edition, settings: Settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use_smtp(settings, port)
    assert send(edition, readers=3) == SendReport(other=3)
    assert books_of(edition) == {"queued": 3}
    for delivery in Delivery.objects.all():
        assert (delivery.attempt, delivery.worker_deaths, delivery.claim_token) == (0, 0, "")
        assert "could not be reached: ConnectionRefusedError" in delivery.reason
    assert due_ids(Delivery, limit=9) == []


def test_settings_that_are_no_good_claim_nothing(edition: Edition, settings: Settings):
    settings.EMAIL_BACKEND = "no.such.Backend"
    with pytest.raises(ImportError):
        send(edition)
    assert books_of(edition) == {"queued": 1}
    assert due_ids(Delivery, limit=9) != []


# --- over a provider's HTTP API ---------------------------------------------------------------------------------------


def taken(request: Received) -> Reply:
    """Postmark's answer to a message it accepts."""
    answer = {"To": request.json()["To"], "SubmittedAt": "2026-11-23T12:00:00Z", "MessageID": "postmark-id"}
    return json_reply({**answer, "ErrorCode": 0, "Message": "OK"})


INACTIVE = "Inactive recipients are ones that have generated a hard bounce or a spam complaint."


def error_reply(code: int, message: str, status: int = 422) -> Reply:
    return json_reply({"ErrorCode": code, "Message": message}, status=status)


def send_two_by_postmark(settings: Settings, edition: Edition, first: Reply) -> LocalServer:
    """The first message is answered with `first`, the second is accepted."""
    with serve() as server:
        server.routes["POST /email"] = lambda request: taken(request) if len(server.requests) > 1 else first
        settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
        settings.ANYMAIL = {
            "POSTMARK_SERVER_TOKEN": "made-up",
            "POSTMARK_API_URL": server.url("/"),
            "REQUESTS_TIMEOUT": 0.5,
        }
        readers = [make_subscriber(email=email) for email in ("first@example.org", "second@example.org")]
        send_deliveries([make_delivery(edition=edition, subscriber=reader).pk for reader in readers], now=NOW)
    return server


@pytest.mark.parametrize(
    ("reply", "state", "words"),
    [
        (error_reply(300, "Invalid 'To' address: 'first@example.org'."), "failed", "refused"),
        (error_reply(300, "Invalid 'To' address, in words not heard before"), "failed", "refused"),
        (
            error_reply(406, f"{INACTIVE}\n Found inactive addresses: first@example.org.\n {INACTIVE}"),
            "failed",
            "refused",
        ),
        (error_reply(400, "The sender is not a confirmed one"), "failed", "422"),
        (error_reply(10, "Bad or missing token", status=401), "queued", "401"),
        (error_reply(100, "Maintenance", status=503), "queued", "503"),
        (Reply(status=429, body="slow down"), "queued", "429"),
        (Reply(body="<html>welcome to the hotel network"), "unknown", "could not read"),
        (Reply(raw=[b""]), "unknown", "No answer"),
        (Reply(wait=3), "unknown", "No answer"),
    ],
    ids="invalid|other words|inactive|our fault|token|maintenance|too fast|not the service|drop|silence".split("|"),
)
def test_what_a_provider_answers_becomes_an_honest_state(
    settings: Settings, edition: Edition, reply: Reply, state: str, words: str
):
    server = send_two_by_postmark(settings, edition, reply)
    assert len(server.requests) == 2
    assert books_of(edition) == {state: 1, "accepted": 1}
    assert words in Delivery.objects.get(state=state).reason
    accepted = Delivery.objects.get(state=OutgoingState.ACCEPTED)
    assert (accepted.provider, accepted.provider_message_id) == ("postmark", "postmark-id")


@pytest.mark.parametrize("host", ["127.0.0.1:9", "mail.invalid"])
def test_a_provider_that_cannot_be_reached_or_found_was_given_nothing(settings: Settings, edition: Edition, host: str):
    settings.EMAIL_BACKEND = "anymail.backends.postmark.EmailBackend"
    settings.ANYMAIL = {"POSTMARK_SERVER_TOKEN": "made-up", "POSTMARK_API_URL": f"http://{host}/"}
    send(edition)
    assert books_of(edition) == {"queued": 1}
    assert "could not be reached" in Delivery.objects.get().reason


# --- what changes on the way ------------------------------------------------------------------------------------------


def change_while_it_is_made(monkeypatch: pytest.MonkeyPatch, change: Any) -> None:
    """Something happens after the digest is made and before it is handed over."""

    def join_then_change(*args: Any, **kwargs: Any) -> Any:
        joined = join_digest(*args, **kwargs)
        change()
        return joined

    monkeypatch.setattr(delivering, "join_digest", join_then_change)


def test_an_unsubscribe_at_the_last_moment_counts(edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch):
    reader = make_subscriber()
    delivery = make_delivery(edition=edition, subscriber=reader)
    change_while_it_is_made(
        monkeypatch, lambda: unsubscribe(public_id=reader.public_id, how="one-click header", now=NOW)
    )
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(skipped=1)
    assert smtp.mails == []
    assert Delivery.objects.get().reason == "The reader is unsubscribed."


def test_a_complaint_at_the_last_moment_counts(edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch):
    reader = make_subscriber()
    delivery = make_delivery(edition=edition, subscriber=reader)
    change_while_it_is_made(
        monkeypatch,
        lambda: suppress(address_hash=reader.address_hash, reason=SuppressionReason.COMPLAINT, now=NOW),
    )
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(skipped=1)
    assert smtp.mails == []
    assert Delivery.objects.get().reason == "The address is suppressed."


def test_a_pause_at_the_last_moment_counts_and_resuming_goes_on(
    edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    delivery = make_delivery(edition=edition, subscriber=make_subscriber())
    with monkeypatch.context() as patch:
        change_while_it_is_made(patch, lambda: pause(edition))
        assert send_deliveries([delivery.pk], now=NOW) == SendReport(other=1)
    assert (books_of(edition), smtp.mails) == ({"queued": 1}, [])
    assert Delivery.objects.get().reason == "The edition is paused."

    assert resume(edition)
    Delivery.objects.update(not_before=None)
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(accepted=1)


def test_a_worker_that_took_longer_than_its_lease_sends_nothing(
    edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    delivery = make_delivery(edition=edition, subscriber=make_subscriber())
    change_while_it_is_made(monkeypatch, lambda: Delivery.objects.update(lease_until=Now()))
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(other=1)
    assert smtp.mails == []
    assert Delivery.objects.get().reason == "It took longer than its lease."


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"state": EditionState.CANCELLED}, "cancelled"),
        ({"state": EditionState.CLOSED}, "too old"),
        ({"date": TODAY - 8 * DAY}, "too old"),
    ],
)
def test_editions_that_are_over_are_skipped_with_the_reason(
    edition: Edition, smtp: SmtpServer, values: dict[str, Any], words: str
):
    Edition.objects.update(**values)
    assert send(edition, readers=2) == SendReport(skipped=2)
    assert smtp.mails == []
    assert books_of(edition) == {"skipped": 2}
    assert all(words in reason for reason in Delivery.objects.values_list("reason", flat=True))


def test_a_cancelled_edition_keeps_what_was_sent_and_skips_the_rest(edition: Edition, smtp: SmtpServer):
    send(edition)
    cancel(edition)
    send(edition)
    assert books_of(edition) == {"accepted": 1, "skipped": 1}


def test_suppressed_paused_and_erased_readers_are_skipped_with_the_reason(edition: Edition, smtp: SmtpServer):
    suppressed, paused = make_subscriber(), make_subscriber(state="paused")
    suppress(address_hash=suppressed.address_hash, reason=SuppressionReason.MANUAL, now=NOW)
    ids = [make_delivery(edition=edition, subscriber=reader).pk for reader in (suppressed, paused)]
    ids.append(Delivery.objects.create(edition=edition, subscriber=None, due_at=NOW).pk)
    assert send_deliveries(ids, now=NOW) == SendReport(skipped=3)
    assert list(Delivery.objects.order_by("id").values_list("reason", flat=True)) == [
        "The address is suppressed.",
        "The reader is paused.",
        "The reader was erased.",
    ]
    assert books_of(edition) == {"skipped": 3}


def test_erasing_a_reader_keeps_the_books(edition: Edition, smtp: SmtpServer):
    send(edition, readers=2)
    Subscriber.objects.order_by("id")[0].delete()
    assert books_of(edition) == {"accepted": 2}


def test_nothing_to_say_is_skipped_with_the_reason(smtp: SmtpServer):
    edition = make_edition([make_paper(withdrawn_at=NOW)])
    assert send(edition) == SendReport(skipped=1)
    assert "Nothing to say" in Delivery.objects.get().reason
    assert smtp.mails == []


def test_a_digest_over_the_budget_fails_and_is_not_sent(edition: Edition, smtp: SmtpServer):
    Edition.objects.update(intro="Very long words. " * 6000)
    assert send(edition) == SendReport(other=1)
    assert smtp.mails == []
    assert books_of(edition) == {"failed": 1}
    assert "over the budget" in Delivery.objects.get().reason


def test_the_owner_is_told_once_of_digests_that_are_too_big(edition: Edition, smtp: SmtpServer, settings: Settings):
    settings.OWNER_EMAIL = "owner@example.org"
    Edition.objects.update(intro="Very long words. " * 6000)
    assert send(edition, readers=3) == SendReport(other=3)
    notice = Notice.objects.get()
    assert notice.kind == "digest_too_big"
    assert send_notices([notice.pk], now=NOW) == 1
    (mail,) = smtp.mails
    assert mail.recipients == ["owner@example.org"]
    text = " ".join(mail.message.get_body(("plain",)).get_content().split())  # type: ignore[union-attr]
    assert "too big" in mail.message["Subject"]
    assert "over the budget of 80 KB" in text
    assert f"/admin/digests/edition/{edition.pk}/change/" in text


def test_a_digest_that_cannot_be_made_fails_alone(edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch):
    broken, fine = make_subscriber(), make_subscriber()

    def sometimes(digest: Any, reader: Recipient, **kwargs: Any) -> Any:
        if reader.id == broken.pk:
            raise ZeroDivisionError
        return join_digest(digest, reader, **kwargs)

    monkeypatch.setattr(delivering, "join_digest", sometimes)
    ids = [make_delivery(edition=edition, subscriber=reader).pk for reader in (broken, fine)]
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=1, other=1)
    assert Delivery.objects.get(subscriber=broken).reason == "The digest cannot be made: ZeroDivisionError."


def test_a_worker_whose_time_is_up_blames_no_digest_and_gives_the_others_back(
    edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
):
    def too_slow() -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        change_while_it_is_made(patch, too_slow)
        assert send(edition, readers=3) == SendReport(other=3)
    assert books_of(edition) == {"claimed": 1, "queued": 2}
    Delivery.objects.filter(state=OutgoingState.CLAIMED).update(lease_until=Now())
    sweep(Delivery)
    assert send_deliveries(due_ids(Delivery, limit=9), now=NOW) == SendReport(accepted=3)


@pytest.mark.parametrize("step", ["claim_rows", "record_rows", "begin_rows"])
def test_a_database_that_does_not_answer_at_once_costs_nothing(
    edition: Edition, smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch, step: str
):
    write = getattr(journal, step)
    troubles = [OperationalError("database is locked")]

    def write_at_last(*args: Any, **more: Any) -> Any:
        if troubles:
            raise troubles.pop()
        return write(*args, **more)

    monkeypatch.setattr(journal, step, write_at_last)
    monkeypatch.setattr(patience, "JOURNAL_AGAIN_AFTER", (0,))
    assert send(edition, readers=3) == SendReport(accepted=3)
    assert books_of(edition) == {"accepted": 3}
    assert troubles == []
    assert len(smtp.mails) == 3


def test_a_reader_who_left_and_came_back_the_same_day_gets_the_digest_they_missed(
    edition: Edition, smtp: SmtpServer, silent_bell: list[Any], django_capture_on_commit_callbacks: Any
):
    reader = make_subscriber()
    delivery = make_delivery(edition=edition, subscriber=reader)
    unsubscribe(public_id=reader.public_id, how="mail link", now=NOW)
    send_deliveries([delivery.pk], now=NOW)
    assert books_of(edition) == {"skipped": 1}

    Subscriber.objects.update(state=SubscriberState.PENDING)
    with django_capture_on_commit_callbacks(execute=True):
        confirm_subscription(public_id=reader.public_id, now=NOW)
    assert silent_bell == [("digests.tasks.send_deliveries", ([delivery.pk],))]
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(accepted=1)
    assert len(smtp.mails) == 1
    assert plan_due(now=NOW).planned == 0


# --- never the same paper twice ---------------------------------------------------------------------------------------


def digest_of(edition: Edition, reader: Subscriber) -> list[int]:
    """Send this edition to this reader; the papers that count as sent."""
    delivery = make_delivery(edition=edition, subscriber=reader)
    now = dt.datetime.combine(edition.date, dt.time(12), tzinfo=dt.UTC)
    Delivery.objects.filter(pk=delivery.pk).update(due_at=now)
    send_deliveries([delivery.pk], now=now)
    delivery.refresh_from_db()
    return delivery.paper_ids


@pytest.mark.parametrize(
    ("answer", "comes_again"),
    [(OK, False), (DROP, False), ("554 never", True)],
    ids=["accepted", "unknown", "failed"],
)
def test_a_paper_comes_again_only_if_its_mail_surely_never_left(smtp: SmtpServer, answer: str, *, comes_again: bool):
    shared, fresh = make_paper(), make_paper()
    monday = make_edition([shared])
    # A curator may well put a paper into two editions.
    tuesday = make_edition([fresh], picks=[shared], date=TODAY + DAY)
    reader = make_subscriber()
    smtp.answers = [answer]
    digest_of(monday, reader)
    expected = {fresh.pk, shared.pk} if comes_again else {fresh.pk}
    assert set(digest_of(tuesday, reader)) == expected


def test_a_digest_covers_every_edition_since_the_last(smtp: SmtpServer):
    papers = [make_paper() for _ in range(5)]
    editions = [make_edition([paper], date=TODAY + number * DAY) for number, paper in enumerate(papers)]
    reader = make_subscriber()
    assert digest_of(editions[0], reader) == [papers[0].pk]
    assert set(digest_of(editions[3], reader)) == {papers[1].pk, papers[2].pk, papers[3].pk}
    assert digest_of(editions[4], reader) == [papers[4].pk]


def test_what_a_full_digest_left_out_on_a_skipped_day_does_not_come_late_twice(smtp: SmtpServer):
    first, second = make_paper(upvotes=9), make_paper(upvotes=1)
    reader = make_subscriber(max_papers=1)
    assert digest_of(make_edition([first, second]), reader) == [first.pk]
    # Tuesday's digest starts behind Monday's edition: what was left out of it stays out.
    third = make_paper()
    assert digest_of(make_edition([third], date=TODAY + DAY), reader) == [third.pk]


def test_a_week_of_readers_of_all_cadences_gets_no_paper_twice_and_misses_no_edition(smtp: SmtpServer):
    readers = [
        make_subscriber(cadence=cadence, weekday=4, max_papers=20, next_due_at=NOW + hour * dt.timedelta(hours=1))
        for hour, cadence in enumerate(["daily", "weekdays", "weekly"])
    ]
    for day in range(7):
        make_edition([make_paper(announced_date=TODAY + day * DAY)], date=TODAY + day * DAY)
        now = NOW + day * DAY + dt.timedelta(hours=6)
        Edition.objects.filter(date__gt=now.date()).update(state=EditionState.DRAFT)
        plan_due(now=now)
        send_deliveries(due_ids(Delivery, limit=99), now=now)
    for reader in readers:
        rows = Delivery.objects.filter(subscriber=reader).order_by("edition__date")
        ids = [pk for delivery in rows for pk in delivery.paper_ids]
        assert len(ids) == len(set(ids))
        newest_first = Edition.objects.order_by("date")
        covered = [edition for edition in newest_first if edition.date <= rows[len(rows) - 1].edition.date]
        begun = rows[0].edition.date
        assert len(ids) == len([edition for edition in covered if edition.date >= begun])

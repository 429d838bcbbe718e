"""What a mail service does, and what we say came of it."""

import smtplib
import socket
import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from anymail.exceptions import (
    AnymailAPIError,
    AnymailConfigurationError,
    AnymailRecipientsRefused,
    AnymailUnsupportedFeature,
)
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.mail import BadHeaderError, EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError, ProtocolError

from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater, classify, hand_off, provider_name
from mailer.outbox import NotStoredError
from tests.smtp import DROP, OK, smtp_server

POOL: Any = SimpleNamespace(host="api.example.org")


def api_error(*, status: int | None = None, cause: Exception | None = None) -> AnymailAPIError:
    error = AnymailAPIError("told by the service", status_code=status)
    error.__cause__ = cause
    return error


def never_connected(reason: Exception) -> requests.ConnectionError:
    return requests.ConnectionError(MaxRetryError(POOL, "/email", reason))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        # An answer was received: that is knowledge.
        (smtplib.SMTPDataError(451, b"greylisted"), TryLater),
        (smtplib.SMTPDataError(554, b"spam"), Refused),
        (smtplib.SMTPSenderRefused(421, b"closing", "a@example.org"), TryLater),
        # It is about us, not about the message or its reader: the mail waits for the owner.
        (smtplib.SMTPSenderRefused(550, b"not you", "a@example.org"), TryLater),
        (smtplib.SMTPSenderRefused(530, b"5.7.0 log in first", "a@example.org"), TryLater),
        (smtplib.SMTPAuthenticationError(535, b"wrong password"), TryLater),
        (smtplib.SMTPHeloError(554, b"no service for you"), TryLater),
        (smtplib.SMTPDataError(530, b"log in first"), TryLater),
        (smtplib.SMTPRecipientsRefused({"b@example.org": (530, b"log in first")}), TryLater),
        (NotStoredError("The mailbox cannot be written to."), TryLater),
        (smtplib.SMTPRecipientsRefused({"b@example.org": (550, b"unknown")}), Refused),
        (smtplib.SMTPRecipientsRefused({"b@example.org": (450, b"busy")}), TryLater),
        (api_error(status=400), Refused),
        (api_error(status=404), Refused),
        (api_error(status=422), Refused),
        (api_error(status=401), TryLater),
        (api_error(status=403), TryLater),
        (api_error(status=429), TryLater),
        (api_error(status=500), TryLater),
        (api_error(status=503), TryLater),
        (AnymailRecipientsRefused(), Refused),
        # It was never asked.
        (AnymailUnsupportedFeature("attachments"), Refused),
        (AnymailConfigurationError("no key"), Refused),
        (BadHeaderError("two lines"), Refused),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "no"), Refused),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), Refused),
        (ConnectionRefusedError(), TryLater),
        (api_error(cause=requests.ConnectTimeout()), TryLater),
        (api_error(cause=never_connected(NewConnectionError(POOL, "refused"))), TryLater),
        (api_error(cause=never_connected(NameResolutionError("api.example.org", POOL, OSError()))), TryLater),  # type: ignore[arg-type]
        # It was asked, and nobody knows.
        (smtplib.SMTPServerDisconnected("gone"), NoAnswer),
        (TimeoutError(), NoAnswer),
        (ConnectionResetError(), NoAnswer),
        (RuntimeError("never seen"), NoAnswer),
        (api_error(), NoAnswer),
        (api_error(status=200), NoAnswer),
        (api_error(cause=requests.ReadTimeout()), NoAnswer),
        (api_error(cause=requests.ConnectionError(ProtocolError("reset"))), NoAnswer),
        (api_error(cause=never_connected(ProtocolError("reset"))), NoAnswer),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else repr(value)[:50],
)
def test_every_way_to_fail_has_one_honest_outcome(error: Exception, outcome: type[Outcome]):
    found = classify(error)
    assert isinstance(found, outcome)
    assert found.reason  # type: ignore[union-attr]


def test_the_words_of_the_server_are_kept_and_cut():
    assert classify(smtplib.SMTPDataError(554, b"no \xff thanks")) == Refused(
        "The mail server answered 554 no � thanks"
    )
    long = classify(smtplib.SMTPDataError(554, b"x" * 5000))
    assert isinstance(long, Refused)
    assert len(long.reason) == 300


def message(subject: str = "Papers") -> EmailMessage:
    return EmailMessage(subject, "Text", "papers@example.org", ["reader@example.org"])


def smtp_to(port: int) -> Any:
    return get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=port, timeout=5)


def test_a_connection_that_broke_is_closed_so_that_the_next_mail_is_not_lost_with_it():
    with smtp_server(answers=[OK, DROP, OK]) as server:
        connection = smtp_to(server.port)
        connection.open()
        outcomes = []
        for _ in range(3):
            connection.open()
            outcomes.append(hand_off(message(), connection=connection))
        connection.close()
    assert [type(outcome) for outcome in outcomes] == [Accepted, NoAnswer, Accepted]
    assert server.connections == 2


def test_a_subject_of_two_lines_is_refused_and_reaches_no_server():
    with smtp_server() as server:
        outcome = hand_off(message("Papers\r\nBcc: everybody@example.org"), connection=smtp_to(server.port))
    assert isinstance(outcome, Refused)
    assert server.mails == []


def smtp_that_answers(answers: dict[bytes, bytes]) -> tuple[threading.Thread, int]:
    """A server for one message: to each command what stands here, else yes; `.` is the end of the message."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listening, listening.accept()[0] as client, client.makefile("rwb") as lines:
            in_message, answer = False, b"220 hello"
            while True:
                lines.write(answer + b"\r\n")
                lines.flush()
                line = lines.readline().strip()
                while in_message and line != b".":
                    line = lines.readline().strip()
                command = line[:4].upper()
                if not line or command == b"QUIT":
                    return
                answer = answers.get(command, b"354 go on" if command == b"DATA" else b"250 OK")
                in_message = command == b"DATA" and answer.startswith(b"354")

    thread = threading.Thread(target=serve)
    thread.start()
    return thread, listening.getsockname()[1]


@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        ("MAIL", "550 5.7.1 sender not verified", TryLater),
        ("MAIL", "554 5.7.0 daily quota exceeded", TryLater),
        ("MAIL", "530 5.7.0 Authentication required", TryLater),
        ("RCPT", "550 5.1.1 no such user", Refused),
        ("RCPT", "452 4.2.2 mailbox full", TryLater),
        ("DATA", "554 5.7.0 sending quota exceeded", TryLater),
        ("DATA", "421 4.7.0 later", TryLater),
        (".", "554 5.7.1 this message looks like spam", Refused),
        (".", "451 4.7.0 greylisted", TryLater),
        (".", "250 OK", Accepted),
    ],
)
def test_what_a_server_says_of_us_waits_and_what_it_says_of_the_mail_counts(
    command: str, answer: str, outcome: type[Outcome]
):
    server, port = smtp_that_answers({command.encode(): answer.encode()})
    connection = smtp_to(port)
    found = hand_off(message(), connection=connection)
    connection.close()
    server.join(timeout=5)
    assert isinstance(found, outcome)
    assert isinstance(found, Accepted) or answer in found.reason


def test_a_worker_whose_time_is_up_is_told_so_and_the_connection_is_closed():
    class Slow(BaseEmailBackend):
        closed = False

        def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
            raise SoftTimeLimitExceeded

        def close(self) -> None:
            self.closed = True

    slow = Slow()
    with pytest.raises(SoftTimeLimitExceeded):
        hand_off(message(), connection=slow)
    assert slow.closed


class Says(BaseEmailBackend):
    """A backend that leaves on the message what Anymail would."""

    esp_name = "Some Service"

    def __init__(self, sent: int = 1, **status: Any) -> None:
        super().__init__()
        self.sent, self.status = sent, status

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        if self.status:
            email_messages[0].anymail_status = SimpleNamespace(**self.status)  # type: ignore[attr-defined]
        return self.sent


@pytest.mark.parametrize(
    ("backend", "outcome"),
    [
        (Says(), Accepted("some service", "")),
        (Says(status={"sent"}, message_id="abc", esp_response=None), Accepted("some service", "abc")),
        (Says(status={"queued"}, message_id=None, esp_response=None), Accepted("some service", "")),
        (Says(status={"queued"}, message_id={"a", "b"}, esp_response=None), Accepted("some service", "")),
        (Says(sent=0), Refused("The mail service was given nothing to send.")),
        (Says(status={"failed"}, esp_response=None), Refused("The mail service refused the recipient.")),
    ],
)
def test_what_the_service_said_without_failing(backend: Says, outcome: Outcome):
    assert hand_off(message(), connection=backend) == outcome


@pytest.mark.parametrize(("code", "outcome"), [(200, NoAnswer), (422, Refused)])
def test_an_answer_that_is_no_yes_is_not_taken_for_one(code: int, outcome: type[Outcome]):
    says = Says(status={"unknown"}, message_id=None, esp_response=SimpleNamespace(status_code=code))
    assert isinstance(hand_off(message(), connection=says), outcome)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("mailer.outbox.OutboxBackend", "outbox"),
        ("django.core.mail.backends.smtp.EmailBackend", "smtp"),
        ("django.core.mail.backends.locmem.EmailBackend", "locmem"),
    ],
)
def test_the_service_is_named(path: str, name: str):
    assert provider_name(get_connection(path)) == name

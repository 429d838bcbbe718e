"""Our own SMTP client: what each answer, and each silence, says of a message, with servers that pipeline and that do
not."""

import datetime as dt
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.mail import EmailMessage
from pytest_django import Settings

from mailer import lines as mail_lines
from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater
from mailer.lines import Lines, open_lines
from mailer.messages import ListHeaders, Rendered, compose
from tests.smtp import DROP, OK, smtp_server

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
HELLO = {True: b"250-hello\r\n250-PIPELINING\r\n250 8BITMIME", False: b"250 hello"}


@contextmanager
def server(
    answers: dict[str, str] | None = None, *, pipelining: bool = True, hello: bytes = b"", leave_at: str = ""
) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection: to each command what stands in `answers`, else yes; it leaves without a word where
    `leave_at` comes. «.» is the end of a message, «body» its first line. Yields the port and all lines heard."""
    listening = socket.create_server(("127.0.0.1", 0))
    heard: list[bytes] = []
    answers = answers or {}

    def serve() -> None:
        with listening.accept()[0] as client, client.makefile("rwb") as stream:
            client.settimeout(5)
            stream.write(b"220 hello\r\n")
            stream.flush()
            in_body = False
            while line := stream.readline():
                heard.append(line)
                command = "." if in_body and line == b".\r\n" else "body" if in_body else line[:4].decode().upper()
                if command == leave_at:
                    return
                if command == "body":
                    continue
                answer = answers.get(command, "354 go on" if command == "DATA" else "250 OK").encode()
                if command == "EHLO":
                    answer = hello or HELLO[pipelining]
                in_body = command == "DATA" and answer.startswith(b"354")
                if command == "QUIT":
                    return
                stream.write(answer + b"\r\n")
                stream.flush()

    def serve_quietly() -> None:
        try:
            serve()
        except OSError:
            pass
        finally:
            listening.close()

    thread = threading.Thread(target=serve_quietly, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], heard
    finally:
        thread.join(timeout=5)


@pytest.fixture(autouse=True)
def own_backend(settings: Settings) -> None:
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_TIMEOUT, settings.EMAIL_USE_TLS = "127.0.0.1", 2, False
    settings.DEFAULT_FROM_EMAIL = "Daily Papers <mail@papers.example.org>"


def message(text: str = "Text\n", *, to: str = "ada@example.org") -> EmailMessage:
    return compose(
        Rendered("Papers", text, "<p>HTML</p>\n"),
        to=to,
        public_id="f" * 32,
        now=NOW,
        list_headers=ListHeaders(unsubscribe_url="https://papers.example.org/unsubscribe/x"),
    )


def send(lines: Lines, *messages: EmailMessage) -> list[Outcome]:
    """One after the other; the outcomes in their order."""
    outcomes = []
    for number, one in enumerate(messages):
        lines.submit(number, one)
        found: list[tuple[int, Outcome]] = []
        until = time.monotonic() + 10
        while not found:
            assert time.monotonic() < until
            found = lines.poll(1.0)
        outcomes.append(found[0][1])
    return outcomes


def outcome_of(port: int, settings: Settings, *messages: EmailMessage) -> list[Outcome]:
    settings.EMAIL_PORT = port
    lines = open_lines(1)
    try:
        return send(lines, *(messages or [message()]))
    finally:
        lines.close()


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("command", "answer", "outcome"),
    [
        ("MAIL", "550 5.7.1 sender not verified", TryLater),
        ("MAIL", "530 5.7.0 Authentication required", TryLater),
        ("RCPT", "550 5.1.1 no such user", Refused),
        ("RCPT", "452 4.2.2 mailbox full", TryLater),
        ("DATA", "554 5.7.0 sending quota exceeded", TryLater),
        ("DATA", "421 4.7.0 later", TryLater),
        (".", "554 5.7.1 this message looks like spam", Refused),
        (".", "451 4.7.0 greylisted", TryLater),
        (".", "421 closing down", TryLater),
        (".", "250 2.0.0 Ok: queued as 4Abc123", Accepted),
    ],
)
def test_what_a_server_says(settings: Settings, command: str, answer: str, outcome: type[Outcome], *, pipelining: bool):
    with server({command: answer}, pipelining=pipelining) as (port, _):
        (found,) = outcome_of(port, settings)
    assert isinstance(found, outcome)
    assert found.message_id == "4Abc123" if isinstance(found, Accepted) else answer in found.reason


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize(
    ("leave_at", "outcome"), [("MAIL", TryLater), ("RCPT", TryLater), ("DATA", TryLater), (".", NoAnswer)]
)
def test_a_server_that_leaves_is_an_open_question_only_behind_the_last_dot(
    settings: Settings, leave_at: str, outcome: type[Outcome], *, pipelining: bool
):
    with server(leave_at=leave_at, pipelining=pipelining) as (port, _):
        (found,) = outcome_of(port, settings)
    assert isinstance(found, outcome)


def test_a_server_that_says_nothing_leaves_the_outcome_open_and_is_not_waited_for_for_ever(settings: Settings):
    settings.EMAIL_TIMEOUT = 0.3
    with server({".": "250-and then"}) as (port, _):
        (found,) = outcome_of(port, settings)
    assert isinstance(found, NoAnswer)
    assert "in time" in found.reason


def test_a_server_that_hangs_in_the_middle_of_a_long_message_has_not_got_it(settings: Settings):
    settings.EMAIL_TIMEOUT = 0.5
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.EMAIL_PORT = listening.getsockname()[1]

        def take_the_envelope_and_stop() -> None:
            client = listening.accept()[0]
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"220 hello\r\n")
            client.recv(4096)
            client.sendall(HELLO[True] + b"\r\n")
            client.recv(4096)
            client.sendall(b"250 OK\r\n250 OK\r\n354 go on\r\n")
            time.sleep(2)
            client.close()

        threading.Thread(target=take_the_envelope_and_stop, daemon=True).start()
        lines = open_lines(1)
        (found,) = send(lines, message("x " * 8_000_000))
        lines.close()
    assert isinstance(found, TryLater)
    assert "before the message was handed over" in found.reason


@pytest.mark.parametrize("pipelining", [True, False])
def test_after_a_refused_recipient_the_same_connection_carries_the_next(settings: Settings, *, pipelining: bool):
    with server({"RCPT": "550 gone", "DATA": "503 no recipients"}, pipelining=pipelining) as (port, heard):
        found = outcome_of(port, settings, message(), message())
    assert [type(one) for one in found] == [Refused, Refused]
    assert [line[:4] for line in heard].count(b"RSET") == 1
    assert [line[:4] for line in heard].count(b"ehlo") == 1


def test_a_server_that_wants_a_message_without_a_recipient_gets_none(settings: Settings):
    with server({"RCPT": "550 gone", "DATA": "354 go on"}) as (port, heard):
        (found,) = outcome_of(port, settings)
    assert isinstance(found, Refused)
    assert heard[-1] == b"DATA\r\n"


def test_commands_are_sent_one_at_a_time_to_a_server_that_does_not_pipeline(settings: Settings):
    with server(pipelining=False) as (port, heard):
        assert isinstance(outcome_of(port, settings)[0], Accepted)
    assert [line[:4] for line in heard[:4]] == [b"ehlo", b"MAIL", b"RCPT", b"DATA"]


TRICKY = ".\r\n..\n.dot\n\n.\nEnd – ü\n"


@pytest.mark.parametrize("hello", [b"250 PIPELINING", b"250-PIPELINING\r\n250 8BITMIME"])
def test_every_line_arrives_as_it_was(settings: Settings, hello: bytes):
    text = "First\n" + TRICKY
    with server(hello=b"250-hello\r\n" + hello) as (port, heard):
        outcome_of(port, settings, message(text))
    body = b"".join(heard[heard.index(b"DATA\r\n") + 1 :])
    assert body.isascii() == (b"8BITMIME" not in hello)
    assert (b"BODY=8BITMIME" in b"".join(heard)) == (b"8BITMIME" in hello)
    assert not [line for line in body.split(b"\r\n") if line.startswith(b".") and not line.startswith(b"..")][:-1]


def test_the_sink_gets_dots_and_letters_back(settings: Settings):
    with smtp_server() as sink:
        outcome_of(sink.port, settings, message("First\n" + TRICKY))
    part = sink.mails[0].message.get_body(("plain",))
    assert part is not None
    assert part.get_content().splitlines() == ("First\n" + TRICKY).splitlines()


@pytest.mark.parametrize(("hello", "outcome"), [(b"250 SMTPUTF8", Accepted), (b"250 PIPELINING", Refused)])
def test_an_address_with_letters_beyond_ascii_goes_only_where_the_server_can_carry_it(
    settings: Settings, hello: bytes, outcome: type[Outcome]
):
    with server(hello=b"250-hello\r\n" + hello) as (port, heard):
        (found,) = outcome_of(port, settings, message(to="jürgen@example.org"))
    assert isinstance(found, outcome)
    sent = b"".join(heard)
    assert ("jürgen@example.org>".encode() in sent) == (outcome is Accepted)
    assert (b" SMTPUTF8" in sent) == (outcome is Accepted)
    assert isinstance(found, Accepted) or "SMTPUTF8" in found.reason


def test_a_message_that_cannot_be_written_down_is_refused_and_the_line_lives_on(settings: Settings):
    with server() as (port, heard):
        found = outcome_of(port, settings, message(to="a@b.example\nRCPT TO:<c@d.example>"), message())
    assert [type(one) for one in found] == [Refused, Accepted]
    assert b"c@d.example" not in b"".join(heard)


def test_an_ordinary_message_of_django_can_be_sent_too(settings: Settings):
    with smtp_server() as sink:
        (found,) = outcome_of(sink.port, settings, EmailMessage("Hi", ".dot\nü", "a@b.example", ["ada@example.org"]))
    assert isinstance(found, Accepted)
    assert sink.mails[0].message.get_content().split() == [".dot", "ü"]


def test_several_lines_carry_one_message_each(settings: Settings):
    with smtp_server() as sink:
        settings.EMAIL_PORT = sink.port
        lines = open_lines(3)
        assert lines.free == 3
        for key in range(3):
            lines.submit(key, message(to=f"r{key}@example.org"))
        assert (lines.free, lines.in_flight) == (0, 3)
        done: dict[int, Outcome] = {}
        while len(done) < 3:
            done |= dict(lines.poll(1.0))
        lines.close()
    assert {type(outcome) for outcome in done.values()} == {Accepted}
    assert sink.connections == 3
    assert sorted(mail.recipients[0] for mail in sink.mails) == ["r0@example.org", "r1@example.org", "r2@example.org"]


def test_a_line_that_broke_is_opened_anew(settings: Settings):
    with smtp_server(answers=[DROP, OK]) as sink:
        found = outcome_of(sink.port, settings, message(), message())
    assert [type(one) for one in found] == [NoAnswer, Accepted]
    assert sink.connections == 2


def test_a_server_that_lets_only_some_of_us_in_is_content_with_fewer_lines(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    def refuse() -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(mail_lines, "_another_smtp", refuse)
    with smtp_server() as sink:
        settings.EMAIL_PORT = sink.port
        lines = open_lines(5)
        assert lines.free == 1
        lines.close()


@pytest.mark.parametrize("greeting", [b"554 go away\r\n", b""])
def test_a_server_that_does_not_greet_is_no_connection(settings: Settings, greeting: bytes):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        settings.EMAIL_PORT = listening.getsockname()[1]

        def turn_away() -> None:
            with listening.accept()[0] as client:
                client.sendall(greeting)

        threading.Thread(target=turn_away, daemon=True).start()
        with pytest.raises(OSError):
            open_lines(2)


def test_log_in_is_done_before_the_socket_is_taken_over(settings: Settings):
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "papers", "secret"
    with server(hello=b"250-hello\r\n250 AUTH PLAIN", answers={"AUTH": "235 welcome"}) as (port, heard):
        assert isinstance(outcome_of(port, settings)[0], Accepted)
    assert [line[:4] for line in heard[:3]] == [b"ehlo", b"AUTH", b"MAIL"]

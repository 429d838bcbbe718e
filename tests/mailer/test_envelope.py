"""The envelope's sender on the wire: one for each mail where bounces have an address, the ordinary one elsewhere."""

import datetime as dt

import pytest
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from mailer.envelope import outgoing_id_in, outgoing_id_of
from mailer.lines import open_lines
from mailer.messages import Rendered, compose
from tests.smtp import SmtpServer, smtp_server

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)
IDS = ("0" * 31 + "a", "0" * 31 + "b")
WORDS = Rendered(subject="Papers", text="Text\n", html="<p>Text</p>\n")


@pytest.fixture
def at_sink(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "Daily Papers <papers@example.org>"
    settings.BOUNCE_ADDRESS = "bounce@mail.example.org"
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False


def send_by_lines(settings: Settings) -> SmtpServer:
    """As digests are sent: many connections, our own client."""
    with smtp_server() as sink:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        lines = open_lines(1)
        for number, public_id in enumerate(IDS):
            lines.submit(number, compose(WORDS, to="ada@example.net", public_id=public_id, now=NOW))
            assert lines.poll(5)
        lines.close()
    return sink


def send_by_django(settings: Settings) -> SmtpServer:
    """As Django sends."""
    with smtp_server() as sink:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        connection = get_connection()
        for public_id in IDS:
            connection.send_messages([compose(WORDS, to="ada@example.net", public_id=public_id, now=NOW)])
        connection.close()
    return sink


@pytest.mark.parametrize("send", [send_by_lines, send_by_django])
def test_each_mail_has_a_sender_of_its_own_on_the_envelope_and_the_same_in_its_head(
    at_sink: None, settings: Settings, send: object
):
    sink = send(settings)  # type: ignore[operator]
    assert [mail.sender for mail in sink.mails] == [f"bounce+{public_id}@mail.example.org" for public_id in IDS]
    assert {str(mail.message["From"]) for mail in sink.mails} == {"Daily Papers <papers@example.org>"}


@pytest.mark.parametrize("send", [send_by_lines, send_by_django])
def test_without_an_address_for_bounces_the_sender_is_the_ordinary_one(at_sink: None, settings: Settings, send: object):
    settings.BOUNCE_ADDRESS = ""
    assert {mail.sender for mail in send(settings).mails} == {"papers@example.org"}  # type: ignore[operator]


def test_a_mail_that_is_none_of_ours_has_the_ordinary_sender(at_sink: None, settings: Settings):
    with smtp_server() as sink:
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        EmailMessage("Hello", "Text", to=["ada@example.net"]).send()
    assert sink.mails[0].sender == "papers@example.org"


def test_an_id_is_read_only_from_addresses_of_ours(settings: Settings):
    settings.BOUNCE_ADDRESS, settings.MAIL_DOMAIN = "bounce@mail.example.org", "example.org"
    assert outgoing_id_of(f"Bounces <Bounce+{IDS[0].upper()}@MAIL.example.org>") == IDS[0]
    for other in (f"bounce+{IDS[0]}@evil.example", f"bounce-{IDS[0]}@mail.example.org", "bounce@mail.example.org", ""):
        assert outgoing_id_of(other) == ""
    assert outgoing_id_in(f"<{IDS[0]}@example.org>") == IDS[0]
    assert outgoing_id_in(f"<{IDS[0]}@evil.example>") == ""

"""Our own SMTP client over real TLS: nothing of a mail travels unless the connection is encrypted and the server is who
it says it is."""

import contextlib
import datetime as dt
import ipaddress
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.core.mail import EmailMessage, get_connection
from pytest_django import Settings

from digests.delivering import SendReport, send_deliveries
from digests.models import Delivery
from mailer.kept_lines import close_kept_lines
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = pytest.mark.django_db

HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
ELSEWHERE = x509.DNSName("mail.example.net")


def make_certificate(folder: Path, name: x509.GeneralName, *, is_expired: bool = False) -> Path:
    """A certificate that vouches for itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a mail server")])
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(days=2)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=1 if is_expired else 9))
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + secret)
    return path


@dataclass
class TlsServer:
    """What came over encrypted connections, and over others."""

    port: int
    encrypted: list[bytes] = field(default_factory=list)
    plain: list[bytes] = field(default_factory=list)


@contextlib.contextmanager
def tls_server(certificate: Path | None) -> Iterator[TlsServer]:
    """A mail server that offers STARTTLS (RFC 3207) where it has a certificate, and takes all it is given."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))
    found = TlsServer(listening.getsockname()[1])
    conversations: list[threading.Thread] = []

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                client = listening.accept()[0]
                conversations.append(threading.Thread(target=converse, args=(client, context, found)))
                conversations[-1].start()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        yield found
    finally:
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (listener, *conversations):
            thread.join(timeout=10)


def converse(client: socket.socket, context: ssl.SSLContext | None, found: TlsServer) -> None:
    """One connection from its greeting to its end."""
    client.settimeout(10)
    try:
        with contextlib.suppress(OSError):
            if talk(client, context is not None, found.plain, greeting=b"220 hello\r\n") and context:
                client = context.wrap_socket(client, server_side=True)
                talk(client, False, found.encrypted)
    finally:
        client.close()


def talk(client: socket.socket, offers_tls: bool, mails: list[bytes], *, greeting: bytes = b"") -> bool:
    """Answer commands until the client leaves, or wants TLS, which is told by True."""
    client.sendall(greeting)
    with client.makefile("rb") as stream:
        while line := stream.readline():
            match line[:4].upper().strip():
                case b"EHLO":
                    extension = b"STARTTLS" if offers_tls else b"8BITMIME"
                    client.sendall(b"250-hello\r\n250-PIPELINING\r\n250 " + extension + b"\r\n")
                case b"STAR":
                    client.sendall(b"220 go on\r\n")
                    return True
                case b"DATA":
                    client.sendall(b"354 go on\r\n")
                    mails.append(b"".join(iter(stream.readline, b".\r\n")))
                    client.sendall(b"250 OK\r\n")
                case b"QUIT":
                    client.sendall(b"221 bye\r\n")
                    return False
                case _:
                    client.sendall(b"250 OK\r\n")
    return False


def trust(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    """As an owner does whose server has a certificate of its own: OpenSSL is told where those it trusts are."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def use(server: TlsServer, settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_USE_TLS = "mailer.smtp.EmailBackend", True
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5


def send(readers: int) -> SendReport:
    edition = make_edition([make_paper(abstract="Long words. " * 60) for _ in range(8)])
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(readers)]
    return send_deliveries(ids, now=NOW)


@pytest.mark.parametrize("lines", [1, 3])
def test_digests_go_over_tls_to_a_server_that_is_who_it_says(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, lines: int
):
    certificate = make_certificate(tmp_path, HERE)
    trust(monkeypatch, certificate)
    settings.SEND_CONNECTIONS = lines
    with tls_server(certificate) as server:
        use(server, settings)
        assert send(readers=7) == SendReport(accepted=7)
        close_kept_lines()
    assert (len(server.encrypted), server.plain) == (7, [])
    assert all(b"Subject: " in mail and len(mail) > 10_000 for mail in server.encrypted)


def assert_nothing_left(server: TlsServer, why: str) -> None:
    assert (server.encrypted, server.plain) == ([], [])
    rows = Delivery.objects.values_list("state", "attempt", "reason")
    assert set(rows) == {("queued", 0, f"The mail service could not be reached: {why}.")}


def test_a_server_without_starttls_is_given_nothing(settings: Settings):
    with tls_server(None) as server:
        use(server, settings)
        assert send(readers=2) == SendReport(other=2)
    assert_nothing_left(server, "SMTPNotSupportedError")


def test_who_tries_a_server_without_starttls_again_is_refused_again_and_not_served_in_the_clear(settings: Settings):
    with tls_server(None) as server:
        use(server, settings)
        backend = get_connection()
        for _ in range(2):
            with pytest.raises(smtplib.SMTPNotSupportedError):
                backend.send_messages([EmailMessage("Hello", "Text", "a@example.org", ["b@example.org"])])
    assert (server.encrypted, server.plain) == ([], [])


def test_a_certificate_that_nobody_vouches_for_is_given_nothing(tmp_path: Path, settings: Settings):
    with tls_server(make_certificate(tmp_path, HERE)) as server:
        use(server, settings)
        assert send(readers=2) == SendReport(other=2)
    assert_nothing_left(server, "SSLCertVerificationError")


@pytest.mark.parametrize(("name", "is_expired"), [(ELSEWHERE, False), (HERE, True)], ids=["of another name", "expired"])
def test_a_certificate_that_is_not_good_is_given_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: x509.GeneralName, *, is_expired: bool
):
    certificate = make_certificate(tmp_path, name, is_expired=is_expired)
    trust(monkeypatch, certificate)
    with tls_server(certificate) as server:
        use(server, settings)
        assert send(readers=1) == SendReport(other=1)
    assert_nothing_left(server, "SSLCertVerificationError")

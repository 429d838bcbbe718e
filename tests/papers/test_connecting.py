"""Connections under TLS: the certificate counts for the name, and a silent handshake ends in time."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from papers import connecting
from papers.fetching import FetchPolicy, UnreachableError, fetch
from tests.servers import LocalServer, Reply, serve

FEED = b"<rss><channel><title>Our feed</title></channel></rss>"


def policy_for(pair: str) -> FetchPolicy:
    return FetchPolicy(user_agent="test", read_timeout=2, total_timeout=3, allow=frozenset({pair}))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for feeds.example that signs itself, made for this run, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    subject = ["-subj", "/CN=feeds.example", "-addext", "subjectAltName=DNS:feeds.example"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    subprocess.run(["openssl", "req", "-x509", *kind, *subject, *files], check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def secure(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    """A server that is feeds.example; every name leads to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with serve({"/feed": Reply(body=FEED)}, tls=context) as local:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", local.port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: found)
        connecting.tls_context.cache_clear()
        yield local
    connecting.tls_context.cache_clear()


@pytest.fixture
def trusted(secure: LocalServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> LocalServer:
    """The same server, with its certificate among those this machine trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return secure


def test_the_certificate_is_for_the_name_though_the_connection_goes_to_the_address(trusted: LocalServer) -> None:
    pair = f"feeds.example:{trusted.port}"
    assert fetch(f"https://{pair}/feed", policy=policy_for(pair)).body == FEED
    assert trusted.requests[0].headers["Host"] == pair


def test_a_certificate_for_another_name_is_not_accepted(trusted: LocalServer) -> None:
    pair = f"other.example:{trusted.port}"
    with pytest.raises(UnreachableError, match=r"certificate is not valid \(Hostname mismatch"):
        fetch(f"https://{pair}/feed", policy=policy_for(pair))
    assert trusted.requests == []


def test_a_certificate_that_nobody_vouches_for_is_not_accepted(secure: LocalServer) -> None:
    pair = f"feeds.example:{secure.port}"
    with pytest.raises(UnreachableError, match="certificate is not valid"):
        fetch(f"https://{pair}/feed", policy=policy_for(pair))
    assert secure.requests == []


def test_a_server_that_speaks_no_tls_is_unreachable() -> None:
    with serve({"/feed": Reply(body=FEED)}) as plain:
        with pytest.raises(UnreachableError, match="no secure connection could be made"):
            fetch(f"https://{plain.pair}/feed", policy=policy_for(plain.pair))
        assert plain.requests == []


def test_a_silent_handshake_is_left_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pair = f"127.0.0.1:{silent.getsockname()[1]}"
        policy = FetchPolicy(user_agent="test", read_timeout=0.15, total_timeout=0.4, allow=frozenset({pair}))
        start = time.monotonic()
        with pytest.raises(UnreachableError, match=r"silent for longer than 0\.15 seconds"):
            fetch(f"https://{pair}/", policy=policy)
        assert time.monotonic() - start < 1


def test_a_machine_without_certificate_authorities_gets_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert connecting.tls_context.__wrapped__().cert_store_stats()["x509_ca"] > 50

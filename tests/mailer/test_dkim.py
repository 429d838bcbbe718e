"""Signatures as others judge them: every one is verified by another program than the one that made it."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dkim
import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from mailer.dkim import BadKeyError, Signer, load_key, make_key, signer_for
from mailer.lines import open_lines
from mailer.messages import ListHeaders, Message, Rendered, compose
from mailer.wire import stuffed
from tests.factories import NOW
from tests.smtp import smtp_server

KEYS = {"rsa": make_key("rsa"), "ed25519": make_key("ed25519")}
DOMAIN = "papers.example.org"
BODIES = [
    "Words.\n",
    ".\n..\n.. dots\n.begins with a dot\n",
    "Größen — 大きさ ✓\n\n\n\n",
    "x" * 3000 + "\n",
    "trailing blanks   \t \n \n",
    "",
]


@pytest.fixture(params=[("rsa",), ("ed25519",), ("rsa", "ed25519")], ids="+".join)
def kinds(request: pytest.FixtureRequest, settings: Settings) -> tuple[str, ...]:
    settings.MAIL_DOMAIN = settings.DKIM_DOMAIN = DOMAIN
    settings.DEFAULT_FROM_EMAIL = f"Daily Papers <mail@{DOMAIN}>"
    settings.DKIM_KEYS = tuple((f"key-{kind}", KEYS[kind]) for kind in request.param)
    return tuple(request.param)


def message(body: str = "Words.\n", subject: str = "Papers", **more: Any) -> Message:
    url = "https://papers.example.org/unsubscribe/1" + "x" * 90
    return compose(
        Rendered(subject, body, f"<p>{body}</p>"),
        to="ada@example.org",
        public_id="f" * 32,
        now=NOW,
        list_headers=ListHeaders(unsubscribe_url=url),
        **more,
    )


def published(name: bytes, timeout: int = 5) -> bytes:
    """The TXT records of our domain, as a resolver would answer."""
    selector = name.decode().partition(".")[0]
    return load_key(selector, KEYS[selector.removeprefix("key-")]).record().encode()


def verdicts(source: bytes) -> list[bool]:
    """What a verifier says of each signature, the last first."""
    verifier = dkim.DKIM(source)
    count = len([name for name, _ in verifier.headers if name.lower() == b"dkim-signature"])
    return [_is_good(verifier, place) for place in range(count)]


def _is_good(verifier: dkim.DKIM, place: int) -> bool:
    try:
        return bool(verifier.verify(idx=place, dnsfunc=published))
    except dkim.ValidationError:
        return False


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("eightbit", [True, False])
def test_every_signature_is_good_whatever_the_words_are(kinds: tuple[str, ...], body: str, *, eightbit: bool):
    assert verdicts(message(body, "Ünusually long " * 20).wire(eightbit=eightbit)) == [True] * len(kinds)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_the_signature_is_good_after_the_mail_went_over_smtp(kinds: tuple[str, ...], body: str, settings: Settings):
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        lines = open_lines(1)
        lines.submit(1, message(body))
        assert [type(outcome).__name__ for _, outcome in lines.poll(5)] == ["Accepted"]
        lines.close()
    assert verdicts(server.mails[0].source) == [True] * len(kinds)


CHANGES: list[Callable[[bytes], bytes]] = [
    lambda source: source.replace(b"Words.", b"Swords", 1),
    lambda source: source.replace(b"Subject: Papers", b"Subject: Prizes", 1),
    lambda source: source.replace(b"unsubscribe/1", b"unsubscribe/2"),
    lambda source: source.replace(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
    lambda source: source.replace(b"List-Id: ", b"List-Id: Other ", 1),
    lambda source: b"From: Somebody <evil@example.com>\r\n" + source,
    lambda source: source + b"An advertisement.\r\n",
]


@pytest.mark.parametrize("change", CHANGES, ids=range(len(CHANGES)))
def test_a_mail_changed_on_the_way_is_found_out(kinds: tuple[str, ...], change: Callable[[bytes], bytes]):
    source = message().wire(eightbit=True)
    assert change(source) != source
    assert verdicts(change(source)) == [False] * len(kinds)


def test_headers_folded_anew_on_the_way_do_no_harm(kinds: tuple[str, ...]):
    source = message().wire(eightbit=True)
    folded = source.replace(b"List-Id: Daily Papers ", b"LIST-ID:  Daily\r\n\tPapers  ").replace(b"To: ", b"To:   ")
    assert folded != source
    assert verdicts(folded) == [True] * len(kinds)


def test_what_mail_programs_act_on_is_covered(kinds: tuple[str, ...]):
    head = message().wire(eightbit=True).split(b"\r\n\r\n")[0].replace(b"\r\n ", b"").replace(b" ", b"")
    for listed in re.findall(rb";h=([^;]+);", head):
        assert {b"from", b"subject", b"list-unsubscribe", b"list-unsubscribe-post", b"list-id"} <= set(
            listed.split(b":")
        )
        assert listed.split(b":").count(b"from") == 2


def test_stuffing_comes_after_signing(kinds: tuple[str, ...]):
    made = message(".hidden\n")
    assert made.wire(eightbit=True, is_stuffed=True) == stuffed(made.wire(eightbit=True))


def test_lines_of_the_signature_are_short(kinds: tuple[str, ...]):
    head = message().wire(eightbit=True).split(b"\r\nSubject:")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


def test_without_a_key_nothing_is_signed(settings: Settings):
    settings.DKIM_KEYS = ()
    assert b"DKIM" not in message().wire(eightbit=True)
    assert signer_for(DOMAIN, ()) is None


@pytest.mark.parametrize(
    ("selector", "pem", "said"),
    [
        ("papers", "nonsense", "no private key in PEM"),
        ("papers", "", "no private key in PEM"),
        ("a b", KEYS["rsa"], "The selector must be a name"),
        ("a;d=evil.example", KEYS["rsa"], "The selector must be a name"),
    ],
)
def test_a_key_of_no_use_is_refused_with_the_reason(selector: str, pem: str, said: str):
    with pytest.raises(BadKeyError, match=said):
        load_key(selector, pem)


def test_a_key_that_nobody_would_believe_is_refused():
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    def pem(private: Any) -> str:
        return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    with pytest.raises(BadKeyError, match="must be an RSA or an Ed25519 key"):
        load_key("papers", pem(ec.generate_private_key(ec.SECP256R1())))
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the shortest that is believed
    assert load_key("papers", pem(short)).algorithm == "rsa-sha256"


def test_a_key_on_one_line_of_the_environment_is_read():
    assert load_key("papers", KEYS["rsa"].replace("\n", "\\n")).record() == load_key("papers", KEYS["rsa"]).record()


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_the_command_makes_a_key_and_says_what_to_publish(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "key.pem"
    call_command("make_dkim_key", path, kind=kind, selector="k1", json=True)
    answer = json.loads(capsys.readouterr().out)
    key = load_key("k1", path.read_text())
    assert answer["value"] == key.record()
    assert answer["name"].startswith("k1._domainkey.")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    source = Signer(DOMAIN, [key]).sign(message().wire(eightbit=True))
    assert dkim.verify(source, dnsfunc=lambda name, timeout=5: answer["value"].encode())


def test_the_command_overwrites_no_key_and_a_dry_run_writes_none(tmp_path: Path):
    path = tmp_path / "key.pem"
    call_command("make_dkim_key", path, dry_run=True)
    assert not path.exists()
    path.write_text("precious")
    with pytest.raises(CommandError, match="exists already"):
        call_command("make_dkim_key", path)
    assert path.read_text() == "precious"

"""What the doctor finds in the DNS and in the settings of mail, with a real name server on this machine."""

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from config.dns_records import Records
from config.mail_health import check_mail
from mailer.dkim import load_key, make_key
from papers.health import Level
from tests.dns import Zone, dns_server

DOMAIN = "papers.example.org"
PEM, OTHER_PEM = make_key("rsa"), make_key("ed25519")
RECORD = load_key("papers", PEM).record()
GOOD: dict[str, dict[str, list[str]]] = {
    DOMAIN: {"TXT": ["some-other-record", "v=spf1 include:relay.example.org -all"], "MX": ["10 mx.example.org."]},
    "relay.example.org": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
    f"papers._domainkey.{DOMAIN}": {"TXT": [RECORD]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=quarantine; sp=none"]},
    # Documentation addresses are not public; these are, and are asked of nobody but the server of this test.
    "smtp.example.org": {"A": ["8.8.4.4"]},
    "4.4.8.8.in-addr.arpa": {"PTR": ["out.example.org."]},
    "out.example.org": {"A": ["8.8.4.4"]},
}


@pytest.fixture(autouse=True)
def mail_settings(settings: Settings) -> None:
    settings.LOCAL_MAILBOX = False
    settings.EMAIL_PROVIDER, settings.EMAIL_BACKEND = "smtp", "mailer.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = "smtp.example.org", True
    settings.MAIL_DOMAIN = settings.DKIM_DOMAIN = DOMAIN
    settings.DKIM_KEYS = (("papers", PEM),)
    settings.POSTAL_ADDRESS = "1 Example Street"
    settings.OWNER_EMAIL = "owner@example.org"


def found(zone: Zone | None = None, **changed: dict[str, list[str]] | None) -> dict[str, Any]:
    """Findings by what they are about, with these records in place of the good ones; None takes one away."""
    records = {**(zone or GOOD), **changed}
    with dns_server({name: kinds for name, kinds in records.items() if kinds is not None}) as address:
        return {finding.about: finding for finding in check_mail(records=Records(resolver=address))}


def test_a_domain_in_order_is_praised():
    findings = found()
    assert {about: finding.level for about, finding in findings.items()} == dict.fromkeys(
        ["credentials", "tls", "postal address", "spf", "dkim", "dmarc", "mx", "reverse dns"], Level.OK
    )
    assert "p=none" in findings["dmarc"].says


def test_an_empty_domain_is_told_what_to_publish(settings: Settings):
    findings = found({"example.org": {}})
    errors = {about: finding.hint for about, finding in findings.items() if finding.level is Level.ERROR}
    assert errors["spf"] == f'Publish a TXT record at {DOMAIN}: "v=spf1 a:smtp.example.org -all"'
    assert errors["dkim"] == f'Publish a TXT record at papers._domainkey.{DOMAIN}: "{RECORD}"'
    assert errors["dmarc"].startswith(f'Publish a TXT record at _dmarc.{DOMAIN}: "v=DMARC1; p=none; rua=mailto:owner@')
    assert "Publish an MX record" in errors["mx"]


@pytest.mark.parametrize(
    ("texts", "level", "words"),
    [
        (["v=spf1 -all", "v=spf1 ~all"], Level.ERROR, "2 records"),
        (["v=spf1 +all"], Level.ERROR, "lets everybody send"),
        (["v=spf1 a:smtp.example.org"], Level.WARNING, "does not say what of others"),
        (["V=SPF1 mx ~all"], Level.OK, "SPF"),
        (["v=spf10 -all"], Level.ERROR, "says nothing"),
        (["v=spf1 redirect=relay.example.org"], Level.OK, "SPF"),
        (
            [f"v=spf1 {' '.join(f'include:n{number}.example.org' for number in range(11))} -all"],
            Level.ERROR,
            "11 further",
        ),
        (["v=spf1 include:loop.example.org -all"], Level.OK, "SPF"),
    ],
)
def test_spf(texts: list[str], level: Level, words: str):
    loop = {"TXT": ["v=spf1 include:loop.example.org -all"]}
    finding = found(**{DOMAIN: {"TXT": texts, "MX": ["10 mx.example.org."]}, "loop.example.org": loop})["spf"]
    assert finding.level is level
    assert words in finding.says


def test_another_key_than_signs_here_is_an_error():
    other = load_key("papers", make_key("rsa")).record()
    finding = found(**{f"papers._domainkey.{DOMAIN}": {"TXT": [other]}})["dkim"]
    assert finding.level is Level.ERROR
    assert RECORD in finding.hint


def test_a_key_cut_in_pieces_and_spaced_is_the_same_key():
    spaced = RECORD.replace("; ", " ;  ").replace("k=", "k = ")
    assert found(**{f"papers._domainkey.{DOMAIN}": {"TXT": [spaced]}})["dkim"].level is Level.OK


def test_both_keys_are_looked_for(settings: Settings):
    settings.DKIM_KEYS = (("papers", PEM), ("second", OTHER_PEM))
    finding = found()["dkim"]
    assert finding.level is Level.ERROR
    assert f"second._domainkey.{DOMAIN}" in finding.says


def test_a_signature_for_a_stranger_is_found_out(settings: Settings):
    settings.DKIM_DOMAIN = "elsewhere.example.net"
    assert "not the sender's domain" in found()["dkim"].says


def test_mail_that_nobody_signs_is_warned_of(settings: Settings):
    settings.DKIM_KEYS = ()
    finding = found()["dkim"]
    assert finding.level is Level.WARNING
    assert "make_dkim_key" in finding.hint


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        (["v=DMARC1; p=reject"], Level.OK),
        (["v=DMARC1; p=perhaps"], Level.ERROR),
        (["v=DMARC1; p=none", "v=DMARC1; p=reject"], Level.ERROR),
    ],
)
def test_dmarc(texts: list[str], level: Level):
    assert found(**{f"_dmarc.{DOMAIN}": {"TXT": texts}})["dmarc"].level is level


def test_a_domain_that_takes_no_mail():
    records = {"TXT": ["v=spf1 -all"]}
    assert found(**{DOMAIN: {**records, "MX": ["0 ."]}})["mx"].level is Level.ERROR
    assert found(**{DOMAIN: {**records, "A": ["8.8.4.4"]}})["mx"].level is Level.WARNING


def test_an_address_without_a_name_or_with_a_false_one():
    assert found(**{"4.4.8.8.in-addr.arpa": None})["reverse dns"].level is Level.ERROR
    assert found(**{"out.example.org": {"A": ["8.8.8.8"]}})["reverse dns"].level is Level.ERROR


def test_a_mail_server_on_this_machine_shows_no_public_address(settings: Settings):
    settings.EMAIL_HOST = "127.0.0.1"
    assert found()["reverse dns"].level is Level.WARNING


def test_a_name_server_that_fails_says_nothing_about_the_domain():
    finding = found(**{DOMAIN: {"TXT": ["SERVFAIL"], "MX": ["10 mx.example.org."]}})["spf"]
    assert finding.level is Level.WARNING
    assert "did not answer" in finding.says


# --- a mail service instead of SMTP -----------------------------------------------------------------------------------


def use(settings: Settings, provider: str, **anymail: str) -> None:
    settings.EMAIL_PROVIDER = provider
    settings.EMAIL_BACKEND = f"anymail.backends.{provider}.EmailBackend"
    settings.ANYMAIL = anymail


def test_credentials_that_are_missing_are_named(settings: Settings):
    use(settings, "postmark", WEBHOOK_SECRET="user:0123456789abcdef")
    finding = found()["credentials"]
    assert finding.level is Level.ERROR
    assert "POSTMARK_SERVER_TOKEN" in finding.says


@pytest.mark.parametrize(
    ("secret", "level"),
    [
        ("", Level.ERROR),
        ("user:short", Level.WARNING),
        ("0123456789abcdef", Level.WARNING),
        ("u:0123456789abcdef", Level.OK),
    ],
)
def test_the_webhook_secret(settings: Settings, secret: str, level: Level):
    use(settings, "postmark", POSTMARK_SERVER_TOKEN="t", WEBHOOK_SECRET=secret)
    assert found()["webhook secret"].level is level


def test_the_key_of_a_mail_service_is_looked_for_where_it_is_known_to_be(settings: Settings):
    use(settings, "resend", RESEND_API_KEY="k", WEBHOOK_SECRET="u:0123456789abcdef")
    assert found()["dkim"].level is Level.WARNING
    assert found(**{f"resend._domainkey.{DOMAIN}": {"TXT": ["p=MIGf"]}})["dkim"].level is Level.OK
    assert "include:amazonses.com" in found({"example.org": {}})["spf"].hint


def test_no_postal_address_and_no_tls_are_errors(settings: Settings):
    settings.POSTAL_ADDRESS, settings.EMAIL_USE_TLS = "", False
    findings = found()
    assert findings["postal address"].level is findings["tls"].level is Level.ERROR


def test_mail_that_stays_here_needs_no_dns(settings: Settings):
    settings.LOCAL_MAILBOX = True
    assert [finding.about for finding in check_mail(records=None)] == ["mail"]


@pytest.mark.django_db
def test_the_command_asks_the_server_it_is_given(settings: Settings):
    settings.OFFLINE = False
    out = io.StringIO()
    with dns_server(GOOD) as address:
        call_command("doctor", "--json", resolver=address, stdout=out)
    levels = {finding["about"]: finding["level"] for finding in json.loads(out.getvalue())["findings"]}
    assert levels["spf"] == levels["dkim"] == levels["dmarc"] == "ok"


@pytest.mark.django_db
def test_the_command_can_leave_the_dns_alone():
    out = io.StringIO()
    call_command("doctor", "--json", "--no-dns", stdout=out)
    assert "spf" not in {finding["about"] for finding in json.loads(out.getvalue())["findings"]}

"""What servers say is kept without the addresses that they repeat."""

import smtplib
import time

import pytest

from mailer.handoff import Refused, TryLater, classify
from mailer.redacting import without_addresses


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("5.1.1 <ada@example.org>: Recipient address rejected", "5.1.1 the recipient: Recipient address rejected"),
        ("rfc822;ada@example.org", "rfc822;the recipient"),
        ("No such user ada+news@example.org", "No such user the recipient"),
        ("to=<ada@example.org>, relay=mx.example.org", "to=the recipient, relay=mx.example.org"),
        ("bounces+ada=example.org@news.example.net is full", "the recipient is full"),
        ('"ada lovelace"@example.org unknown', "the recipient unknown"),
        ("ada@[192.0.2.1] unknown", "the recipient unknown"),
        ("<größe@bücher.example> unknown", "the recipient unknown"),
        ("(ada@example.org) and [ada@example.org]", "(the recipient) and [the recipient]"),
        ("Meet us @ noon, a@ b, 100 % of @papers", "Meet us @ noon, a@ b, 100 % of @papers"),
        ("421 4.7.0 Try again later", "421 4.7.0 Try again later"),
    ],
)
def test_addresses_give_way_to_the_recipient(words: str, kept: str):
    assert without_addresses(words) == kept


def test_the_recipient_is_found_however_it_is_written():
    assert without_addresses("User ADA:X@Example.ORG unknown", recipient="ada:x@example.org") == (
        "User the recipient unknown"
    )


def test_an_address_that_is_cut_off_leaves_nothing_of_itself():
    words = "a@b.example " * 300
    assert set(without_addresses(words).split()) == {"the", "recipient"}


@pytest.mark.parametrize("words", ["x" * 100_000, "x " * 50_000, "x@" * 50_000, '"' * 100_000, "<" * 100_000])
def test_long_words_are_looked_through_quickly(words: str):
    begun = time.monotonic()
    without_addresses(words)
    assert time.monotonic() - begun < 0.5


def test_a_refusal_is_kept_without_the_address_of_the_reader():
    for code, kind in ((550, Refused), (450, TryLater)):
        error = smtplib.SMTPRecipientsRefused({"ada@example.org": (code, b"5.1.1 <ada@example.org>: unknown")})
        outcome = classify(error)
        assert isinstance(outcome, kind)
        assert outcome.reason == f"The mail server answered {code} 5.1.1 the recipient: unknown"

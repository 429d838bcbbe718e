"""Addresses: one spelling each, a hash in place of the address, and a mask for pages."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from subscriptions.addresses import InvalidAddressError, hash_address, mask_address, normalise_address


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("ada@example.org", "ada@example.org"),
        ("  Ada.Lovelace@EXAMPLE.Org\n", "ada.lovelace@example.org"),
        ("ada+papers@example.org", "ada+papers@example.org"),
        ("o'brien@example.org", "o'brien@example.org"),
        ("ada@büro.example", "ada@xn--bro-hoa.example"),
        ("ada@BÜRO.example", "ada@xn--bro-hoa.example"),
        ("ada@xn--bro-hoa.example", "ada@xn--bro-hoa.example"),
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
        ("straße@example.org", "strasse@example.org"),
        ("ada@例え。テスト", "ada@xn--r8jz45g.xn--zckzah"),
        ("ada@example.org.", "ada@example.org"),
    ],
)
def test_an_address_has_one_spelling(typed: str, normal: str):
    assert normalise_address(typed) == normal


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "ada@localhost",
        "ada@.org",
        "ada@example..org",
        "ada@-example.org",
        "ada@exam ple.org",
        "ada@exa_mple.org",
        "a da@example.org",
        ".ada@example.org",
        "ada.@example.org",
        "a..da@example.org",
        "ada,bob@example.org",
        "Ada <ada@example.org>",
        "ada@example.org\nBcc: bob@example.org",
        "ada\r\nbcc@example.org",
        "ada\x00@example.org",
        "ada@example.org\x00",
        "ada\u2028b@example.org",
        "ada\u200b@example.org",
        "a" * 65 + "@example.org",
        "ada@" + "a" * 64 + ".org",
        "ada@" + ".".join(["a" * 60] * 5) + ".org",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        '"ada"@example.org',
    ],
)
def test_what_is_no_address_is_refused_with_words_for_whoever_typed_it(typed: str):
    with pytest.raises(InvalidAddressError) as caught:
        normalise_address(typed)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) > 20


@given(st.emails() | st.builds("{}@{}".format, st.text(max_size=20), st.text(max_size=20)))
def test_whatever_is_typed_is_refused_or_has_one_spelling_fit_for_a_header(typed: str):
    try:
        normal = normalise_address(typed)
    except InvalidAddressError:
        return
    assert normalise_address(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert normal.isprintable()
    assert len(normal) <= 254
    assert normal.count("@") == 1


def test_the_hash_is_keyed_and_does_not_show_the_address(settings: Settings):
    first = hash_address("ada@example.org")
    assert len(first) == 64
    assert first == hash_address("ada@example.org")
    assert first != hash_address("adb@example.org")
    settings.ADDRESS_KEY = "another-key"
    assert hash_address("ada@example.org") != first


@pytest.mark.parametrize(
    ("address", "shown"),
    [("ada@example.org", "a•••@e•••.org"), ("a@b.org", "a•••@b•••.org"), ("ada@mail.example.org", "a•••@m•••.org")],
)
def test_a_page_shows_only_a_mask(address: str, shown: str):
    assert mask_address(address) == shown

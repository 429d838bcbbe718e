"""Links that need no login: signed, for one purpose, and for a time where they grant something new."""

import datetime as dt
from urllib.parse import urlsplit

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from subscriptions.tokens import BadLinkError, ExpiredLinkError, LinkMaker, Purpose, link, make_token, read_token
from tests.factories import NOW

SOMEBODY = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_is_read_back_for_its_own_purpose_and_no_other(purpose: Purpose):
    token = make_token(purpose, SOMEBODY)
    assert read_token(purpose, token) == SOMEBODY
    for other in set(Purpose) - {purpose}:
        with pytest.raises(BadLinkError):
            read_token(other, token)


@pytest.mark.parametrize("position", [0, 1, 10, 34, 40, -1])
def test_one_changed_character_anywhere_makes_a_token_worthless(position: int):
    token = make_token(Purpose.MANAGE, SOMEBODY)
    other = "A" if token[position] != "A" else "B"
    forged = token[:position] + other + (token[position + 1 :] if position != -1 else "")
    with pytest.raises(BadLinkError):
        read_token(Purpose.MANAGE, forged)


def test_every_character_of_the_signature_counts():
    token = make_token(Purpose.MANAGE, SOMEBODY)
    for length in range(len(token)):
        with pytest.raises(BadLinkError):
            read_token(Purpose.MANAGE, token[:length])


@given(token=st.text(max_size=60) | st.text("1.:abcdef", max_size=60))
def test_no_text_is_a_token_by_chance_and_none_breaks_the_reader(token: str):
    with pytest.raises(BadLinkError):
        read_token(Purpose.CONFIRM, token)


def test_a_confirmation_link_is_good_for_seven_days_and_then_says_that_it_was():
    with time_machine.travel(NOW, tick=False) as clock:
        token = make_token(Purpose.CONFIRM, SOMEBODY)
        clock.shift(dt.timedelta(days=7) - dt.timedelta(seconds=1))
        assert read_token(Purpose.CONFIRM, token) == SOMEBODY
        clock.shift(dt.timedelta(seconds=2))
        with pytest.raises(ExpiredLinkError):
            read_token(Purpose.CONFIRM, token)


@pytest.mark.parametrize("purpose", [Purpose.MANAGE, Purpose.UNSUBSCRIBE])
def test_links_in_old_mails_work_for_ever(purpose: Purpose):
    with time_machine.travel(NOW, tick=False) as clock:
        token = make_token(purpose, SOMEBODY)
        clock.shift(dt.timedelta(days=3650))
        assert read_token(purpose, token) == SOMEBODY


def test_a_token_says_which_version_it_is_and_an_unknown_one_is_refused():
    token = make_token(Purpose.MANAGE, SOMEBODY)
    assert token.startswith("1")
    with pytest.raises(BadLinkError):
        read_token(Purpose.MANAGE, f"2{token[1:]}")


def test_links_survive_a_new_secret_key_and_do_not_survive_a_new_link_key(settings: Settings):
    token = make_token(Purpose.UNSUBSCRIBE, SOMEBODY)
    settings.SECRET_KEY = "another-secret-key-of-the-same-length-as-before"
    assert read_token(Purpose.UNSUBSCRIBE, token) == SOMEBODY
    settings.LINK_KEY = "another-link-key"
    with pytest.raises(BadLinkError):
        read_token(Purpose.UNSUBSCRIBE, token)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_is_a_whole_address_that_fits_on_one_line_of_a_header(purpose: Purpose, settings: Settings):
    settings.SITE_URL = "https://papers.example.org"
    found = link(purpose, SOMEBODY)
    assert found.startswith(f"https://papers.example.org/{purpose}/1{SOMEBODY}")
    # With the slash, so that no redirect stands between a one-click POST and its page (RFC 8058, section 3.1).
    assert found.endswith("/")
    assert len(found) < 200
    assert urlsplit(found).query == ""


@pytest.mark.parametrize("purpose", Purpose)
def test_links_made_many_at_once_are_those_made_one_at_a_time(purpose: Purpose):
    with time_machine.travel(NOW, tick=False):
        make = LinkMaker(purpose)
        assert make(SOMEBODY) == link(purpose, SOMEBODY)
        assert len(make(SOMEBODY)) == make.length
        assert make("f" * 32) != make(SOMEBODY)

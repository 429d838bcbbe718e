"""The guard of the sign-up: who is mailed at once, who waits, who is sent away; it never looks at who is known."""

import base64
import datetime as dt
import json
from ipaddress import ip_network
from typing import Any

import pytest
import time_machine
from altcha import Challenge, Payload, solve_challenge
from django.db import connection
from django.db.models import F
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from limits.models import Bucket
from subscriptions.addresses import hash_address
from subscriptions.guard import (
    Admission,
    Admitted,
    Knock,
    TooMany,
    TooOften,
    Trapped,
    Unwelcome,
    admit,
    asks_for_proof,
    forget_visitors,
    screen,
)
from subscriptions.models import Notice, Subscriber, Suppression, SuppressionReason
from subscriptions.outgoing import due_ids
from subscriptions.proof import is_proven, new_challenge
from subscriptions.stamps import new_stamp, shown_for
from tests.factories import make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ADDRESS = "ada@example.org"
NOW_AT_ONCE = Admitted()
PUBLIC = {"REMOTE_ADDR": "8.8.4.4"}


def stamp(seconds_ago: float = 5) -> str:
    with time_machine.travel(timezone.now() - dt.timedelta(seconds=seconds_ago), tick=False):
        return new_stamp()


def solution() -> str:
    challenge = Challenge.from_dict(new_challenge(now=timezone.now()))
    found = solve_challenge(challenge)
    assert found
    return Payload(challenge, found).to_base64()


def knock(*, address: str = ADDRESS, **values: Any) -> Admission:
    return admit(Knock(**{"stamp": stamp(), **values}), address=address, now=timezone.now())


def let_pass(delta: dt.timedelta) -> None:
    Bucket.objects.update(free_at=F("free_at") - delta)


@pytest.fixture
def busy(settings: Settings) -> None:
    """More sign-ups than are ordinary have come already."""
    settings.SIGNUPS_CALM = 1
    knock()
    assert asks_for_proof()


# --- calm -------------------------------------------------------------------------------------------------------------


def test_whoever_took_a_moment_over_the_form_is_mailed_at_once():
    assert knock() == NOW_AT_ONCE
    assert not asks_for_proof()


@pytest.mark.parametrize("bad", ["", "shown", "shown:1abc:forged", "x" * 200])
def test_a_stamp_that_is_none_says_nothing(bad: str):
    assert shown_for(bad, now=timezone.now()) is None


def test_a_stamp_says_how_long_ago_the_form_was_shown_for_two_days():
    age = shown_for(stamp(90), now=timezone.now())
    assert age is not None
    assert 89 <= age.total_seconds() <= 92
    assert shown_for(stamp(3 * 86400), now=timezone.now()) is None


@pytest.mark.parametrize("seconds_ago", [0, None, 3 * 86400])
def test_hasty_ones_are_taken_and_their_mails_leave_by_a_small_bucket_of_their_own(
    settings: Settings, seconds_ago: float | None
):
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 24
    hasty = "" if seconds_ago is None else stamp(seconds_ago)
    answers = [knock(stamp=hasty) for _ in range(4)]
    waits = [answer.wait.total_seconds() for answer in answers if isinstance(answer, Admitted)]
    assert waits == pytest.approx([0, 0, 150, 300], abs=2)
    # Everybody else is as quick as ever.
    assert knock() == NOW_AT_ONCE


def test_no_mail_is_promised_for_the_day_after_tomorrow(settings: Settings):
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 1
    answers = [knock(stamp="") for _ in range(27)]
    assert isinstance(answers[24], Admitted)
    assert isinstance(answers[26], TooMany)


def test_all_confirmations_together_have_a_cap(settings: Settings):
    settings.CONFIRMATIONS_PER_HOUR, settings.SIGNUPS_CALM = 24, 1000
    waits = [answer.wait.total_seconds() for answer in (knock() for _ in range(4)) if isinstance(answer, Admitted)]
    assert waits == pytest.approx([0, 0, 150, 300], abs=2)


# --- one network ------------------------------------------------------------------------------------------------------


def test_one_network_is_sent_away_after_its_share_and_comes_back_later(settings: Settings):
    settings.SIGNUPS_PER_NETWORK = 6
    answers = [knock(network="8.8.4.4") for _ in range(3)]
    assert answers[:2] == [NOW_AT_ONCE] * 2
    assert isinstance(answers[2], TooOften)
    assert 500 < answers[2].seconds <= 600
    assert knock(network="8.8.8.8") == NOW_AT_ONCE
    let_pass(dt.timedelta(minutes=10))
    assert knock(network="8.8.4.4") == NOW_AT_ONCE


def test_no_address_of_a_visitor_is_kept_and_after_a_while_nothing_at_all():
    knock(network="8.8.4.4")
    assert "8.8.4.4" not in str(list(Bucket.objects.values()))
    assert forget_visitors() == 0
    let_pass(dt.timedelta(hours=2))
    assert forget_visitors() == Bucket.objects.count() + 3
    assert not Bucket.objects.exists()


# --- many at once: proof of work --------------------------------------------------------------------------------------


def test_above_the_ordinary_rate_a_proof_of_work_stands_in_for_calm(busy: None, settings: Settings):
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 12
    answers = [knock() for _ in range(3)]
    assert answers[0] == NOW_AT_ONCE
    assert isinstance(answers[1], Admitted)
    assert answers[1].wait > dt.timedelta(minutes=4)
    assert knock(proof=solution()) == NOW_AT_ONCE


def test_a_proof_is_good_once(busy: None):
    proof = solution()
    assert is_proven(proof)
    assert not is_proven(proof)


def test_a_proof_runs_out():
    proof = solution()
    with time_machine.travel(timezone.now() + dt.timedelta(minutes=21)):
        assert not is_proven(proof)


def test_nothing_else_is_a_proof():
    challenge = new_challenge(now=timezone.now())
    guessed = {"challenge": challenge, "solution": {"counter": 1, "derivedKey": challenge["parameters"]["keyPrefix"]}}
    easier = {**challenge, "parameters": {**challenge["parameters"], "keyPrefix": "", "cost": 1}}
    easy = solve_challenge(Challenge.from_dict(easier))
    assert easy
    forged = Payload(Challenge.from_dict(easier), easy).to_base64()
    for text in ("", "no base64", base64.b64encode(json.dumps(guessed).encode()).decode(), forged, "A" * 10_000):
        assert not is_proven(text)


def test_a_challenge_is_made_without_writing():
    with CaptureQueriesContext(connection) as queries:
        new_challenge(now=timezone.now())
    assert len(queries) == 0


def test_the_page_asks_for_no_proof_while_it_is_calm_and_for_one_when_it_is_not(client: Client, settings: Settings):
    assert client.get("/subscribe/challenge/").json() == {"challenge": None}
    settings.SIGNUPS_CALM = 1
    knock()
    answer = client.get("/subscribe/challenge/")
    assert answer.json()["challenge"]["parameters"]["algorithm"] == "PBKDF2/SHA-256"
    assert "no-store" in answer["Cache-Control"]


# --- domains and traps ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["a@mailinator.com", "a@eu.mailinator.com", "a@thrown.example"])
def test_disposable_domains_are_not_taken_and_it_is_said(settings: Settings, client: Client, address: str):
    settings.REFUSED_DOMAINS = frozenset({"thrown.example"})
    assert isinstance(knock(address=address), Unwelcome)
    answer = client.post("/subscribe/", {"email": address})
    assert answer.status_code == 422
    assert "last for a day or so" in answer.content.decode()
    assert not Subscriber.objects.exists()


def test_the_owner_may_accept_a_domain_all_the_same(settings: Settings):
    settings.ACCEPTED_DOMAINS = frozenset({"mailinator.com"})
    assert knock(address="a@eu.mailinator.com") == NOW_AT_ONCE


def test_whoever_falls_for_the_trap_uses_up_nothing():
    assert knock(is_trap_sprung=True) == Trapped()
    assert not Bucket.objects.exists()


# --- it never looks at who is known -----------------------------------------------------------------------------------


def test_the_guard_asks_nothing_about_the_address():
    make_subscriber(email=ADDRESS)
    with CaptureQueriesContext(connection) as queries:
        knock(network="8.8.4.4", proof=solution())
    assert all("limits_bucket" in query["sql"] or "SAVEPOINT" in query["sql"] for query in queries)


def test_those_whom_nobody_can_subscribe_are_found_with_their_reason():
    known = hash_address(ADDRESS)
    Suppression.objects.create(address_hash=known, reason=SuppressionReason.COMPLAINT, at=timezone.now())
    asked = {address: hash_address(address) for address in (ADDRESS, "b@example.org", "c@mailinator.com")}
    found = screen(asked)
    assert found[ADDRESS] == "Suppressed: marked our mail as spam."
    assert "last for a day" in found["c@mailinator.com"]
    assert len(found) == 2


# --- at the form ------------------------------------------------------------------------------------------------------


def post(client: Client, address: str = ADDRESS, **values: Any) -> Any:
    return client.post("/subscribe/", {"email": address, "stamp": stamp(), **values}, **PUBLIC)


def test_the_form_carries_its_stamp(client: Client):
    for page in ("/", "/subscribe/"):
        text = client.get(page).content.decode()
        found = text.partition('name="stamp" value="')[2].partition('"')[0]
        assert shown_for(found, now=timezone.now()) is not None


def test_a_network_that_asks_too_often_is_told_when_to_come_back(client: Client, settings: Settings):
    settings.SIGNUPS_PER_NETWORK = 3
    assert post(client).status_code == 302
    answer = post(client, "eve@example.org")
    assert answer.status_code == 429
    assert 1100 < int(answer["Retry-After"]) <= 1200
    assert "In 20 minutes the next one is welcome" in answer.content.decode()
    assert Subscriber.objects.count() == 1


def test_where_a_mail_has_to_wait_the_page_says_so_and_the_mail_waits(
    client: Client, settings: Settings, silent_bell: list[Any], django_capture_on_commit_callbacks: Any
):
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 12
    with django_capture_on_commit_callbacks(execute=True):
        post(client, stamp="")
        answer = client.post("/subscribe/", {"email": "eve@example.org"}, follow=True)
    assert answer.redirect_chain == [("/subscribe/check-your-inbox/?minutes=5", 302)]
    assert "it leaves within 5 minutes" in " ".join(answer.content.decode().split())
    first, second = Notice.objects.order_by("pk")
    assert [name for name, _ in silent_bell] == ["subscriptions.tasks.send_notices"]
    assert due_ids(Notice, limit=10) == [first.pk]
    assert second.not_before is not None
    assert 280 < (second.not_before - timezone.now()).total_seconds() <= 300


@pytest.mark.parametrize("minutes", ["", "0", "-1", "99999", "<script>", "１"])
def test_nobody_can_put_words_into_that_page(client: Client, minutes: str):
    page = client.get("/subscribe/check-your-inbox/", {"minutes": minutes})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()
    assert "signing up just now" not in page.content.decode() or minutes == "１"


def test_when_nothing_can_be_promised_the_page_says_so_and_keeps_nothing(client: Client, settings: Settings):
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 1
    for _ in range(26):
        knock(stamp="")
    answer = post(client, stamp="")
    assert (answer.status_code, answer["Retry-After"]) == (503, "3600")
    assert not Subscriber.objects.exists()


def test_an_unknown_forwarder_is_not_believed_and_a_proxy_of_ours_is(client: Client, settings: Settings):
    settings.SIGNUPS_PER_NETWORK = 3
    codes = [
        client.post(
            "/subscribe/", {"email": f"a{n}@example.org", "stamp": stamp()}, **PUBLIC, HTTP_X_FORWARDED_FOR=f"9.9.9.{n}"
        ).status_code
        for n in range(2)
    ]
    assert codes == [302, 429]
    settings.TRUSTED_PROXIES = (ip_network("8.8.4.4/32"),)
    codes = [
        client.post(
            "/subscribe/", {"email": f"b{n}@example.org", "stamp": stamp()}, **PUBLIC, HTTP_X_FORWARDED_FOR=f"9.9.9.{n}"
        ).status_code
        for n in range(2)
    ]
    assert codes == [302, 302]

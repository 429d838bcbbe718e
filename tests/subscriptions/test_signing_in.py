"""Signing in by a mailed link: who gets one, what it opens, how often, and what the cookie is."""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from mailer.outbox import list_mails
from subscriptions.models import Notice, NoticeKind, ReaderSession, Subscriber, SubscriberState, Vote
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids
from subscriptions.own_data import erase_reader, export_reader
from subscriptions.sign_in import MOST_A_DAY, forget_sessions, own_path
from subscriptions.tokens import Purpose, make_token
from tests.factories import NOW, make_paper, make_subscriber
from tests.subscriptions.pages import words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ADDRESS = "ada@example.org"


@pytest.fixture(autouse=True)
def no_waiting(settings: Any) -> None:
    settings.SIGNUP_ANSWER_MS = 0


def ask(client: Client, *, address: str = ADDRESS, leads_to: str = "") -> Any:
    return client.post("/sign-in/", {"email": address, "next": leads_to})


def mailed_link(mailbox: Path) -> str:
    send_notices(due_ids(Notice, limit=99), now=dt.datetime.now(dt.UTC))
    found = re.search(r"https?://[^/\s]+(/sign-in/[^/\s]+/)", list_mails(directory=mailbox)[0].text)
    assert found
    return found[1]


def signed_in(client: Client, reader: Subscriber) -> Client:
    """The way a reader takes, but for the mail."""
    session = ReaderSession.objects.create(subscriber=reader, asked_at=dt.datetime.now(dt.UTC))
    client.post(f"/sign-in/{make_token(Purpose.SIGN_IN, session.public_id)}/")
    return client


def test_a_reader_signs_in_by_the_button_behind_the_mailed_link_and_lands_where_they_came_from(
    client: Client, own_mailbox: Path
):
    make_subscriber(email=ADDRESS)
    assert "Look into your inbox" in words(ask(client, leads_to="/submit/"))
    link = mailed_link(own_mailbox)
    page = client.get(link)
    assert "a…" in words(page) or "@" in words(page)
    assert not ReaderSession.objects.exclude(opened_at=None).exists(), "GET writes nothing"
    assert "reader" not in page.cookies
    opened = client.post(link)
    assert (opened.status_code, opened["Location"]) == (302, "/submit/")
    cookie = opened.cookies["reader"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert "Signed in as" in words(client.get("/me/"))


def test_with_tls_the_cookie_is_secure_and_bound_to_this_host(client: Client, settings: Any):
    settings.HTTPS = True
    signed_in(client, make_subscriber())
    cookie = client.cookies["__Host-reader"]
    assert (cookie["secure"], cookie["httponly"], cookie["domain"]) == (True, True, "")


def test_a_link_opens_once_and_for_half_an_hour(client: Client, own_mailbox: Path):
    make_subscriber(email=ADDRESS)
    ask(client)
    link = mailed_link(own_mailbox)
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=31)):
        late = client.post(link)
    assert late.status_code == 410
    assert "It was good for half an hour" in words(late)
    assert client.post(link).status_code == 302
    for again in (client.post(link), client.get(link), Client(SERVER_NAME="127.0.0.1").post(link)):
        assert again.status_code == 410


@pytest.mark.parametrize("state", [None, *SubscriberState])
def test_the_page_says_the_same_to_everybody_and_only_confirmed_readers_are_mailed(
    client: Client, state: SubscriberState | None
):
    if state:
        make_subscriber(email=ADDRESS, state=state)
    shown = re.sub(r"\s+", " ", words(ask(client)))
    unknown = words(ask(client, address="nobody@example.org"))
    assert shown == re.sub(r"\s+", " ", unknown)
    is_mailed = state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}
    assert Notice.objects.filter(kind=NoticeKind.SIGN_IN).count() == int(is_mailed)
    assert ReaderSession.objects.count() == int(is_mailed)


def test_nobody_can_have_a_mailbox_filled(client: Client):
    make_subscriber(email=ADDRESS)
    start = dt.datetime.now(dt.UTC)
    for minutes in range(60):
        with time_machine.travel(start + dt.timedelta(minutes=minutes)):
            ask(client)
    assert Notice.objects.filter(kind=NoticeKind.SIGN_IN).count() == MOST_A_DAY


def test_no_link_of_another_kind_signs_in_and_this_one_does_nothing_else(client: Client):
    reader = make_subscriber()
    session = ReaderSession.objects.create(subscriber=reader, asked_at=NOW)
    for purpose in Purpose:
        if purpose is not Purpose.SIGN_IN:
            assert client.post(f"/sign-in/{make_token(purpose, session.public_id)}/").status_code == 404
    token = make_token(Purpose.SIGN_IN, session.public_id)
    client.cookies["reader"] = token
    assert client.get("/me/").status_code == 302, "a link is no cookie"


def test_signing_out_ends_every_copy_of_the_cookie(client: Client):
    reader = make_subscriber()
    signed_in(client, reader)
    copy = Client(SERVER_NAME="127.0.0.1")
    copy.cookies["reader"] = client.cookies["reader"].value
    assert copy.get("/me/").status_code == 200
    assert client.get("/sign-out/").status_code == 405
    assert "Signed out" in words(client.post("/sign-out/"))
    assert copy.get("/me/").status_code == 302
    assert client.get("/me/")["Location"] == "/sign-in/?next=%2Fme%2F"


def test_a_session_ends_with_the_subscription_and_after_thirty_days(client: Client):
    reader = make_subscriber()
    signed_in(client, reader)
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(days=31)):
        assert client.get("/me/").status_code == 302
        assert forget_sessions(now=dt.datetime.now(dt.UTC)) == 1
    signed_in(client, reader)
    Subscriber.objects.update(state=SubscriberState.UNSUBSCRIBED)
    assert client.get("/me/").status_code == 302


@pytest.mark.parametrize(
    "text", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:1", "/a\n", "/a b", "", "x" * 400]
)
def test_a_link_leads_nowhere_but_here(text: str):
    assert own_path(text) == ""


def test_a_forged_cookie_is_nobody(client: Client):
    signed_in(client, make_subscriber())
    client.cookies["reader"] = client.cookies["reader"].value[:-1] + "?"
    assert client.get("/me/").status_code == 302


def test_all_of_it_is_in_the_readers_file_and_goes_with_them(client: Client):
    reader = make_subscriber()
    signed_in(client, reader)
    paper = make_paper()
    client.post("/me/name/", {"name": "Ada L."})
    client.post(f"/vote/{paper.key[6:]}/", HTTP_SEC_FETCH_SITE="same-origin")
    client.post("/submit/", {"paper": "2509.02547"})
    client.post(f"/claim/{paper.key[6:]}/", {"author": "Ada Lovelace"})
    data = export_reader(reader, now=NOW)
    assert data["display_name"] == "Ada L."
    assert [vote["paper"] for vote in data["votes"]] == [paper.key]
    assert [each["given"] for each in data["submitted_papers"]] == ["2509.02547"]
    assert [each["author"] for each in data["claimed_papers"]] == ["Ada Lovelace"]
    assert len(data["sign_ins"]) == 1
    assert erase_reader(public_id=reader.public_id, now=NOW)
    assert not Vote.objects.exists()
    assert not ReaderSession.objects.exists()
    assert client.get("/me/").status_code == 302

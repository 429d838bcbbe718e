"""Votes, names and claims: what readers do in the open."""

import datetime as dt
import re
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from papers.merging import merge_papers
from subscriptions.community import (
    NameTakenError,
    cast_vote,
    claim_paper,
    credits_of,
    decide_claim,
    take_name,
    votes_by_day,
)
from subscriptions.display_names import BadNameError, fold_name, tidy_name
from subscriptions.models import AuthorClaim, ClaimState, Vote
from tests.factories import NOW, TODAY, make_edition, make_paper, make_subscriber
from tests.subscriptions.pages import words
from tests.subscriptions.test_signing_in import signed_in

pytestmark = [pytest.mark.db, pytest.mark.django_db]
HERE = {"HTTP_SEC_FETCH_SITE": "same-origin"}


@pytest.fixture
def strict() -> Client:
    """A browser whose forms need their tokens, as in the world."""
    return Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True)


def test_who_is_not_signed_in_is_led_to_it_and_back_and_no_vote_is_kept(client: Client):
    paper = make_paper()
    response = client.post(f"/vote/{paper.key[6:]}/", **HERE)
    assert response["Location"] == f"/sign-in/?next=%2Fvote%2F{paper.key[6:]}%2F"
    assert not Vote.objects.exists()
    assert not response.cookies


def test_a_reader_votes_once_and_takes_it_back(client: Client):
    reader, paper = make_subscriber(), make_paper()
    signed_in(client, reader)
    page = f"/vote/{paper.key[6:]}/"
    assert "0 readers here upvoted it" in words(client.get(page))
    for _ in range(2):
        assert client.post(page, **HERE)["Location"] == page
    assert "1 reader here upvoted it. You are among them." in words(client.get(page))
    assert paper.title in words(client.get("/me/"))
    for _ in range(2):
        client.post(page, {"take_back": "1"}, **HERE)
    assert "0 readers here upvoted it" in words(client.get(page))


def test_a_form_of_a_shared_page_votes_by_the_browsers_word_and_one_of_another_site_does_not(strict: Client):
    reader, paper = make_subscriber(), make_paper()
    page = f"/vote/{paper.key[6:]}/"
    reader_client = signed_in(Client(SERVER_NAME="127.0.0.1"), reader)
    strict.cookies["reader"] = reader_client.cookies["reader"].value
    foreign: list[dict[str, Any]] = [
        {},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_SEC_FETCH_SITE": "same-site", "HTTP_ORIGIN": "http://127.0.0.1"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_ORIGIN": "https://evil.example"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_ORIGIN": "http://127.0.0.1.evil.example"},
        {"HTTP_ORIGIN": "http://["},
    ]
    for headers in foreign:
        response = strict.post(page, **headers)
        assert (response.status_code, response["Location"]) == (302, page), headers
        assert strict.post(page, {"csrfmiddlewaretoken": "x" * 64}, **headers).status_code == 403
    assert not Vote.objects.exists()
    for own in (HERE, {"HTTP_ORIGIN": "http://127.0.0.1"}):
        strict.post(page, **own)
        assert Vote.objects.count() == 1
        Vote.objects.all().delete()
    # A browser that says nothing finds a page with a token of its own.
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', strict.get(page).content.decode())
    assert token
    strict.post(page, {"csrfmiddlewaretoken": token[1]})
    assert Vote.objects.count() == 1


def test_other_forms_of_readers_need_their_token(strict: Client):
    reader_client = signed_in(Client(SERVER_NAME="127.0.0.1"), make_subscriber())
    strict.cookies["reader"] = reader_client.cookies["reader"].value
    for page in ("/me/name/", "/submit/", "/sign-out/", "/sign-in/", f"/claim/{make_paper().key[6:]}/"):
        assert strict.post(page, {"name": "Ada"}, **HERE).status_code == 403, page


@pytest.mark.parametrize("name", ["2609.99999", "%00", "x" * 900, "%F0%9F%92%A9"])
def test_a_vote_for_nothing_is_a_404(client: Client, name: str):
    signed_in(client, make_subscriber())
    assert client.post(f"/vote/{name}/", **HERE).status_code == 404
    assert client.get(f"/claim/{name}/").status_code == 404


def test_votes_are_counted_by_day_for_trending():
    paper, other = make_paper(), make_paper()
    for number in range(3):
        cast_vote(subscriber=make_subscriber(), paper=paper, now=NOW - dt.timedelta(days=number))
    cast_vote(subscriber=make_subscriber(), paper=paper, now=NOW)
    assert votes_by_day(since=TODAY, until=TODAY) == {paper.pk: {TODAY: 2}}
    assert credits_of([paper.pk, other.pk]).votes == {paper.pk: 4}


def test_votes_and_claims_follow_a_paper_that_turns_out_to_be_another():
    kept, dropped = make_paper(), make_paper(key="doi:10.1101/287961")
    both, one = make_subscriber(), make_subscriber()
    for reader, paper in ((both, kept), (both, dropped), (one, dropped)):
        cast_vote(subscriber=reader, paper=paper, now=NOW)
    claim_paper(subscriber=one, paper=dropped, author="Ada Lovelace", now=NOW)
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    assert sorted(Vote.objects.values_list("subscriber_id", "paper_id")) == [(both.pk, kept.pk), (one.pk, kept.pk)]
    assert AuthorClaim.objects.get().paper_id == kept.pk


@pytest.mark.django_db(transaction=True)
def test_two_votes_of_one_reader_at_once_are_one():
    reader, paper = make_subscriber(), make_paper()
    results: list[bool] = []

    def vote() -> None:
        results.append(cast_vote(subscriber=reader, paper=paper, now=NOW))
        connection.close()

    threads = [threading.Thread(target=vote) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]
    assert Vote.objects.count() == 1


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Ada Lovelace", "J.-P. Serre", "Émile O’Hara", "李明", "Алексей", "Ngô Bảo Châu", "R2 D2", "山田 はなこ"]
)
def test_names_of_people_are_names(name: str):
    assert tidy_name(f" {name} ", site_name="Daily Papers") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "A",
        "x" * 41,
        "ada@example.org",
        "https://evil.example",
        "www evil www.evil",
        "evil.example",
        "Ada\u202eecalevoL",
        "Ada\u200bLovelace",
        "Ada\x00",
        "Аda Lovelace",  # its first letter is Cyrillic
        "<b>Ada</b>",
        "Editor",
        "The  Editor",
        "dаily papers",
        "Daily-Papers",
        "12345",
        "Ada_Lovelace",
        "ada\ud800",
    ],
)
def test_addresses_links_hidden_signs_and_lookalikes_are_none(name: str):
    with pytest.raises(BadNameError):
        tidy_name(name, site_name="Daily Papers")


def test_two_readers_cannot_look_the_same():
    assert fold_name("Ada Lovelace") == fold_name("ADA  LOVELACE.") == fold_name("Ada L0velace")
    assert fold_name("аса") == fold_name("aca"), "Cyrillic looks Latin"
    take_name(subscriber=make_subscriber(), name="Ada Lovelace", now=NOW)
    other = make_subscriber()
    with pytest.raises(NameTakenError):
        take_name(subscriber=other, name="ada lovelace", now=NOW)
    take_name(subscriber=other, name="Ada", now=NOW)


def test_a_reader_chooses_a_name_and_takes_it_back(client: Client):
    reader = make_subscriber()
    signed_in(client, reader)
    client.post("/me/name/", {"name": "Ada L."})
    assert 'value="Ada L."' in client.get("/me/").content.decode()
    refused = client.post("/me/name/", {"name": "ada@example.org"})
    assert refused.status_code == 422
    assert "A name holds no address and no link." in words(refused)
    client.post("/me/name/", {"name": ""})
    assert 'value=""' in client.get("/me/").content.decode()


# --- claims ---------------------------------------------------------------------------------------


def test_an_author_is_marked_once_a_curator_confirmed_it(client: Client, admin_client: Client):
    reader, paper = make_subscriber(), make_paper()
    make_edition([paper], published_at=NOW)
    signed_in(client, reader)
    assert client.post(f"/claim/{paper.key[6:]}/", {"author": "Somebody Else"}).status_code == 422
    client.post(f"/claim/{paper.key[6:]}/", {"author": "Alan Turing"})
    claim = AuthorClaim.objects.get()
    assert credits_of([paper.pk]).claims == {}
    admin_client.post(
        "/admin/subscriptions/authorclaim/",
        {"action": "confirm", "_selected_action": [claim.pk]},
        SERVER_NAME="127.0.0.1",
    )
    assert credits_of([paper.pk]).claims == {paper.pk: {"Alan Turing": "Alan Turing"}}
    (item,) = client.get("/api/daily_papers").json()
    assert item["isAuthorParticipating"] is True
    assert [author.get("status") for author in item["paper"]["authors"]] == [None, "claimed_verified"]
    assert "a curator confirmed that you are Alan Turing" in words(client.get(f"/claim/{paper.key[6:]}/"))


def test_two_readers_cannot_be_the_same_author():
    paper = make_paper()
    first, second = (
        claim_paper(subscriber=make_subscriber(), paper=paper, author="Ada Lovelace", now=NOW) for _ in range(2)
    )
    assert decide_claim(claim=first, is_author=True, now=NOW)
    assert not decide_claim(claim=second, is_author=True, now=NOW)
    assert decide_claim(claim=second, is_author=False, now=NOW)
    assert sorted(AuthorClaim.objects.values_list("state", flat=True)) == [ClaimState.CONFIRMED, ClaimState.DECLINED]


def test_who_may_only_look_at_the_desk_decides_nothing(client: Client):
    User.objects.create_user("looker", password="a long password here", is_staff=True)
    claim = claim_paper(subscriber=make_subscriber(), paper=make_paper(), author="Ada Lovelace", now=NOW)
    client.login(username="looker", password="a long password here")
    response = client.post("/admin/subscriptions/authorclaim/", {"action": "confirm", "_selected_action": [claim.pk]})
    assert response.status_code == 403
    claim.refresh_from_db()
    assert claim.state == ClaimState.ASKED

"""Choosing, at the form and on the manage page: what is taken, what is refused, and what a choice stands for."""

import datetime as dt
import json
from typing import Any

import pytest
from django.test import Client

from papers.volume import forget_volume
from subscriptions.forms import SubscribeForm
from subscriptions.models import Notice, Subscriber, SubscriberState, Wishes
from subscriptions.preferences import preferences_of
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_paper, make_source, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ADDRESS = "ada@example.org"
ALL: dict[str, Any] = {
    "topics": ["language", "agents"],
    "interest": "protein  folding",
    "authors": "Ada Lovelace\r\nAlan Turing, Ada Lovelace",
    "mute_words": "blockchain, quantum",
    "seeds": "https://arxiv.org/abs/2509.02547v2\n2301.00001",
    "cadence": "weekly",
    "weekday": "4",
    "hour": "18",
    "zone": "Asia/Tokyo",
    "max_papers": "7",
    "wants_replacements": "on",
    "without_cross_lists": "on",
    "without_picks": "on",
}


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    forget_volume()


def test_all_choices_at_the_form_are_kept(client: Client):
    assert client.post("/subscribe/", {"email": ADDRESS, **ALL}).status_code == 302
    chosen = preferences_of(Subscriber.objects.get())
    assert set(chosen.topics) == {"language", "agents"}
    assert (chosen.cadence, chosen.weekday, chosen.hour, chosen.zone) == ("weekly", 4, 18, "Asia/Tokyo")
    assert (chosen.max_papers, chosen.wants_replacements, chosen.wants_cross_lists) == (7, True, False)
    assert not chosen.wants_picks
    assert chosen.interest == "protein folding"
    assert chosen.followed_authors == ("Ada Lovelace", "Alan Turing")
    assert chosen.mute_words == ("blockchain", "quantum")
    assert chosen.seed_papers == ("arxiv:2509.02547", "arxiv:2301.00001")


def test_an_address_alone_is_enough(client: Client):
    client.post("/subscribe/", {"email": ADDRESS})
    reader = Subscriber.objects.get()
    assert (reader.cadence, reader.hour, reader.max_papers) == ("daily", 8, 10)
    assert not Wishes.objects.exists()


def test_the_manage_page_shows_all_choices_and_saving_them_as_they_stand_changes_none(client: Client):
    client.post("/subscribe/", {"email": ADDRESS, **ALL})
    Subscriber.objects.update(state=SubscriberState.ACTIVE, confirmed_at=NOW, next_due_at=NOW)
    reader = Subscriber.objects.get()
    before = preferences_of(reader)
    path = page_of(Purpose.MANAGE, reader)
    form = client.get(path).context["form"]
    sent = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    saved = client.post(path, sent)
    assert "Saved." in words(saved)
    assert preferences_of(Subscriber.objects.get()) == before
    assert "We look for protein folding" in words(saved)


def test_what_was_not_sent_stays_as_it_was(client: Client):
    reader = make_subscriber(topics=["language"], hour=6)
    client.post(page_of(Purpose.MANAGE, reader), {"max_papers": "5", "mute_words": "tax"})
    client.post(page_of(Purpose.MANAGE, reader), {"max_papers": "6", "topics": ["vision"]})
    chosen = preferences_of(Subscriber.objects.get())
    assert (chosen.topics, chosen.hour, chosen.max_papers, chosen.mute_words) == (("vision",), 6, 6, ("tax",))
    client.post(page_of(Purpose.MANAGE, reader), {"max_papers": "6", "mute_words": ""})
    assert preferences_of(Subscriber.objects.get()).mute_words == ()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seeds", "not a paper", "is no arXiv id or link"),
        ("mute_words", "!!!", "has no letters in it"),
        ("mute_words", "\n".join(f"word{number}" for number in range(21)), "Please give at most 20."),
        ("authors", "x" * 61, "is too long for one entry"),
        ("cadence", "hourly", "Please choose one from the list."),
        ("hour", "24", "Please choose one from the list."),
        ("max_papers", "0", "Please give a whole number from 1 to 20."),
        ("interest", "x" * 501, "at most 500 characters"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_kept(
    client: Client, field: str, value: str, message: str
):
    response = client.post("/subscribe/", {"email": ADDRESS, field: value})
    assert response.status_code == 422
    assert message in words(response)
    page = response.content.decode()
    assert f'aria-describedby="id_{field}' in page
    assert f'id="id_{field}_error"' in page
    assert f'<a href="#id_{field}">' in page
    assert not Subscriber.objects.exists()


# --- how many papers a day ------------------------------------------------------------------------


def papers_of_last_weeks() -> None:
    source = make_source()
    today = dt.datetime.now(dt.UTC).date()
    for number in range(10):
        day = today - dt.timedelta(days=number % 5)
        slugs = ["language"] if number < 6 else ["vision"]
        make_paper(topics=slugs, announced_in=source, announced_date=day)
    make_paper(topics=["vision"], announced_in=source, announced_date=today - dt.timedelta(days=40))


def test_the_choice_says_how_many_papers_a_day_it_stands_for_by_what_really_came(client: Client):
    papers_of_last_weeks()
    said = client.get("/subscribe/volume/", {"topics": ["language"]}).json()
    assert said == {"per_day": 1.2, "text": "About 1 paper a day fits this topic, by the last four weeks."}
    both = client.get("/subscribe/volume/", {"topics": ["language", "vision"]}).json()
    assert both["text"] == "About 2 papers a day fit these topics, by the last four weeks."
    assert (
        client.get("/subscribe/volume/", {"topics": ["vision"]}).json()["text"].startswith("Fewer than one paper a day")
    )
    assert client.get("/subscribe/volume/", {"topics": ["nonsense"]}).json()["per_day"] == 0
    assert client.get("/subscribe/volume/").json()["text"].startswith("About 2 papers a day come in")


def test_without_any_paper_nothing_is_claimed_and_of_the_sample_it_is_said(client: Client):
    assert "cannot say" in client.get("/subscribe/volume/").json()["text"]
    forget_volume()
    make_paper(topics=["language"], announced_in=make_source(is_sample=True))
    text = client.get("/subscribe/volume/", {"topics": ["language"]}).json()["text"]
    assert text == "About 1 paper a day fits this topic, by the sample papers."


def test_without_javascript_a_button_brings_the_form_back_with_the_count_and_keeps_nothing(client: Client):
    papers_of_last_weeks()
    sent = {"topics": ["language"], "interest": "tool use", "find": "vision", "preview": "1"}
    response = client.post("/subscribe/", sent)
    said = words(response)
    assert response.status_code == 200
    assert "About 1 paper a day fits this topic" in said
    assert "We look for tool use" in said
    assert "Please give the address" not in said
    # Found by name, or ticked; no others.
    assert [box.data["value"] for _, boxes, _ in SubscribeForm(sent).topic_groups() for box, _ in boxes] == [
        "language",
        "vision",
    ]
    assert not Subscriber.objects.exists()
    reader = make_subscriber()
    before = everything()
    assert "About 1 paper a day" in words(
        client.post(page_of(Purpose.MANAGE, reader), {"topics": ["language"], "preview": "1"})
    )
    assert everything() == before


def test_a_link_may_carry_topics_into_the_form(client: Client):
    assert client.get("/subscribe/?topics=vision&topics=<script>").context["form"].chosen_slugs() == ["vision"]


# --- other doors ----------------------------------------------------------------------------------


def test_the_pasted_form_needs_no_cookie_and_leads_to_the_same_page(client: Client):
    stranger = Client(enforce_csrf_checks=True, SERVER_NAME="127.0.0.1")
    page = client.get("/subscribe/embed/?topics=language").content.decode()
    assert "name=&quot;topics&quot; value=&quot;language&quot;" in page or 'name="topics" value="language"' in page
    reply = stranger.post("/subscribe/embedded/", {"email": ADDRESS, "topics": ["language"]})
    assert (reply.status_code, reply["Location"].split("?")[0]) == (302, "/subscribe/check-your-inbox/")
    reader = Subscriber.objects.get()
    assert preferences_of(reader).topics == ("language",)
    assert reader.consent_events.get().how == "embedded form"
    assert stranger.post("/subscribe/embedded/", {"email": "no"}).status_code == 422


def test_only_the_small_form_may_be_framed(client: Client):
    framed, whole = client.get("/subscribe/embedded/"), client.get("/subscribe/")
    assert "X-Frame-Options" not in framed
    assert "frame-ancestors *" in framed["Content-Security-Policy"]
    assert whole["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in whole["Content-Security-Policy"]


def test_programs_sign_up_with_json(client: Client):
    sent = {
        "email": ADDRESS,
        "topics": ["language"],
        "authors": ["Ada Lovelace"],
        "hour": 9,
        "wants_replacements": True,
    }
    stranger = Client(enforce_csrf_checks=True, SERVER_NAME="127.0.0.1")
    reply = stranger.post("/api/subscribe/", json.dumps(sent), content_type="application/json")
    assert (reply.status_code, reply.json()["status"]) == (202, "check_inbox")
    assert reply["Access-Control-Allow-Origin"] == "*"
    reader = Subscriber.objects.get()
    chosen = preferences_of(reader)
    assert (chosen.topics, chosen.followed_authors, chosen.hour) == (("language",), ("Ada Lovelace",), 9)
    assert chosen.wants_replacements
    assert reader.state == SubscriberState.PENDING
    assert reader.consent_events.get().how == "JSON"
    assert Notice.objects.get().kind == "confirmation"


@pytest.mark.parametrize(
    ("body", "content_type", "status", "field"),
    [
        ("{", "application/json", 400, ""),
        ("[]", "application/json", 400, ""),
        ("[" * 100_000, "application/json", 400, ""),
        (b"\xff", "application/json", 400, ""),
        ("{}", "text/plain", 415, ""),
        ('{"email": "no"}', "application/json", 422, "email"),
        ('{"email": "a@example.org", "topics": ["nope"]}', "application/json", 422, "topics"),
        ('{"email": "a@example.org", "topics": {"a": 1}}', "application/json", 422, "topics"),
        ('{"email": ["a@example.org", null]}', "application/json", 422, "email"),
        ('{"email": null}', "application/json", 422, "email"),
        ('{"email": "a@example.org", "hour": 99}', "application/json", 422, "hour"),
    ],
)
def test_json_that_is_no_good_gets_a_status_and_a_reason(
    client: Client, body: Any, content_type: str, status: int, field: str
):
    reply = client.generic("POST", "/api/subscribe/", body, content_type=content_type)
    assert reply.status_code == status
    assert reply.json()["errors"][field]
    assert not Subscriber.objects.exists()


def test_pages_of_other_sites_may_ask_first(client: Client):
    reply = client.options("/api/subscribe/")
    assert (reply.status_code, reply["Access-Control-Allow-Headers"]) == (204, "Content-Type")
    assert client.get("/api/subscribe/").status_code == 405

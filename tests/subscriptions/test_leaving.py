"""Leaving one topic or all, why, and taking it back."""

import datetime as dt

import pytest
import time_machine
from django.test import Client

from subscriptions.models import ConsentEvent, Subscriber, SubscriberState
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def undo_of(page: object) -> dict[str, str]:
    return {"undo": page.context["undo"]}  # type: ignore[attr-defined]


def test_the_page_offers_all_and_each_topic(client: Client):
    said = words(client.get(page_of(Purpose.UNSUBSCRIBE, make_subscriber(topics=["language", "vision"]))))
    assert "Unsubscribe from everything" in said
    assert "No more about Language" in said
    assert "No more about Computer vision" in said


def test_leaving_one_topic_leaves_the_others_and_can_be_taken_back(client: Client):
    reader = make_subscriber(topics=["language", "vision"])
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    page = client.post(path, {"topic": "language"})
    assert "No more papers about Language" in words(page)
    assert list(reader.topics.values_list("slug", flat=True)) == ["vision"]
    assert Subscriber.objects.get().state == SubscriberState.ACTIVE
    assert "not among yours" in words(client.post(path, {"topic": "language"}))
    assert "Welcome back" in words(client.post(f"{path}undo/", undo_of(page)))
    assert set(reader.topics.values_list("slug", flat=True)) == {"language", "vision"}
    hows = list(ConsentEvent.objects.values_list("kind", "how"))
    assert hows == [("changed", "mail link, one topic less"), ("changed", "undo on the page")]


def test_leaving_the_last_topic_says_what_comes_then(client: Client):
    reader = make_subscriber(topics=["language"])
    said = words(client.post(page_of(Purpose.UNSUBSCRIBE, reader), {"topic": "language"}))
    assert "You have no topics now" in said
    assert "Unsubscribe from everything" in said


@pytest.mark.parametrize(("sent", "kept"), [("too_much", "too_much"), ("", ""), ("<b>spam</b>", "")])
def test_a_reason_may_be_given_and_is_one_of_a_few(client: Client, sent: str, kept: str):
    client.post(page_of(Purpose.UNSUBSCRIBE, make_subscriber()), {"reason": sent})
    event = ConsentEvent.objects.get()
    assert (event.kind, event.reason) == ("unsubscribed", kept)


def test_a_farewell_is_taken_back_from_the_page_that_answered_it(client: Client):
    reader = make_subscriber(topics=["language"])
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    page = client.post(path)
    assert Subscriber.objects.get().next_due_at is None
    assert "Everything is as it was before" in words(client.post(f"{path}undo/", undo_of(page)))
    reader.refresh_from_db()
    assert reader.state == SubscriberState.ACTIVE
    assert reader.next_due_at is not None
    before = everything()
    assert client.post(f"{path}undo/", undo_of(page)).status_code == 200
    assert everything() == before


def test_a_paused_reader_comes_back_paused(client: Client):
    until = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=9)
    reader = make_subscriber(state=SubscriberState.PAUSED, paused_until=until)
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    client.post(f"{path}undo/", undo_of(client.post(path)))
    reader.refresh_from_db()
    assert (reader.state, reader.paused_until) == (SubscriberState.PAUSED, until)


def test_who_never_confirmed_is_not_confirmed_by_an_undo(client: Client):
    reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    client.post(f"{path}undo/", undo_of(client.post(path)))
    assert Subscriber.objects.get().state == SubscriberState.PENDING


def test_nobody_comes_back_by_an_old_link_alone(client: Client):
    reader, other = make_subscriber(), make_subscriber()
    path = page_of(Purpose.UNSUBSCRIBE, reader)
    late = undo_of(client.post(path))
    others = undo_of(client.post(page_of(Purpose.UNSUBSCRIBE, other)))
    before = everything()
    for sent in ({}, {"undo": "forged"}, others):
        assert client.post(f"{path}undo/", sent).status_code == 410
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=61)):
        assert client.post(f"{path}undo/", late).status_code == 410
    assert client.get(f"{path}undo/", late).status_code == 410
    assert everything() == before


def test_undoing_needs_the_page_though_leaving_does_not():
    browser = Client(enforce_csrf_checks=True)
    path = page_of(Purpose.UNSUBSCRIBE, make_subscriber())
    page = browser.post(path)
    assert page.status_code == 200
    assert browser.post(f"{path}undo/", undo_of(page)).status_code == 403
    token = page.context["csrf_token"]
    assert browser.post(f"{path}undo/", {**undo_of(page), "csrfmiddlewaretoken": str(token)}).status_code == 200


def test_ten_years_later_the_link_still_works(client: Client):
    with time_machine.travel(NOW - dt.timedelta(days=3653)):
        path = page_of(Purpose.UNSUBSCRIBE, make_subscriber())
    assert "You are unsubscribed" in words(client.post(path))

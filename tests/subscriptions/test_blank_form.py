"""The form before anything was typed: made once a minute for everybody, with a stamp of its own for each."""

import datetime as dt
import re
import time
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from papers.models import Topic
from subscriptions.models import Subscriber
from subscriptions.stamps import shown_for
from tests.factories import make_topic

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def kept_pages(settings: Settings) -> None:
    settings.PAGE_CACHE_SECONDS = 60


def stamp_of(page: str) -> str:
    return page.split('name="stamp" value="')[1].split('"')[0]


def form(client: Client, **headers: str) -> str:
    return client.get("/subscribe/", headers=headers).content.decode()


def test_two_visitors_get_the_same_page_each_with_a_stamp_of_the_moment(client: Client):
    before = timezone.now().replace(microsecond=0)
    with time_machine.travel(before, tick=False):
        first = form(client)
    with time_machine.travel(before + dt.timedelta(seconds=30), tick=False):
        second = form(client)
    assert first.replace(stamp_of(first), "") == second.replace(stamp_of(second), "")
    for page, at in ((first, before), (second, before + dt.timedelta(seconds=30))):
        assert shown_for(stamp_of(page), now=at + dt.timedelta(seconds=5)) == dt.timedelta(seconds=5)


def test_it_asks_the_database_nothing_the_second_time(client: Client, django_assert_num_queries: Any):
    form(client)
    with django_assert_num_queries(0):
        form(client)


def test_each_language_has_its_own(client: Client):
    english, german = form(client), form(client, accept_language="de")
    assert 'lang="en"' in english
    assert 'lang="de"' in german
    assert 'lang="en"' in form(client)


def test_a_link_with_topics_in_it_ticks_them_for_nobody_else(client: Client):
    make_topic("nlp", name="Language")
    ticked = re.compile(r'<input[^>]*value="nlp"[^>]*checked')
    assert ticked.search(client.get("/subscribe/?topics=nlp").content.decode())
    assert 'value="nlp"' in form(client)
    assert not ticked.search(form(client))


def test_what_changes_in_the_list_of_topics_is_seen_within_the_minute(client: Client, monkeypatch: pytest.MonkeyPatch):
    make_topic("nlp", name="Language")
    form(client)
    Topic.objects.filter(slug="nlp").update(name="Speech and language")
    assert "Speech and language" not in form(client)
    in_a_minute = time.monotonic() + 61
    monkeypatch.setattr("subscriptions.pages.signup.time.monotonic", lambda: in_a_minute)
    assert "Speech and language" in form(client)


def test_what_somebody_typed_is_on_nobody_elses_page(client: Client):
    client.post("/subscribe/", {"email": "not an address"})
    assert "not an address" not in form(client)
    assert not Subscriber.objects.exists()

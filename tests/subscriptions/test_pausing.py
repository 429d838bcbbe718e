"""Pausing until a day, and coming back by itself."""

import datetime as dt

import pytest
import time_machine
from django.test import Client

from subscriptions.models import ConsentEvent, Subscriber, SubscriberState
from subscriptions.pausing import end_pauses, pause, resume
from subscriptions.preferences import Preferences, store_preferences
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
UNTIL = dt.date(2026, 12, 7)


def test_mail_comes_again_on_the_day_at_the_readers_hour_where_they_are():
    reader = make_subscriber(zone="Pacific/Auckland", hour=8)
    assert pause(subscriber=reader, until=UNTIL, now=NOW)
    reader.refresh_from_db()
    # Eight in the morning there is still the evening of the day before in UTC.
    due_at = dt.datetime(2026, 12, 6, 19, 0, tzinfo=dt.UTC)
    assert (reader.state, reader.paused_until, reader.next_due_at) == (SubscriberState.PAUSED, UNTIL, due_at)
    assert not Subscriber.objects.due(due_at).exists()
    assert end_pauses(now=due_at - dt.timedelta(seconds=1)) == 0
    assert end_pauses(now=due_at) == 1
    assert end_pauses(now=due_at) == 0
    reader.refresh_from_db()
    assert (reader.state, reader.paused_until) == (SubscriberState.ACTIVE, None)
    assert list(Subscriber.objects.due(due_at)) == [reader]


def test_a_weekly_reader_comes_back_on_their_own_day():
    reader = make_subscriber(cadence="weekly", weekday=4)
    pause(subscriber=reader, until=UNTIL, now=NOW)
    assert Subscriber.objects.get().next_due_at == dt.datetime(2026, 12, 11, 8, 0, tzinfo=dt.UTC)


def test_another_hour_chosen_while_paused_counts_from_the_day_on():
    reader = make_subscriber()
    pause(subscriber=reader, until=UNTIL, now=NOW)
    reader.refresh_from_db()
    store_preferences(reader, Preferences(hour=20), now=NOW)
    assert Subscriber.objects.get().next_due_at == dt.datetime(2026, 12, 7, 20, 0, tzinfo=dt.UTC)


def test_a_pause_without_an_end_ends_by_no_clock():
    make_subscriber(state=SubscriberState.PAUSED, next_due_at=NOW - dt.timedelta(days=9))
    assert end_pauses(now=NOW) == 0


def test_who_has_left_cannot_be_paused_back_in():
    reader = make_subscriber(state=SubscriberState.UNSUBSCRIBED, next_due_at=None)
    before = everything()
    assert not pause(subscriber=reader, until=UNTIL, now=NOW)
    assert not resume(subscriber=reader, now=NOW)
    assert everything() == before


@time_machine.travel(NOW, tick=False)
def test_the_page_pauses_says_until_when_and_starts_again(client: Client):
    reader = make_subscriber()
    path = page_of(Purpose.MANAGE, reader, part="pause/")
    page = client.post(path, {"until": "2026-12-07"}, follow=True)
    assert "Your mail is paused." in words(page)
    assert "paused until 7 December 2026" in words(page)
    page = client.post(path, {"resume": "1"}, follow=True)
    assert "Your mail comes again." in words(page)
    reader.refresh_from_db()
    assert (reader.state, reader.next_due_at) == (SubscriberState.ACTIVE, dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC))
    assert list(ConsentEvent.objects.values_list("how", flat=True)) == ["mail link, paused", "mail link, pause ended"]


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize("until", ["", "soon", "2026-11-23", "2020-01-01", "2027-11-30", "0000-00-00"])
def test_a_day_that_cannot_be_is_refused_in_words(client: Client, until: str):
    reader = make_subscriber()
    before = everything()
    page = client.post(page_of(Purpose.MANAGE, reader, part="pause/"), {"until": until})
    assert page.status_code == 422
    assert "Please give" in words(page)
    assert everything() == before

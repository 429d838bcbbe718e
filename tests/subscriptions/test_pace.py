"""How fast mail may leave: never faster than the settings say, whoever sends and however often it was restarted."""

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import time_machine
from django.db.models import QuerySet
from django.db.models.functions import Now
from pytest_django import Settings

from digests.delivering import SendReport, due_deliveries, send_deliveries
from digests.models import Delivery, Edition
from limits.models import Bucket
from mailer import lines
from mailer.handoff import Accepted, TryLater
from subscriptions import batch, stopping
from subscriptions import pace as pace_module
from subscriptions.models import Notice, NoticeKind, SubscriberState, WarmupDay
from subscriptions.notices import send_notices
from subscriptions.pace import Pace, cap_of_day, give_back_of_day, take_of_day
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ADDRESSES = [f"r{number}@example.org" for number in range(30)]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses handed over, in order."""
    found: list[str] = []

    def hand_off(message: Any, *, connection: Any) -> Accepted:
        found.append(message.to[0])
        return Accepted("outbox")

    monkeypatch.setattr(lines, "hand_off", hand_off)
    return found


def deliveries(*emails: str) -> list[int]:
    edition = make_edition([make_paper()])
    return [make_delivery(edition=edition, subscriber=make_subscriber(email=email)).pk for email in emails]


def test_without_limits_everything_may_leave():
    assert Pace("smtp").allow(ADDRESSES) == [True] * 30


def test_two_workers_together_keep_one_rate(settings: Settings):
    settings.SEND_RATE = 0.1
    first, second = Pace("smtp"), Pace("smtp")
    granted = first.allow(ADDRESSES).count(True) + second.allow(ADDRESSES).count(True)
    assert granted == 1
    assert first.is_shut
    assert 5 < first.wait_seconds(ADDRESSES) <= 10


def test_each_provider_has_a_rate_of_its_own(settings: Settings):
    settings.SEND_RATE = 10
    assert Pace("smtp").allow(ADDRESSES).count(True) == 1
    assert Pace("postmark").allow(ADDRESSES).count(True) == 1


def test_a_domain_that_must_wait_lets_others_pass(settings: Settings, sent: list[str], monkeypatch: pytest.MonkeyPatch):
    settings.SEND_RATE_PER_DOMAIN = {"slow.example": 1}
    monkeypatch.setattr(batch, "SHORT_SLEEP", 0.01)
    emails = ["a1@slow.example", "a2@slow.example", *[f"b{number}@quick.example" for number in range(4)]]
    assert send_deliveries(deliveries(*emails), now=NOW) == SendReport(accepted=6)
    assert sorted(sent) == sorted(emails)
    assert [email for email in sent if "quick" in email] == sent[1:5]


def test_a_whole_batch_keeps_the_rate(settings: Settings, sent: list[str], monkeypatch: pytest.MonkeyPatch):
    settings.SEND_RATE = 20
    monkeypatch.setattr(batch, "SHORT_SLEEP", 0.01)
    began = dt.datetime.now(dt.UTC)
    assert send_deliveries(deliveries(*ADDRESSES[:14]), now=NOW) == SendReport(accepted=14)
    # Two at once, and then twenty a second.
    assert (dt.datetime.now(dt.UTC) - began).total_seconds() >= 12 / 20 - 0.01


def test_what_must_wait_for_long_is_put_back_until_then(
    settings: Settings, sent: list[str], monkeypatch: pytest.MonkeyPatch
):
    settings.SEND_RATE = 1
    monkeypatch.setattr(batch, "LONGEST_WAIT", 0.0)
    assert send_deliveries(deliveries(*ADDRESSES[:3]), now=NOW) == SendReport(accepted=1, other=2)
    waiting = Delivery.objects.filter(state="queued", not_before__gt=Now())
    assert set(waiting.values_list("reason", "attempt")) == {("Mail may not leave any faster for now.", 0)}
    assert waiting.count() == 2


def test_a_service_that_says_too_many_is_left_alone_by_everybody(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    answers = itertools.chain([TryLater("429", wait_seconds=120.0)], itertools.repeat(Accepted("outbox")))
    monkeypatch.setattr(lines, "hand_off", lambda message, connection: next(answers))
    ids = deliveries(*ADDRESSES[:3])
    assert send_deliveries(ids, now=NOW) == SendReport(other=3)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"queued"}
    # Another worker, which heard nothing of it.
    Delivery.objects.update(not_before=None)
    assert send_deliveries(ids, now=NOW) == SendReport(other=3)
    Bucket.objects.update(closed_until=Now())
    Delivery.objects.update(not_before=None)
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=3)


# --- warm-up ----------------------------------------------------------------------------------------------------------


def test_the_cap_grows_a_thousandfold_in_six_weeks_and_ends():
    caps = [cap_of_day(day, start=200) for day in range(43)]
    assert caps[0] == 200
    assert caps[21] == pytest.approx(6324, abs=1)
    assert caps[41] == pytest.approx(169_664, rel=0.01)
    assert caps[42] is None
    assert all(after > before for before, after in itertools.pairwise(caps[:42]))  # type: ignore[operator]


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> list[dt.datetime]:
    """The database's clock."""
    clock = [NOW]
    monkeypatch.setattr(pace_module, "_database_now", lambda: clock[0])
    return clock


def test_a_day_gives_its_cap_and_no_more_and_the_next_gives_more(settings: Settings, day: list[dt.datetime]):
    settings.SEND_WARMUP_START = 10
    assert take_of_day("smtp", 7) == (7, 0.0)
    assert take_of_day("smtp", 7) == (3, 0.0)
    assert take_of_day("smtp", 7) == (0, 12 * 3600)
    day[0] = NOW + dt.timedelta(days=1)
    assert take_of_day("smtp", 99)[0] == 11
    day[0] = NOW + dt.timedelta(days=42)
    assert take_of_day("smtp", 5000) == (5000, 0.0)


def test_a_new_sender_sends_no_more_than_the_days_cap(settings: Settings, sent: list[str], day: list[dt.datetime]):
    settings.SEND_WARMUP_START = 2
    assert send_deliveries(deliveries(*ADDRESSES[:5]), now=NOW) == SendReport(accepted=2, other=3)
    assert WarmupDay.objects.get().taken == 2
    assert Delivery.objects.filter(state="queued", not_before__gt=Now()).count() == 3


@pytest.mark.parametrize("skew", [dt.timedelta(days=-2), dt.timedelta(days=2)])
def test_the_day_is_by_the_clock_of_the_database_not_of_the_worker(settings: Settings, skew: dt.timedelta):
    settings.SEND_WARMUP_START = 10
    take_of_day("smtp", 4)
    with time_machine.travel(dt.datetime.now(dt.UTC) + skew, tick=True):
        take_of_day("smtp", 4)
        give_back_of_day("smtp", 1)
    assert WarmupDay.objects.get().taken == 7


def test_what_the_days_cap_does_not_let_pass_is_not_counted_against_the_rate(
    settings: Settings, day: list[dt.datetime], monkeypatch: pytest.MonkeyPatch
):
    settings.SEND_WARMUP_START, settings.SEND_RATE = 3, 100
    assert Pace("smtp").allow(ADDRESSES[:5]).count(True) == 3
    # Of the five that the bucket holds at once, two are left for mail that keeps no cap.
    assert Pace("smtp", keeps_day_cap=False).allow(ADDRESSES[:5]).count(True) >= 2


def test_the_day_is_not_over_for_who_lost_every_race_for_its_tokens(
    settings: Settings, day: list[dt.datetime], monkeypatch: pytest.MonkeyPatch
):
    settings.SEND_WARMUP_START = 100
    update = QuerySet.update

    def be_overtaken(rows: Any, **values: Any) -> int:
        return 0 if rows.model is WarmupDay else update(rows, **values)

    monkeypatch.setattr(QuerySet, "update", be_overtaken)
    count, seconds = take_of_day("smtp", 5)
    assert (count, seconds < 1) == (0, True)


def test_a_confirmation_does_not_wait_for_tomorrow_because_digests_used_up_the_day(
    settings: Settings, sent: list[str], day: list[dt.datetime]
):
    settings.SEND_WARMUP_START = 2
    send_deliveries(deliveries(*ADDRESSES[:5]), now=NOW)
    reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None)
    notice = Notice.objects.create(kind=NoticeKind.CONFIRMATION, subscriber=reader, address_hash=reader.address_hash)
    assert send_notices([notice.pk], now=NOW) == 1
    assert WarmupDay.objects.get().taken == 2


def test_mails_that_are_not_begun_after_all_give_their_tokens_back(
    settings: Settings, sent: list[str], day: list[dt.datetime], monkeypatch: pytest.MonkeyPatch
):
    settings.SEND_WARMUP_START, settings.SEND_RATE_PER_DOMAIN = 100, {"example.org": 1}
    ids = deliveries("one@example.org")
    allow = Pace.allow

    def allow_and_pause(pace: Pace, addresses: Sequence[str]) -> list[bool]:
        answers = allow(pace, addresses)
        Edition.objects.update(state="paused")
        return answers

    monkeypatch.setattr(Pace, "allow", allow_and_pause)
    assert send_deliveries(ids, now=NOW) == SendReport(other=1)
    assert Delivery.objects.get().reason == "The edition is paused."
    assert WarmupDay.objects.get().taken == 0
    monkeypatch.undo()
    assert Pace("outbox").allow(["one@example.org"]) == [True]


def test_a_paused_edition_is_neither_rung_for_nor_claimed_nor_takes_tokens(
    settings: Settings, sent: list[str], day: list[dt.datetime]
):
    settings.SEND_WARMUP_START = 100
    ids = deliveries(*ADDRESSES[:3])
    Edition.objects.update(state="paused")
    assert due_deliveries(limit=9) == []
    assert send_deliveries(ids, now=NOW) == SendReport()
    assert set(Delivery.objects.values_list("state", "reason", "not_before")) == {("queued", "", None)}
    assert not WarmupDay.objects.exists()
    Edition.objects.update(state="published")
    assert due_deliveries(limit=9) == ids
    assert send_deliveries(ids, now=NOW) == SendReport(accepted=3)


def test_what_the_rate_does_not_let_pass_is_not_counted_against_the_day(settings: Settings):
    settings.SEND_WARMUP_START, settings.SEND_RATE = 100, 10
    assert Pace("smtp").allow(ADDRESSES).count(True) == 1
    assert WarmupDay.objects.get().taken == 1


def test_open_doors_are_looked_at_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pace_module, "LOOK_SECONDS", 0.0)
    here, elsewhere = Pace("smtp"), Pace("smtp")
    assert here.allow(ADDRESSES[:1]) == [True]
    elsewhere.shut(60)
    assert here.allow(ADDRESSES[:1]) == [False]


# --- a deploy ---------------------------------------------------------------------------------------------------------


def test_a_worker_told_to_end_gives_back_what_it_has_not_begun(monkeypatch: pytest.MonkeyPatch):
    handed_over = []

    def hand_off(message: Any, *, connection: Any) -> Accepted:
        handed_over.append(message)
        stopping.tell_to_stop()
        return Accepted("outbox")

    monkeypatch.setattr(lines, "hand_off", hand_off)
    ids = deliveries(*ADDRESSES[:4])
    try:
        assert send_deliveries(ids, now=NOW) == SendReport(accepted=1, other=3)
    finally:
        stopping.go_on()
    assert len(handed_over) == 1
    left = Delivery.objects.filter(state="queued")
    assert set(left.values_list("reason", "worker_deaths")) == {("The worker was told to end.", 0)}
    monkeypatch.undo()

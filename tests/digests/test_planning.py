"""Who is due: every reader gets a delivery, waits for the edition, or has a day skipped with the reason."""

import datetime as dt
import threading
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from digests import planning, tasks
from digests.editions import pause
from digests.models import Delivery, Edition, EditionState, SkippedDay
from digests.planning import PlanReport, plan_due, plan_subscribers
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.schedule import Cadence
from subscriptions.signup import confirm_subscription, unsubscribe
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.steps import wait_until_blocked

pytestmark = [pytest.mark.db, pytest.mark.django_db]

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


@pytest.fixture
def edition() -> Edition:
    return make_edition([make_paper()])


def due_of(reader: Subscriber) -> dt.datetime | None:
    reader.refresh_from_db()
    return reader.next_due_at


def test_a_reader_who_is_due_gets_a_delivery_and_is_next_due_tomorrow(edition: Edition):
    reader = make_subscriber(hour=8, next_due_at=NOW - 4 * HOUR)
    assert plan_due(now=NOW) == PlanReport(planned=1)
    delivery = Delivery.objects.get()
    assert (delivery.edition, delivery.subscriber, delivery.state) == (edition, reader, OutgoingState.QUEUED)
    assert delivery.due_at == NOW - 4 * HOUR
    assert due_of(reader) == dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "values",
    [
        {"state": SubscriberState.PENDING},
        {"state": SubscriberState.PAUSED},
        {"state": SubscriberState.UNSUBSCRIBED},
        {"next_due_at": NOW + MINUTE},
        {"next_due_at": None},
    ],
)
def test_who_is_not_due_gets_nothing(edition: Edition, values: dict[str, Any]):
    reader = make_subscriber(**values)
    assert plan_due(now=NOW) == PlanReport()
    assert not Delivery.objects.exists()
    assert due_of(reader) == values.get("next_due_at", NOW - MINUTE)


def test_due_means_the_very_minute_too(edition: Edition):
    make_subscriber(next_due_at=NOW)
    assert plan_due(now=NOW).planned == 1


@pytest.mark.parametrize(
    ("cadence", "weekday", "expected"),
    [
        (Cadence.DAILY, 0, dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)),
        (Cadence.WEEKDAYS, 0, dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)),
        (Cadence.WEEKLY, 0, dt.datetime(2026, 11, 30, 8, 0, tzinfo=dt.UTC)),
        (Cadence.WEEKLY, 2, dt.datetime(2026, 11, 25, 8, 0, tzinfo=dt.UTC)),
    ],
)
def test_the_next_hour_follows_the_cadence(edition: Edition, cadence: str, weekday: int, expected: dt.datetime):
    reader = make_subscriber(cadence=cadence, weekday=weekday)
    plan_due(now=NOW)
    assert due_of(reader) == expected


def test_planning_twice_plans_once(edition: Edition):
    make_subscriber()
    assert plan_due(now=NOW).planned == 1
    assert plan_due(now=NOW) == PlanReport()
    assert plan_due(now=NOW + MINUTE) == PlanReport()
    assert Delivery.objects.count() == 1


def test_a_dry_run_counts_and_writes_nothing(edition: Edition):
    reader = make_subscriber()
    assert plan_due(now=NOW, dry_run=True) == PlanReport(planned=1)
    assert not Delivery.objects.exists()
    assert due_of(reader) == NOW - MINUTE


def test_the_newest_edition_is_what_a_digest_is_recorded_against(edition: Edition):
    make_edition([make_paper()], date=TODAY - DAY)
    make_edition([make_paper()], date=TODAY + DAY, state=EditionState.DRAFT)
    make_subscriber()
    plan_due(now=NOW)
    assert Delivery.objects.get().edition == edition


def test_a_paused_edition_is_not_planned_and_the_reader_waits_for_it(edition: Edition):
    reader = make_subscriber()
    pause(edition)
    assert plan_due(now=NOW) == PlanReport(waiting=1)
    assert due_of(reader) == NOW - MINUTE


# --- no new edition yet -----------------------------------------------------------------------------------------------


def test_without_a_new_edition_the_reader_stays_due_and_gets_it_when_it_comes():
    reader = make_subscriber(next_due_at=NOW - 2 * HOUR)
    assert plan_due(now=NOW) == PlanReport(waiting=1)
    assert due_of(reader) == NOW - 2 * HOUR
    make_edition([make_paper()])
    assert plan_due(now=NOW + HOUR) == PlanReport(planned=1)


def test_yesterdays_edition_is_not_a_new_one():
    reader = make_subscriber()
    make_delivery(edition=make_edition([make_paper()], date=TODAY - DAY), subscriber=reader, state="accepted")
    assert plan_due(now=NOW) == PlanReport(waiting=1)


def test_after_twelve_hours_the_day_is_skipped_with_the_reason_and_once():
    reader = make_subscriber(hour=8, next_due_at=NOW - 12 * HOUR)
    assert plan_due(now=NOW) == PlanReport(waiting=1)
    assert plan_due(now=NOW + MINUTE) == PlanReport(skipped=1)
    day = SkippedDay.objects.get()
    assert (day.subscriber, day.due_at) == (reader, NOW - 12 * HOUR)
    assert "No new edition" in day.reason
    assert due_of(reader) == dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    assert plan_due(now=NOW + 2 * MINUTE) == PlanReport()


def test_the_day_after_a_skipped_one_is_an_ordinary_day():
    reader = make_subscriber(hour=8, next_due_at=NOW - 13 * HOUR)
    plan_due(now=NOW)
    make_edition([make_paper()], date=TODAY + DAY)
    assert plan_due(now=NOW + DAY) == PlanReport(planned=1)
    assert Delivery.objects.get().subscriber == reader


def test_a_reader_who_is_long_overdue_still_gets_the_edition_that_is_there(edition: Edition):
    make_subscriber(next_due_at=NOW - 3 * DAY)
    assert plan_due(now=NOW) == PlanReport(planned=1)
    assert plan_due(now=NOW) == PlanReport()


# --- clocks and old news ----------------------------------------------------------------------------------------------


def test_a_clock_that_jumped_a_month_mails_no_old_news(edition: Edition):
    reader = make_subscriber()
    later = NOW + 30 * DAY
    assert plan_due(now=later) == PlanReport(skipped=1)
    assert not Delivery.objects.exists()
    assert due_of(reader) > later


def test_a_database_restored_from_last_month_mails_no_old_news():
    old = make_edition([make_paper()], date=TODAY - 30 * DAY)
    for number in range(3):
        make_subscriber(next_due_at=NOW - 30 * DAY + number * HOUR)
    assert plan_due(now=NOW) == PlanReport(skipped=3)
    assert not Delivery.objects.filter(edition=old).exists()


def test_a_clock_that_goes_back_an_hour_plans_nobody_twice(edition: Edition):
    reader = make_subscriber(hour=12)
    plan_due(now=NOW)
    due = due_of(reader)
    assert plan_due(now=NOW - HOUR) == PlanReport()
    assert due_of(reader) == due


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_in_the_night_the_clocks_go_back_every_reader_is_planned_once(zone: str):
    night = dt.datetime(2026, 10, 24, 12, 0, tzinfo=dt.UTC)
    readers = [make_subscriber(zone=zone, hour=hour, next_due_at=night + MINUTE) for hour in (0, 1, 2, 3)]
    for day in range(12):
        make_edition([make_paper()], date=night.date() + day * DAY)
    for half_hour in range(48 * 10):
        plan_due(now=night + half_hour * dt.timedelta(minutes=30))
    # The first at once, then one for every local day of the ten, whatever the clocks did.
    newest = newest_per_reader(readers)
    assert set(newest.values()) == {1}


def newest_per_reader(readers: list[Subscriber]) -> dict[int, int]:
    return {reader.pk: Delivery.objects.filter(subscriber=reader).count() for reader in readers}


# --- crashes and company ----------------------------------------------------------------------------------------------


def test_a_crash_between_chunks_leaves_the_rest_due(edition: Edition, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planning, "CHUNK", 2)
    readers = [make_subscriber() for _ in range(5)]
    real, calls = planning.plan_readers, []

    def dies_at_the_second(*args: Any, **kwargs: Any) -> PlanReport:
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(planning, "plan_readers", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        plan_due(now=NOW)
    assert Delivery.objects.count() == 2
    assert Subscriber.objects.due(NOW).count() == 3

    monkeypatch.setattr(planning, "plan_readers", real)
    assert plan_due(now=NOW) == PlanReport(planned=3)
    assert set(Delivery.objects.values_list("subscriber_id", flat=True)) == {reader.pk for reader in readers}


def test_a_crash_inside_a_chunk_leaves_nothing_of_it(edition: Edition, monkeypatch: pytest.MonkeyPatch):
    make_subscriber()

    def dies(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(planning, "_advance", dies)
    with pytest.raises(KeyboardInterrupt):
        plan_due(now=NOW)
    assert not Delivery.objects.exists()
    assert Subscriber.objects.due(NOW).count() == 1


def test_two_planners_with_the_same_readers_in_hand_plan_each_once(edition: Edition):
    make_subscriber()
    make_subscriber()
    seen_by_both = list(Subscriber.objects.due(NOW))
    plan_subscribers(seen_by_both, edition=edition, now=NOW)
    due_after_first = set(Subscriber.objects.values_list("next_due_at", flat=True))
    # The other had read the same rows before the first was done, and goes on with what it read.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "_already_has", lambda subscribers, edition: set())
        plan_subscribers(seen_by_both, edition=edition, now=NOW + MINUTE)
    assert Delivery.objects.count() == 2
    assert set(Subscriber.objects.values_list("next_due_at", flat=True)) == due_after_first


def test_two_planners_skip_a_day_once():
    reader = make_subscriber(next_due_at=NOW - DAY)
    for _ in range(2):
        plan_subscribers([reader], edition=None, now=NOW)
    assert SkippedDay.objects.count() == 1


def test_a_second_planner_that_comes_late_writes_down_no_skipped_day_for_who_was_served(edition: Edition):
    make_subscriber(next_due_at=NOW - DAY)
    seen_by_both = list(Subscriber.objects.due(NOW))
    assert plan_subscribers(seen_by_both, edition=edition, now=NOW).planned == 1
    assert plan_subscribers(seen_by_both, edition=edition, now=NOW).skipped == 0
    assert not SkippedDay.objects.exists()


def test_a_day_skipped_while_the_newest_edition_is_paused_says_so(edition: Edition):
    make_subscriber(next_due_at=NOW - DAY)
    pause(edition)
    assert plan_due(now=NOW).skipped == 1
    assert SkippedDay.objects.get().reason == "The edition of 2026-11-23 was paused."


def test_a_reader_who_is_erased_while_others_are_planned_costs_nobody_theirs(edition: Edition):
    gone, stays, late = make_subscriber(), make_subscriber(), make_subscriber(next_due_at=NOW - DAY)
    in_hand = list(Subscriber.objects.due(NOW))
    gone.delete()
    assert plan_subscribers(in_hand, edition=edition, now=NOW).planned == 2
    assert set(Delivery.objects.values_list("subscriber_id", flat=True)) == {stays.pk, late.pk}
    Subscriber.objects.update(next_due_at=NOW - DAY)
    in_hand = list(Subscriber.objects.due(NOW))
    late.delete()
    assert plan_subscribers(in_hand, edition=None, now=NOW).skipped == 1
    assert SkippedDay.objects.get().subscriber == stays


@pytest.mark.django_db(transaction=True)
def test_a_reader_who_is_erased_at_the_very_moment_costs_nobody_theirs():
    """PostgreSQL: the reader is still there to be read, and gone when the delivery is to point at them."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time: there is no such moment.")
    edition = make_edition([make_paper()])
    gone, stays = make_subscriber(), make_subscriber()
    answers: list[Any] = []

    def plan() -> None:
        try:
            answers.append(plan_due(now=NOW).planned)
        except IntegrityError as error:
            answers.append(error)
        finally:
            connection.close()

    planner = threading.Thread(target=plan)
    with transaction.atomic():
        gone.delete()
        planner.start()
        wait_until_blocked()
    planner.join(timeout=40)
    assert answers == [1]
    assert Delivery.objects.get().subscriber == stays
    assert edition.deliveries.count() == 1


def test_a_reader_who_chose_another_hour_meanwhile_keeps_it(edition: Edition):
    reader = make_subscriber()
    in_hand = list(Subscriber.objects.due(NOW))
    Subscriber.objects.filter(pk=reader.pk).update(next_due_at=NOW + 3 * HOUR)
    plan_subscribers(in_hand, edition=edition, now=NOW)
    assert due_of(reader) == NOW + 3 * HOUR


def test_many_readers_are_planned_in_a_few_queries(edition: Edition):
    for number in range(40):
        make_subscriber(hour=7 + number % 2)
    with CaptureQueriesContext(connection) as queries:
        assert plan_due(now=NOW).planned == 40
    assert len(queries) < 20


def test_an_unknown_zone_does_not_stop_the_line(edition: Edition):
    make_subscriber(zone="Atlantis/Center")
    make_subscriber()
    assert plan_due(now=NOW).planned == 2


# --- the first digest -------------------------------------------------------------------------------------------------


def test_confirming_plans_the_first_digest_at_once(
    edition: Edition, silent_bell: list[Any], django_capture_on_commit_callbacks: Any
):
    reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        confirm_subscription(public_id=reader.public_id, now=NOW)
    delivery = Delivery.objects.get()
    assert (delivery.subscriber, delivery.due_at) == (reader, NOW)
    assert due_of(reader) == dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)
    assert silent_bell == [("digests.tasks.send_deliveries", ([delivery.pk],))]


def test_confirming_before_the_first_edition_waits_for_it(django_capture_on_commit_callbacks: Any):
    reader = make_subscriber(state=SubscriberState.PENDING, confirmed_at=None, next_due_at=None)
    with django_capture_on_commit_callbacks(execute=True):
        confirm_subscription(public_id=reader.public_id, now=NOW)
    make_edition([make_paper()])
    assert plan_due(now=NOW + HOUR) == PlanReport(planned=1)


def test_whoever_comes_back_the_same_day_gets_no_second_digest_of_it(edition: Edition):
    reader = make_subscriber()
    plan_due(now=NOW)
    unsubscribe(public_id=reader.public_id, how="mail link", now=NOW)
    Subscriber.objects.update(state=SubscriberState.PENDING)
    confirm_subscription(public_id=reader.public_id, now=NOW + HOUR)
    assert Delivery.objects.count() == 1
    assert due_of(reader) == NOW + HOUR


# --- the minute's work ------------------------------------------------------------------------------------------------


def test_a_tick_plans_and_rings_in_batches(edition: Edition, silent_bell: list[Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "BATCH", 2)
    for _ in range(3):
        make_subscriber()
    with time_machine.travel(NOW, tick=False):
        tasks.tick()
    ids = list(Delivery.objects.order_by("id").values_list("id", flat=True))
    assert silent_bell == [
        ("digests.tasks.send_deliveries", (ids[:2],)),
        ("digests.tasks.send_deliveries", (ids[2:],)),
    ]


def test_a_bell_that_nobody_heard_is_rung_again_the_next_minute(edition: Edition, silent_bell: list[Any]):
    make_subscriber()
    for minute in range(2):
        with time_machine.travel(NOW + minute * MINUTE, tick=False):
            tasks.tick()
    assert len(silent_bell) == 2
    assert silent_bell[0] == silent_bell[1]
    assert Delivery.objects.count() == 1


def test_a_hundred_thousand_readers_cost_no_more_queries_a_chunk_than_ten(
    edition: Edition, monkeypatch: pytest.MonkeyPatch
):
    for number in range(30):
        make_subscriber(hour=number % 24, zone=["UTC", "Europe/Berlin", "Asia/Tokyo"][number % 3])
    counts = []
    for chunk in (30, 10):
        monkeypatch.setattr(planning, "CHUNK", chunk)
        Delivery.objects.all().delete()
        Subscriber.objects.update(next_due_at=NOW - MINUTE)
        with CaptureQueriesContext(connection) as queries:
            assert plan_due(now=NOW).planned == 30
        counts.append(len(queries))
    one_chunk, three_chunks = counts
    assert one_chunk <= 10
    assert three_chunks <= 3 * one_chunk


def test_what_planning_writes_is_what_the_model_would(edition: Edition):
    make_subscriber()
    plan_due(now=NOW)
    planned, made = Delivery.objects.get(), Delivery(edition=edition, due_at=NOW)
    own = {"id", "public_id", "subscriber", "due_at", "created_at"}
    for field in Delivery._meta.concrete_fields:
        if field.name not in own:
            assert getattr(planned, field.attname) == getattr(made, field.attname), field.name
    assert len(planned.public_id) == 32
    assert int(planned.public_id, 16)
    assert planned.created_at is not None

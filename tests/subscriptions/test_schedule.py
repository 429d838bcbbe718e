"""When a reader is next due: wishes are local, instants are UTC, and clocks are changed twice a year."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.schedule import Cadence, Schedule, is_zone, known_zone, next_due


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def daily(hour: int, zone: str) -> Schedule:
    return Schedule(Cadence.DAILY, hour, zone)


@pytest.mark.parametrize(
    ("zone", "hour", "after", "due"),
    [
        ("UTC", 8, "2026-11-23 07:59", "2026-11-23 08:00"),
        ("UTC", 8, "2026-11-23 08:00", "2026-11-24 08:00"),
        ("Europe/Berlin", 8, "2026-11-23 06:59", "2026-11-23 07:00"),
        ("America/New_York", 8, "2026-11-23 12:00", "2026-11-23 13:00"),
        # The reader's day is not ours: there it is already, or still, another one.
        ("Pacific/Auckland", 8, "2026-11-23 18:00", "2026-11-23 19:00"),
        ("Pacific/Auckland", 8, "2026-11-23 20:00", "2026-11-24 19:00"),
        ("Pacific/Honolulu", 20, "2026-11-23 03:00", "2026-11-23 06:00"),
        ("Asia/Kathmandu", 8, "2026-11-23 00:00", "2026-11-23 02:15"),
        ("Asia/Kolkata", 0, "2026-12-31 18:00", "2026-12-31 18:30"),
    ],
)
def test_the_next_local_hour_as_an_instant(zone: str, hour: int, after: str, due: str):
    assert next_due(daily(hour, zone), after=utc(after)) == utc(due)


@pytest.mark.parametrize(
    ("zone", "hour", "after", "due"),
    [
        # 02:00 becomes 03:00.
        ("America/New_York", 2, "2026-03-08 05:00", "2026-03-08 07:00"),
        ("Europe/Berlin", 2, "2026-03-28 23:30", "2026-03-29 01:00"),
        # At midnight: 00:00 becomes 01:00.
        ("Africa/Cairo", 0, "2026-04-23 12:00", "2026-04-23 22:00"),
        ("America/Santiago", 0, "2026-09-05 12:00", "2026-09-06 04:00"),
        # By half an hour: 02:00 becomes 02:30, so the next whole hour is 03:00.
        ("Australia/Lord_Howe", 2, "2026-10-03 14:00", "2026-10-03 16:00"),
        # A whole day left out, when the date line moved: Samoa had no 30 December 2011.
        ("Pacific/Apia", 8, "2011-12-29 18:30", "2011-12-30 18:00"),
    ],
)
def test_an_hour_that_does_not_exist_moves_to_the_next_that_does(zone: str, hour: int, after: str, due: str):
    assert next_due(daily(hour, zone), after=utc(after)) == utc(due)


@pytest.mark.parametrize(
    ("zone", "hour", "first", "second", "next_day"),
    [
        ("America/New_York", 1, "2026-11-01 05:00", "2026-11-01 06:00", "2026-11-02 06:00"),
        ("Europe/Berlin", 2, "2026-10-25 00:00", "2026-10-25 01:00", "2026-10-26 01:00"),
        ("America/Havana", 0, "2026-11-01 04:00", "2026-11-01 05:00", "2026-11-02 05:00"),
    ],
)
def test_an_hour_that_exists_twice_means_the_first_and_comes_once(
    zone: str, hour: int, first: str, second: str, next_day: str
):
    schedule = daily(hour, zone)
    assert utc(first).astimezone(ZoneInfo(zone)).hour == utc(second).astimezone(ZoneInfo(zone)).hour == hour
    assert next_due(schedule, after=utc(first) - dt.timedelta(minutes=1)) == utc(first)
    assert next_due(schedule, after=utc(first)) == utc(next_day)
    assert next_due(schedule, after=utc(second)) == utc(next_day)


def test_half_an_hour_that_comes_twice_leaves_whole_hours_alone():
    # Lord Howe goes back from 02:00 to 01:30.
    night = utc("2026-04-04 13:00")
    assert next_due(daily(1, "Australia/Lord_Howe"), after=night) == utc("2026-04-04 14:00")
    assert next_due(daily(2, "Australia/Lord_Howe"), after=night) == utc("2026-04-04 15:30")


def test_hours_around_a_gap_stay_what_they_are():
    before = utc("2026-03-08 05:00")
    assert next_due(daily(1, "America/New_York"), after=before) == utc("2026-03-08 06:00")
    assert next_due(daily(3, "America/New_York"), after=before) == utc("2026-03-08 07:00")
    assert next_due(daily(8, "America/New_York"), after=before) == utc("2026-03-08 12:00")
    assert next_due(daily(8, "America/New_York"), after=utc("2026-03-07 12:00")) == utc("2026-03-07 13:00")


@pytest.mark.parametrize(
    ("after", "due"),
    [
        ("2026-11-20 07:00", "2026-11-20 08:00"),  # Friday
        ("2026-11-20 08:00", "2026-11-23 08:00"),
        ("2026-11-21 12:00", "2026-11-23 08:00"),
        ("2026-11-22 23:59", "2026-11-23 08:00"),
        ("2026-11-23 08:00", "2026-11-24 08:00"),
    ],
)
def test_weekdays_are_monday_to_friday(after: str, due: str):
    assert next_due(Schedule(Cadence.WEEKDAYS, 8, "UTC"), after=utc(after)) == utc(due)


def test_weekdays_are_those_of_the_readers_own_calendar():
    # Sunday evening in UTC is Monday morning in Auckland.
    assert next_due(Schedule(Cadence.WEEKDAYS, 8, "Pacific/Auckland"), after=utc("2026-11-20 20:00")) == utc(
        "2026-11-22 19:00"
    )


@pytest.mark.parametrize("weekday", range(7))
def test_weekly_is_once_a_week_on_the_chosen_day(weekday: int):
    schedule = Schedule(Cadence.WEEKLY, 8, "UTC", weekday=weekday)
    first = next_due(schedule, after=utc("2026-11-23 12:00"))
    assert first.weekday() == weekday
    assert first - utc("2026-11-23 12:00") <= dt.timedelta(days=7)
    assert next_due(schedule, after=first) == first + dt.timedelta(days=7)


def test_weekly_at_the_very_hour_means_next_week():
    monday = utc("2026-11-23 08:00")
    assert next_due(Schedule(Cadence.WEEKLY, 8, "UTC", weekday=0), after=monday) == monday + dt.timedelta(days=7)


@pytest.mark.parametrize("name", ["", "Nowhere/Land", "America", "../../etc/passwd", "Europe/Berlin\0", "x" * 300])
def test_a_zone_this_machine_does_not_know_is_read_as_utc(name: str):
    assert known_zone(name).key == "UTC"
    assert not is_zone(name)
    assert next_due(daily(8, name), after=utc("2026-11-23 07:00")) == utc("2026-11-23 08:00")


ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", "Asia/Tokyo"]
)
SCHEDULES = st.builds(
    Schedule,
    cadence=st.sampled_from(Cadence),
    hour=st.integers(0, 23),
    zone=ZONES,
    weekday=st.integers(0, 6),
)
INSTANTS = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2030, 1, 1), timezones=st.just(dt.UTC))  # noqa: DTZ001


@given(SCHEDULES, INSTANTS)
def test_due_is_always_ahead_at_the_wished_hour_and_day(schedule: Schedule, after: dt.datetime):
    due = next_due(schedule, after=after)
    local = due.astimezone(ZoneInfo(schedule.zone))
    assert after < due <= after + dt.timedelta(days=8)
    assert due.utcoffset() == dt.timedelta(0)
    # In a gap it is the hour after; no zone here has longer ones.
    assert local.hour in {schedule.hour, (schedule.hour + 1) % 24}
    assert (local.minute, local.second) == (0, 0)
    if schedule.cadence is Cadence.WEEKDAYS:
        assert local.weekday() < 5
    if schedule.cadence is Cadence.WEEKLY:
        assert local.weekday() == schedule.weekday


@given(SCHEDULES, INSTANTS)
def test_asking_a_little_later_never_gives_an_earlier_answer(schedule: Schedule, after: dt.datetime):
    due = next_due(schedule, after=after)
    assert next_due(schedule, after=due - dt.timedelta(seconds=1)) == due
    assert next_due(schedule, after=due) > due

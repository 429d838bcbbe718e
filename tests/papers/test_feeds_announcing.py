"""When arXiv announces what came in at an instant."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papers.feeds.announcing import estimate_announced_date

NEW_YORK = ZoneInfo("America/New_York")
THANKSGIVING = frozenset({dt.date(2026, 11, 26)})


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        ("2026-05-04 13:59", "2026-05-05"),  # Monday before the cut-off: Monday evening, which is Tuesday's list
        ("2026-05-04 14:00", "2026-05-06"),
        ("2026-05-07 13:59", "2026-05-08"),  # Thursday: Friday's list
        ("2026-05-07 14:00", "2026-05-11"),  # Thursday afternoon to Friday: Sunday evening, Monday's list
        ("2026-05-08 13:59", "2026-05-11"),
        ("2026-05-08 14:00", "2026-05-12"),  # Friday afternoon to Monday: Tuesday's list
        ("2026-05-09 10:00", "2026-05-12"),
        ("2026-05-10 23:00", "2026-05-12"),
        ("2026-05-11 13:59", "2026-05-12"),
        ("2026-12-31 15:00", "2027-01-04"),
    ],
)
def test_paper_is_dated_as_in_the_list_it_goes_into(submitted: str, announced: str) -> None:
    submitted_at = dt.datetime.fromisoformat(submitted).replace(tzinfo=NEW_YORK)
    assert estimate_announced_date(submitted_at) == dt.date.fromisoformat(announced)


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        ("2026-11-25 13:59", "2026-11-26"),  # the evening before is announced as ever
        ("2026-11-25 14:00", "2026-11-30"),  # then nothing until Sunday evening
        ("2026-11-26 10:00", "2026-11-30"),
        ("2026-11-27 10:00", "2026-11-30"),
        ("2026-11-27 15:00", "2026-12-01"),
    ],
)
def test_nothing_is_announced_on_the_evening_of_a_holiday(submitted: str, announced: str) -> None:
    submitted_at = dt.datetime.fromisoformat(submitted).replace(tzinfo=NEW_YORK)
    assert estimate_announced_date(submitted_at, holidays=THANKSGIVING) == dt.date.fromisoformat(announced)


def test_cut_off_is_two_in_the_afternoon_of_new_york_in_winter_and_summer() -> None:
    for utc, announced in (("2026-01-06T18:59", 7), ("2026-01-06T19:00", 8), ("2026-07-07T17:59", 8)):
        submitted_at = dt.datetime.fromisoformat(utc).replace(tzinfo=dt.UTC)
        assert estimate_announced_date(submitted_at).day == announced


@given(st.datetimes(min_value=dt.datetime(1991, 1, 1), max_value=dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)))  # noqa: DTZ001
def test_every_paper_is_announced_on_a_day_of_the_week_and_within_four_days(submitted_at: dt.datetime) -> None:
    announced = estimate_announced_date(submitted_at)
    assert announced.weekday() < 5
    assert dt.timedelta(0) < announced - submitted_at.astimezone(NEW_YORK).date() <= dt.timedelta(days=4)

"""Judging a source by what it had never shown before: pure, with the clock as an argument."""

import datetime as dt
from pathlib import Path

import pytest

from papers.feeds.kinds import SourceKind
from papers.freshness import Calendar, Expectation, Freshness, Verdict, judge
from papers.holidays import Holidays, announcement_holidays

MONDAY = dt.date(2026, 5, 4)
HOLIDAYS = Holidays(frozenset({dt.date(2026, 5, 25)}), dt.date(2026, 12, 31))
ARXIV = Calendar(SourceKind.ARXIV, HOLIDAYS)
ANY = Calendar(SourceKind.RSS, HOLIDAYS)


def at(day: dt.date, hour: int = 18) -> dt.datetime:
    """An hour of this day, in UTC; noon in New York is 16:00 in summer."""
    return dt.datetime.combine(day, dt.time(hour), tzinfo=dt.UTC)


def days_after(day: dt.date, count: int) -> dt.date:
    return day + dt.timedelta(days=count)


def steady(until: dt.date, *, days: int = 60, count: int = 100) -> dict[dt.date, int]:
    """So many papers on each working day, up to and with `until`."""
    found = (until - dt.timedelta(days=offset) for offset in range(days))
    return {day: count for day in found if day.weekday() < 5}


def verdict(
    counts: dict[dt.date, int], now: dt.datetime, *, calendar: Calendar = ARXIV, since: dt.datetime | None = None
) -> Verdict:
    return judge(counts=counts, since=since or at(min(counts, default=now.date()), 0), now=now, calendar=calendar)


def test_todays_batch_makes_a_source_fresh():
    assert verdict(steady(MONDAY), at(MONDAY)).state == Freshness.FRESH


def test_before_noon_in_new_york_a_day_without_papers_is_waited_for():
    found = verdict(steady(days_after(MONDAY, -3)), at(MONDAY, 15))
    assert (found.state, found.reason) == (Freshness.WAITING, "no papers yet today")


def test_after_noon_a_steady_source_without_papers_has_stalled():
    found = verdict(steady(days_after(MONDAY, -3)), at(MONDAY, 17))
    assert found.state == Freshness.STALLED
    assert found.missing == (MONDAY,)
    assert found.reason == "nothing new on Monday 04 May; usually 100 papers a day"


def test_yesterdays_batch_served_again_is_no_news_however_well_the_fetch_went():
    # Every paper of the batch is known, so the day has no count at all.
    tuesday = days_after(MONDAY, 1)
    assert verdict(steady(MONDAY), at(tuesday)).state == Freshness.STALLED


def test_a_few_stragglers_do_not_close_a_day():
    counts = {**steady(days_after(MONDAY, -3)), MONDAY: 3}
    assert verdict(counts, at(MONDAY, 15)).state == Freshness.WAITING
    assert "3 papers yet today, of usually 100" in verdict(counts, at(MONDAY, 15)).reason
    late = verdict(counts, at(MONDAY, 17))
    assert (late.state, late.missing) == (Freshness.STALLED, (MONDAY,))
    assert late.reason.startswith("only 3 new")


def test_a_thin_day_of_a_fat_source_is_a_day():
    assert verdict({**steady(days_after(MONDAY, -3)), MONDAY: 25}, at(MONDAY, 17)).state == Freshness.FRESH


@pytest.mark.parametrize("offset", [5, 6])
def test_weekends_are_quiet(offset: int):
    friday = days_after(MONDAY, 4)
    found = verdict(steady(friday), at(days_after(MONDAY, offset)))
    assert (found.state, found.missing) == (Freshness.QUIET, ())
    assert "weekend" in found.reason


def test_a_holiday_and_the_day_after_it_are_quiet_and_never_missing():
    holiday = dt.date(2026, 5, 25)
    counts = steady(days_after(holiday, -3))
    for offset in (0, 1):
        found = verdict(counts, at(days_after(holiday, offset)))
        assert (found.state, found.missing) == (Freshness.QUIET, ()), offset
    assert verdict(counts, at(days_after(holiday, 2))).state == Freshness.STALLED


def test_papers_on_the_day_after_a_holiday_are_as_good_as_any():
    day_after = dt.date(2026, 5, 26)
    assert verdict({**steady(dt.date(2026, 5, 22)), day_after: 90}, at(day_after)).state == Freshness.FRESH


def test_a_stall_before_a_weekend_is_still_one_on_sunday():
    counts = steady(days_after(MONDAY, 3))
    assert verdict(counts, at(days_after(MONDAY, 6))).state == Freshness.STALLED


def test_a_hole_stays_known_while_the_source_goes_on():
    counts = steady(days_after(MONDAY, 2))
    del counts[days_after(MONDAY, 1)]
    found = verdict(counts, at(days_after(MONDAY, 2)))
    assert (found.state, found.missing) == (Freshness.FRESH, (days_after(MONDAY, 1),))


def test_a_hole_that_was_made_good_is_none():
    assert verdict(steady(days_after(MONDAY, 2)), at(days_after(MONDAY, 2))).missing == ()


def test_a_hole_of_last_month_is_no_longer_spoken_of():
    counts = steady(days_after(MONDAY, 30))
    del counts[MONDAY]
    assert verdict(counts, at(days_after(MONDAY, 30))).missing == ()


def test_a_source_that_rarely_writes_is_given_time_by_its_own_habits():
    weekly = {days_after(MONDAY, -7 * week): 1 for week in range(12)}
    assert verdict(weekly, at(days_after(MONDAY, 9)), calendar=ANY).state == Freshness.WAITING
    assert verdict(weekly, at(days_after(MONDAY, 18)), calendar=ANY).missing == ()
    assert verdict(weekly, at(days_after(MONDAY, 35)), calendar=ANY).state == Freshness.STALLED


def test_a_new_source_that_never_brings_anything_stalls_within_two_weeks():
    since = at(MONDAY)
    assert verdict({}, at(days_after(MONDAY, 2)), since=since).state == Freshness.WAITING
    assert verdict({}, at(days_after(MONDAY, 14)), since=since).state == Freshness.STALLED


def test_days_before_we_watched_are_nobodys_fault():
    evening = at(MONDAY, 23)
    assert verdict({}, at(MONDAY, 23), since=evening).state == Freshness.WAITING
    assert verdict({days_after(MONDAY, 1): 80}, at(days_after(MONDAY, 1)), since=evening).missing == ()


def test_a_monthly_blog_is_known_by_the_dates_in_its_feed():
    """Its first visit brings a year of posts; a month of silence is its way."""
    posts = {days_after(MONDAY, -30 * month): 1 for month in range(12)}
    watched = at(days_after(MONDAY, 1))
    for later in (10, 20, 28):
        found = verdict(posts, at(days_after(MONDAY, later)), calendar=ANY, since=watched)
        assert (found.state, found.missing) == (Freshness.WAITING, ()) or found.state == Freshness.QUIET
    assert verdict(posts, at(days_after(MONDAY, 200)), calendar=ANY, since=watched).state == Freshness.STALLED


def test_a_weekly_blog_watched_for_ten_days_may_skip_a_week():
    posts = {days_after(MONDAY, -7 * week): 1 for week in range(1, 20)}
    found = verdict(posts, at(days_after(MONDAY, 1)), calendar=ANY, since=at(days_after(MONDAY, -9)))
    assert (found.state, found.missing) == (Freshness.WAITING, ())


def test_a_calendar_that_ran_out_expects_every_working_day():
    later = dt.date(2027, 3, 1)
    assert ARXIV.expects(later) == Expectation.YES


def test_a_list_that_fills_during_the_day_is_due_the_next_noon():
    counts = steady(MONDAY, count=20)
    tuesday = days_after(MONDAY, 1)
    assert verdict(counts, at(tuesday, 23), calendar=Calendar(SourceKind.HF, HOLIDAYS)).state == Freshness.WAITING
    wednesday = days_after(MONDAY, 2)
    assert verdict(counts, at(wednesday, 17), calendar=Calendar(SourceKind.HF, HOLIDAYS)).state == Freshness.STALLED


def test_papers_dated_tomorrow_by_a_list_in_utc_are_todays():
    counts = {**steady(days_after(MONDAY, -3), count=20), days_after(MONDAY, 1): 20}
    assert verdict(counts, at(MONDAY, 15), calendar=Calendar(SourceKind.HF, HOLIDAYS)).state == Freshness.FRESH


def test_one_odd_day_does_not_teach_a_steady_source_to_be_late():
    counts = steady(days_after(MONDAY, -3))
    del counts[days_after(MONDAY, -20)]
    assert verdict(counts, at(MONDAY, 17)).state == Freshness.STALLED


def test_the_file_of_holidays_says_how_long_it_is_good_for():
    found = announcement_holidays()
    assert dt.date(2026, 11, 26) in found.dates
    assert found.covered_until >= max(found.dates)


def test_a_file_of_holidays_without_an_end_is_refused(tmp_path: Path):
    path = tmp_path / "holidays.csv"
    path.write_text("date,name\n2026-01-01,New Year\n")
    with pytest.raises(ValueError, match="covered until"):
        announcement_holidays(path)

"""What is trending: the formula, what it does to the choice, and whether the reason is the cause."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.digest import build_digest
from digests.models import Edition
from digests.shelf import Shelf
from digests.trend import Count, trends
from papers.models import DailySignal, Paper, Source
from subscriptions.models import Subscriber, Vote
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_subscriber

DAY = dt.timedelta(days=1)


def count(paper: int, value: int, *, back: int = 0, source: int = 1, kind: str = "upvotes") -> Count:
    return Count(paper, source, kind, TODAY - back * DAY, value)


def order(*counts: Count, announced: dict[int, int] | None = None) -> list[int]:
    """The papers by their trend; `announced` gives how many days ago."""
    days = {one.paper_id: TODAY - (announced or {}).get(one.paper_id, 0) * DAY for one in counts}
    found = trends(counts, today=TODAY, announced=days)
    return sorted(found, key=lambda paper: -found[paper].score)


def test_what_gains_fastest_is_first_whatever_it_had_before():
    slow = [count(1, 500, back=2), count(1, 505, back=1), count(1, 509)]
    fast = [count(2, 3, back=1), count(2, 44)]
    assert order(*slow, *fast) == [2, 1]


def test_an_older_paper_must_gain_more():
    counts = [count(1, 0, back=1), count(1, 20), count(2, 0, back=1), count(2, 20)]
    assert order(*counts, announced={1: 3}) == [2, 1]


def test_a_loud_source_does_not_drown_a_quiet_one():
    loud = [count(paper, value, back=back) for paper in range(10, 30) for back, value in ((1, 0), (0, 1000))]
    quiet = [count(paper, value, back=back, source=2) for paper in range(40, 60) for back, value in ((1, 0), (0, 2))]
    star = [count(1, 0, back=1, source=2), count(1, 20, source=2)]
    assert order(*loud, *quiet, *star)[0] == 1


def test_a_count_that_falls_is_no_gain_and_the_future_is_not_known():
    assert order(count(1, 50, back=2), count(1, 20)) == []
    assert order(count(1, 10, back=-1), count(2, 1)) == [2]


def test_a_missing_day_is_bridged_by_the_count_before_it():
    found = trends([count(1, 10, back=3), count(1, 16)], today=TODAY, announced={1: TODAY})
    # Of six since three days ago nobody can say that they came since yesterday.
    assert found[1].score > 0
    assert found[1].gain == 0


def test_the_reason_names_what_counts_most():
    counts = [count(1, 0, back=1), count(1, 41), count(1, 1, back=1, kind="comments"), count(1, 2, kind="comments")]
    found = trends(counts, today=TODAY, announced={1: TODAY})
    assert (found[1].kind, found[1].gain) == ("upvotes", 41)


def test_what_came_over_missing_days_is_spread_over_them():
    bridged = [count(1, 10, back=6), count(1, 70)]
    steady = [count(2, 10, back=1), count(2, 30)]
    assert order(*bridged, *steady) == [2, 1]


def test_what_a_paper_had_before_does_not_make_its_source_loud():
    old = [count(9, 1000 + 10 * (10 - back), back=back) for back in range(11)]
    found = trends([*old, count(1, 0, back=1), count(1, 20)], today=TODAY, announced={1: TODAY})
    plain = trends([count(1, 0, back=1), count(1, 20)], today=TODAY, announced={1: TODAY})
    # Ten a day is usual there, with or without the thousand.
    assert found[1].score > plain[1].score


def test_old_stars_of_a_repository_are_no_gain():
    assert order(count(1, 10_000, kind="github_stars")) == []


def test_a_gain_that_is_not_what_lifted_it_is_not_given_as_the_reason():
    counts = [count(1, 0, back=2), count(1, 80, back=1), count(1, 81)]
    found = trends(counts, today=TODAY, announced={1: TODAY - 2 * DAY})
    assert found[1].score > 0
    assert found[1].gain == 0


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 10**9), st.integers(-2, 20)), max_size=30))
def test_scores_are_finite_and_never_below_nothing(rows: list[tuple[int, int, int]]):
    counts = [count(paper, value, back=back) for paper, value, back in rows]
    for trend in trends(counts, today=TODAY, announced=dict.fromkeys(range(1, 6), TODAY)).values():
        assert 0 < trend.score < 100
        assert trend.gain >= 0


# --- in a digest ------------------------------------------------------------------------------------------------------


def voted(paper: Paper, source: Source, **days: int) -> None:
    for name, value in days.items():
        back = {"today": 0, "yesterday": 1, "before": 2, "long_before": 3}[name]
        DailySignal.objects.create(paper=paper, source=source, date=TODAY - back * DAY, upvotes=value)


def lines_of(reader: Subscriber) -> list[tuple[str, str]]:
    digest = build_digest(reader, Edition.objects.get(), shelf=Shelf(now=NOW))
    return [(line.card.title, line.reason) for line in digest.lines]


@pytest.mark.db
@pytest.mark.django_db
def test_a_paper_that_gains_comes_first_says_so_and_falls_without_its_votes():
    famous, rising = make_paper(title="Famous", upvotes=300), make_paper(title="Rising", upvotes=45)
    make_edition([famous, rising])
    source = make_source(kind="hf")
    voted(famous, source, long_before=290, before=297, yesterday=298, today=300)
    voted(rising, source, yesterday=4, today=45)
    reader = make_subscriber()
    assert lines_of(reader) == [
        ("Rising", "Trending: +41 upvotes since yesterday"),
        ("Famous", "Trending: +2 upvotes since yesterday"),
    ]
    DailySignal.objects.filter(paper=rising).delete()
    assert [title for title, _ in lines_of(reader)] == ["Famous", "Rising"]


@pytest.mark.db
@pytest.mark.django_db
def test_votes_of_our_own_readers_count_and_say_so_until_they_are_taken_back():
    plain, voted_for = make_paper(title="Plain", upvotes=3), make_paper(title="Voted for")
    make_edition([plain, voted_for])
    voters = [make_subscriber() for _ in range(4)]
    for voter in voters:
        Vote.objects.create(subscriber=voter, paper=voted_for, at=NOW - dt.timedelta(minutes=5))
    reader = make_subscriber()
    assert lines_of(reader)[0] == ("Voted for", "Trending: +4 votes here since yesterday")
    Vote.objects.all().delete()
    assert [title for title, _ in lines_of(reader)] == ["Plain", "Voted for"]


@pytest.mark.db
@pytest.mark.django_db
def test_a_weeks_digest_has_the_best_of_the_week_and_not_what_is_rising_now():
    famous, rising = make_paper(title="Famous", upvotes=300), make_paper(title="Rising", upvotes=45)
    make_edition([famous, rising])
    voted(rising, make_source(kind="hf"), yesterday=4, today=45)
    weekly = make_subscriber(cadence="weekly")
    assert lines_of(weekly) == [
        ("Famous", "Trending: 300 upvotes on Hugging Face"),
        ("Rising", "Trending: 45 upvotes on Hugging Face"),
    ]

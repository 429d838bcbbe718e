"""Turns in the future, a look that takes nothing, and buckets that may be forgotten."""

import datetime as dt

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from limits.buckets import Rate, close, forget_full, has_some, hold, reserve, take
from limits.models import Bucket

pytestmark = [pytest.mark.db, pytest.mark.django_db]

RATE = Rate(per_second=1 / 60, burst=2)
HOUR = dt.timedelta(hours=1)


def let_pass(minutes: int) -> None:
    Bucket.objects.update(free_at=F("free_at") - dt.timedelta(minutes=minutes))


def test_the_first_come_at_once_and_the_others_one_after_the_other():
    waits = [reserve("door", rate=RATE, longest=HOUR) for _ in range(5)]
    assert waits == pytest.approx([0, 0, 60, 120, 180], abs=1)


def test_nobody_is_given_a_turn_that_is_too_far_away_and_then_nothing_is_taken():
    waits = [reserve("door", rate=RATE, longest=dt.timedelta(minutes=2)) for _ in range(6)]
    assert [wait is None for wait in waits] == [False, False, False, False, True, True]
    let_pass(1)
    assert reserve("door", rate=RATE, longest=dt.timedelta(minutes=2)) == pytest.approx(120, abs=1)


def test_after_a_pause_there_are_turns_at_once_again_but_no_more_than_the_bucket_holds():
    for _ in range(4):
        reserve("door", rate=RATE, longest=HOUR)
    let_pass(600)
    waits = [reserve("door", rate=RATE, longest=HOUR) for _ in range(3)]
    assert waits == pytest.approx([0, 0, 60], abs=1)


def test_a_look_takes_nothing_and_writes_nothing():
    assert has_some("door", rate=RATE)
    take("door", rate=RATE)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert all(has_some("door", rate=RATE) for _ in range(5))
    assert all(query["sql"].startswith("SELECT") for query in queries)
    take("door", rate=RATE)
    assert not has_some("door", rate=RATE)
    let_pass(1)
    assert has_some("door", rate=RATE)
    close("door", seconds=60)
    assert not has_some("door", rate=RATE)


def test_only_full_open_and_free_buckets_of_that_kind_are_forgotten():
    for name in ("door:full", "door:used", "door:closed", "door:held", "other:full"):
        take(name, rate=RATE)
    Bucket.objects.exclude(name="door:used").update(free_at=F("free_at") - HOUR)
    close("door:closed", seconds=60)
    assert hold("door:held", seconds=60)
    assert forget_full("door:") == 1
    assert set(Bucket.objects.values_list("name", flat=True)) == {"door:used", "door:closed", "door:held", "other:full"}

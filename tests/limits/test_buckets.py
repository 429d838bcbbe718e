"""Limits that all processes share: on both databases, and with many threads at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from limits.buckets import Grant, Rate, close, extend, give_back, hold, release, take
from limits.models import Bucket

SLOW = Rate(per_second=0.01, burst=1)

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def test_new_bucket_is_full_and_then_empty() -> None:
    rate = Rate(per_second=0.01, burst=3)
    assert [take("x", rate=rate).count for _ in range(4)] == [1, 1, 1, 0]


def test_wait_says_when_the_next_one_is_there() -> None:
    take("x", rate=SLOW)
    assert take("x", rate=SLOW) == Grant(0, pytest.approx(100, abs=2))


def test_wait_of_a_bucket_with_bursts_is_for_one_token_alone() -> None:
    rate = Rate(per_second=0.01, burst=5)
    take("x", rate=rate, count=5)
    assert take("x", rate=rate).wait_seconds == pytest.approx(100, abs=2)


def test_as_many_as_there_are_are_given_at_once() -> None:
    rate = Rate(per_second=0.01, burst=10)
    assert take("x", rate=rate, count=7).count == 7
    assert take("x", rate=rate, count=7).count == 3
    assert take("x", rate=rate, count=7).count == 0


def test_more_than_a_burst_is_never_given() -> None:
    assert take("x", rate=Rate(per_second=1000, burst=4), count=50).count == 4


def test_tokens_come_back_with_time() -> None:
    rate = Rate(per_second=2, burst=1)
    assert take("x", rate=rate).count == 1
    grant = take("x", rate=rate)
    time.sleep(grant.wait_seconds + 0.02)
    assert take("x", rate=rate).count == 1


def test_unused_tokens_are_there_for_others() -> None:
    rate = Rate(per_second=0.01, burst=5)
    take("x", rate=rate, count=5)
    give_back("x", rate=rate, count=2)
    assert take("x", rate=rate, count=5).count == 2


def test_buckets_know_nothing_of_each_other() -> None:
    take("x", rate=SLOW)
    assert take("y", rate=SLOW).count == 1


def test_closed_bucket_gives_nothing_and_says_how_long() -> None:
    close("x", seconds=600)
    assert take("x", rate=SLOW) == Grant(0, pytest.approx(600, abs=2))


def test_shorter_closure_does_not_end_a_longer_one() -> None:
    close("x", seconds=600)
    close("x", seconds=5)
    assert take("x", rate=SLOW).wait_seconds > 500


def test_one_holds_and_others_wait() -> None:
    token = hold("x", seconds=60)
    assert token
    assert hold("x", seconds=60) == ""
    release("x", token=token)
    assert hold("x", seconds=60)


def test_hold_of_a_dead_process_ends_by_itself() -> None:
    hold("x", seconds=0.05)
    time.sleep(0.1)
    assert hold("x", seconds=60)


def test_a_turn_can_be_made_longer_by_its_holder_alone() -> None:
    token = hold("x", seconds=0.05)
    assert extend("x", token=token, seconds=60)
    time.sleep(0.1)
    assert hold("x", seconds=60) == ""
    assert not extend("x", token="somebody else's", seconds=60)


def test_late_release_does_not_end_the_turn_of_the_next() -> None:
    late = hold("x", seconds=0.05)
    time.sleep(0.1)
    hold("x", seconds=60)
    release("x", token=late)
    assert hold("x", seconds=60) == ""


def test_limit_outlives_the_process() -> None:
    take("x", rate=SLOW)
    assert Bucket.objects.get(name="x").free_at is not None


@pytest.mark.parametrize("values", [{"per_second": 0}, {"per_second": -1}, {"per_second": 1, "burst": 0}])
def test_rate_that_lets_nothing_pass_is_a_mistake(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="above zero"):
        Rate(**values)  # type: ignore[arg-type]


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.mark.django_db(transaction=True)
def test_many_at_once_never_get_more_than_there_are(threads: ThreadPoolExecutor) -> None:
    rate = Rate(per_second=0.001, burst=20)

    def ask(_: int) -> int:
        try:
            return take("x", rate=rate, count=3).count
        finally:
            connection.close()

    assert sum(threads.map(ask, range(24))) == 20


@pytest.mark.django_db(transaction=True)
def test_of_many_who_want_to_hold_one_does(threads: ThreadPoolExecutor) -> None:
    def ask(_: int) -> bool:
        try:
            return bool(hold("x", seconds=60))
        finally:
            connection.close()

    assert sum(threads.map(ask, range(16))) == 1

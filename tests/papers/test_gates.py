"""Keeping a host's terms over all workers: arXiv's above all."""

import datetime as dt
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from limits.models import Bucket
from papers import gates
from papers.gates import HostClosedError, close_gate, turn

pytestmark = [pytest.mark.db, pytest.mark.django_db]
NOON = dt.datetime(2026, 5, 5, 12, 0, tzinfo=dt.UTC)


def ask(host: str, *, now: dt.datetime = NOON, patience: float = 0.0) -> None:
    with turn(host=host, now=now, patience=patience):
        pass


def test_hosts_of_arxiv_are_one_and_are_asked_once_in_three_seconds():
    ask("rss.arxiv.org")
    with pytest.raises(HostClosedError, match="each waits its turn") as closed:
        ask("export.arxiv.org")
    assert dt.timedelta(seconds=2) < closed.value.wait <= dt.timedelta(seconds=3)


def test_a_short_wait_is_waited(monkeypatch: pytest.MonkeyPatch):
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        # SQLite tells the time in thousandths: what is free at this very moment is not always free yet.
        Bucket.objects.update(free_at=dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=10))

    monkeypatch.setattr(gates.time, "sleep", sleep)
    ask("rss.arxiv.org")
    ask("oaipmh.arxiv.org", patience=10)
    assert len(slept) == 1
    assert 2 < slept[0] <= 3


@pytest.mark.parametrize("host", ["example.org", "notarxiv.org", "arxiv.org.example.com"])
def test_other_hosts_have_gates_of_their_own(host: str):
    ask("rss.arxiv.org")
    ask(host)


@pytest.mark.parametrize(
    "host", ["EXPORT.arxiv.org", "arxiv.org:443", "user@rss.arxiv.org:80", "rss.arxiv.org:8443", "rss.arxiv.org."]
)
def test_however_it_is_written_arxiv_is_arxiv(host: str):
    ask("rss.arxiv.org")
    with pytest.raises(HostClosedError):
        ask(host)


def test_only_one_connection_is_open_at_a_time():
    with turn(host="rss.arxiv.org", now=NOON, patience=0):
        # Three seconds are over, and still it is in use.
        Bucket.objects.update(free_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=10))
        with pytest.raises(HostClosedError):
            ask("export.arxiv.org")
    ask("export.arxiv.org")


def test_a_worker_that_failed_lets_the_next_one_in():
    with pytest.raises(RuntimeError), turn(host="rss.arxiv.org", now=NOON, patience=0):
        raise RuntimeError("the fetch failed")
    Bucket.objects.update(free_at=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=10))
    ask("rss.arxiv.org")


def test_a_worker_that_died_is_forgotten():
    with turn(host="rss.arxiv.org", now=NOON, patience=0):
        past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
        Bucket.objects.update(free_at=past, held_until=past)
        ask("rss.arxiv.org")


@pytest.mark.parametrize("minute", [0, 30, 59])
def test_the_hour_after_midnight_is_left_to_others(minute: int):
    now = dt.datetime(2026, 5, 5, 0, minute, tzinfo=dt.UTC)
    with pytest.raises(HostClosedError, match="between 00:00 and 01:00 UTC") as closed:
        ask("rss.arxiv.org", now=now, patience=60)
    end = dt.datetime(2026, 5, 5, 1, 0, tzinfo=dt.UTC)
    assert end <= now + closed.value.wait <= end + dt.timedelta(minutes=5)


def test_at_one_it_is_asked_again_and_other_hosts_are_asked_at_midnight_too():
    ask("rss.arxiv.org", now=dt.datetime(2026, 5, 5, 1, 0, tzinfo=dt.UTC))
    ask("huggingface.co", now=dt.datetime(2026, 5, 5, 0, 30, tzinfo=dt.UTC))


def test_the_quiet_hour_is_one_of_utc_whatever_the_clock_shows():
    berlin = dt.timezone(dt.timedelta(hours=2))
    with pytest.raises(HostClosedError):
        ask("rss.arxiv.org", now=dt.datetime(2026, 5, 5, 2, 30, tzinfo=berlin))


def test_a_silence_asked_for_is_kept_for_all_its_hosts_and_says_how_long():
    close_gate(host="rss.arxiv.org", wait=dt.timedelta(minutes=10))
    with pytest.raises(HostClosedError, match="another 10 minutes") as closed:
        ask("export.arxiv.org", patience=60)
    assert dt.timedelta(minutes=9) < closed.value.wait <= dt.timedelta(minutes=10)


def test_a_shorter_silence_does_not_end_a_longer_one():
    close_gate(host="rss.arxiv.org", wait=dt.timedelta(hours=1))
    close_gate(host="export.arxiv.org", wait=dt.timedelta(minutes=10))
    with pytest.raises(HostClosedError, match="another 60 minutes"):
        ask("rss.arxiv.org")


@pytest.mark.parametrize("host", ["127.example.org", "localhost.example.org", "127.0.0.1.example.org"])
def test_who_only_looks_like_this_machine_is_another(host: str):
    ask(host)
    with pytest.raises(HostClosedError):
        ask(host)


def test_an_hour_that_begins_while_we_wait_is_respected(monkeypatch: pytest.MonkeyPatch):
    clock = [100.0]
    monkeypatch.setattr(gates.time, "monotonic", lambda: clock[0])

    def sleep(seconds: float) -> None:
        clock[0] += 30
        # SQLite tells the time in thousandths: what is free at this very moment is not always free yet.
        Bucket.objects.update(free_at=dt.datetime.now(dt.UTC) - dt.timedelta(milliseconds=10))

    monkeypatch.setattr(gates.time, "sleep", sleep)
    before_midnight = dt.datetime(2026, 5, 5, 23, 59, 50, tzinfo=dt.UTC)
    ask("rss.arxiv.org", now=before_midnight)
    with pytest.raises(HostClosedError, match="between 00:00"):
        ask("rss.arxiv.org", now=before_midnight, patience=60)
    # And the turn was given back.
    assert Bucket.objects.get(name="fetch:arxiv.org").holder == ""


def test_this_machine_needs_no_manners():
    for _ in range(3):
        ask("127.0.0.1:8001")
    assert not Bucket.objects.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_workers_together_keep_the_terms():
    lock, spans = threading.Lock(), list[tuple[float, float]]()

    def work(number: int) -> None:
        host = ("rss.arxiv.org", "export.arxiv.org", "oaipmh.arxiv.org")[number % 3]
        try:
            with turn(host=host, now=NOON, patience=60):
                begun = time.monotonic()
                time.sleep(0.3)
                with lock:
                    spans.append((begun, time.monotonic()))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    spans.sort()
    assert len(spans) == 4
    for (begun, ended), (following, _) in itertools.pairwise(spans):
        assert following >= ended
        # The turn is taken by the database's clock a moment before the work begins.
        assert following - begun > 2.8

"""Of several beats one ticks."""

import datetime as dt
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from config import beat
from config.celery import app
from limits.models import Bucket
from subscriptions.heartbeat import last_tick
from subscriptions.models import Heartbeat

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def beats(tmp_path: Path) -> Iterator[list[beat.OneBeat]]:
    made = [
        beat.OneBeat(app=app, schedule_filename=str(tmp_path / f"schedule-{number}"), lazy=True) for number in range(2)
    ]
    yield made
    for one in made:
        one.close()


def test_the_first_ticks_and_the_second_waits(beats: list[beat.OneBeat]):
    first, second = beats
    assert (first._is_ours(), second._is_ours()) == (True, False)
    assert (first._is_ours(), second._is_ours()) == (True, False)
    assert second.tick() == beat.WAIT
    age = last_tick()
    assert age is not None
    assert age < dt.timedelta(seconds=5)


def test_who_ends_lets_the_other_go_on_at_once(beats: list[beat.OneBeat]):
    first, second = beats
    assert first._is_ours()
    first.close()
    assert second._is_ours()


def test_who_was_killed_is_followed_when_its_lease_has_run_out_and_does_not_come_back(beats: list[beat.OneBeat]):
    first, second = beats
    assert first._is_ours()
    Bucket.objects.filter(pk=beat.LEASE).update(held_until=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert second._is_ours()
    first._renewed_at = 0.0
    assert not first._is_ours()


def test_without_the_database_none_ticks_and_all_go_on(beats: list[beat.OneBeat], monkeypatch: Any):
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(beat, "hold", away)
        broken.setattr(beat.connection, "close", lambda: None)
        assert beats[0].tick() == beat.WAIT
    assert beats[0]._is_ours()


def test_a_health_check_says_when_one_last_ticked():
    with pytest.raises(CommandError, match="No beat has ticked"):
        call_command("check_beat")
    beat.beat("beat")
    out = io.StringIO()
    call_command("check_beat", stdout=out)
    assert "A beat ticked 0 seconds ago." in out.getvalue()
    Heartbeat.objects.update(at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(CommandError, match="The last beat ticked"):
        call_command("check_beat")

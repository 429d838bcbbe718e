"""Signs of life: what a health check is told of a worker that works, one that is stuck, and one on another host."""

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from subscriptions.heartbeat import beat, last_beat
from subscriptions.models import Heartbeat
from subscriptions.tasks import show_life

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def check(*options: str) -> None:
    call_command("check_worker", *options)


def test_a_worker_that_did_a_task_is_well():
    show_life()
    show_life()
    check()
    assert Heartbeat.objects.count() == 1
    age = last_beat()
    assert age is not None
    assert dt.timedelta(0) <= age < dt.timedelta(seconds=5)


def test_a_worker_that_never_did_anything_is_not():
    with pytest.raises(CommandError, match="No task was ever done on this host"):
        check()


def test_a_worker_that_is_there_and_does_nothing_is_found():
    show_life()
    Heartbeat.objects.update(at=F("at") - dt.timedelta(seconds=400))
    with pytest.raises(CommandError, match="400 seconds ago"):
        check()
    check("--max-age", "500")


def test_another_host_at_work_does_not_make_this_one_well():
    beat("worker elsewhere")
    with pytest.raises(CommandError):
        check()
    check("--anywhere")

"""The project's own Celery app under the conditions of a bad day: `celery -A tests.chaos.app worker`.

Beat rings every other second. Every task is sent twice, now and then the second time is late. CHAOS_CLOCK_SHIFT (in
seconds) makes this process's own clock wrong; the database keeps the right one. Before a worker starts on deliveries it
writes their ids into a file named after its process, so that the harness knows what a killed one had in hand.
"""

import datetime as dt
import itertools
import json
import os
from pathlib import Path
from typing import Any

from celery.app.task import Task
from celery.signals import task_prerun, worker_process_init
from django.utils import timezone

from config.celery import app

__all__ = ["app"]

EVERY_SECONDS = 2.0
FOLDER = Path(os.environ["CHAOS_FOLDER"])
SHIFT = dt.timedelta(seconds=float(os.environ.get("CHAOS_CLOCK_SHIFT", "0")))

for bell in app.conf.beat_schedule.values():
    bell["schedule"] = EVERY_SECONDS
del app.conf.beat_schedule["fetch-due-sources"]

if SHIFT:
    right_now = timezone.now

    def wrong_now() -> dt.datetime:
        return right_now() + SHIFT

    timezone.now = wrong_now

send_once = Task.apply_async
_count = itertools.count(1)


def send_twice(task: Task, *args: Any, **options: Any) -> Any:
    send_once(task, *args, **options)
    if next(_count) % 10 == 0:
        options = {**options, "countdown": 3}
    return send_once(task, *args, **options)


if os.environ.get("CHAOS_TWICE"):
    Task.apply_async = send_twice


@worker_process_init.connect
def ring_in_small_batches(**others: Any) -> None:
    """With CHAOS_BATCH few digests make many bells, so that each of several hosts gets some."""
    from digests import tasks

    tasks.BATCH = int(os.environ.get("CHAOS_BATCH") or tasks.BATCH)


@task_prerun.connect
def note_what_is_in_hand(task: Task, args: tuple[Any, ...] = (), **others: Any) -> None:
    if task.name == "digests.tasks.send_deliveries":
        (FOLDER / f"{os.getpid()}.ids").write_text(json.dumps(args[0]))

"""The Celery app and the whole beat schedule, as code.

Beat rings a few bells a minute and knows nothing: what is due stands in the database, so a bell too many does nothing
and a missed one is made good by the next.
"""

import os
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import before_task_publish, task_postrun, task_prerun, worker_init, worker_shutting_down

from config import logs
from config.logs import request_id
from subscriptions.readiness import get_ready
from subscriptions.stopping import tell_to_stop

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

EVERY_MINUTE = 60.0
# Often enough that every worker of a few hosts gets one within minutes, whoever is quicker.
SIGN_OF_LIFE = 15.0

app = Celery("daily_papers")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["papers", "subscriptions", "digests"])

# Of several beats one ticks.
app.conf.beat_scheduler = "config.beat:OneBeat"
app.conf.beat_schedule = {
    "fetch-due-sources": {
        "task": "papers.tasks.fetch_due_sources",
        "schedule": EVERY_MINUTE,
        "options": {"expires": 60},
    },
    "send-due-digests": {"task": "digests.tasks.tick", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "sweep-notices": {"task": "subscriptions.tasks.tick", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "read-bounces": {"task": "subscriptions.tasks.read_bounces", "schedule": 300.0, "options": {"expires": 300}},
    "show-life": {"task": "subscriptions.tasks.show_life", "schedule": SIGN_OF_LIFE, "options": {"expires": 60}},
    "write-summaries": {
        "task": "digests.tasks.write_summaries",
        "schedule": 3 * EVERY_MINUTE,
        "options": {"expires": 120},
    },
    "learn-tastes": {
        "task": "digests.tasks.learn_tastes",
        "schedule": EVERY_MINUTE,
        "options": {"expires": 60},
    },
    "ask-again": {"task": "subscriptions.tasks.ask_again", "schedule": crontab(hour="9", minute="23")},
    "prune-deliveries": {"task": "digests.tasks.prune", "schedule": crontab(hour="3", minute="17")},
}


@before_task_publish.connect
def on_publish(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    """The request that sets a task off is named in the task's own log lines."""
    if headers is not None and request_id.get():
        headers["request_id"] = request_id.get()


@task_prerun.connect
def on_task(task_id: str = "", task: Any = None, **kwargs: Any) -> None:
    """From here on log lines are about this task."""
    logs.task_id.set(task_id)
    logs.task_name.set(task.name)
    request_id.set(str(getattr(task.request, "request_id", "") or ""))


@task_postrun.connect
def on_task_done(**kwargs: Any) -> None:
    """What comes now is about none."""
    for named in (logs.task_id, logs.task_name, request_id):
        named.set("")


@worker_init.connect
def on_start(**kwargs: Any) -> None:
    """Before the pool forks, so that no digest waits for it."""
    get_ready()


@worker_shutting_down.connect
def on_shutting_down(**kwargs: Any) -> None:
    """On a deploy batches end within a second or two, with every answer heard, instead of being killed."""
    tell_to_stop()

"""The Celery app and the whole beat schedule, as code.

Beat rings three bells a minute and knows nothing: what is due stands in the database, so a bell too many does nothing
and a missed one is made good by the next.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

EVERY_MINUTE = 60.0

app = Celery("daily_papers")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["papers", "subscriptions", "digests"])

app.conf.beat_schedule = {
    "fetch-due-sources": {
        "task": "papers.tasks.fetch_due_sources",
        "schedule": EVERY_MINUTE,
        "options": {"expires": 60},
    },
    "send-due-digests": {"task": "digests.tasks.tick", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
    "sweep-notices": {"task": "subscriptions.tasks.tick", "schedule": EVERY_MINUTE, "options": {"expires": 60}},
}

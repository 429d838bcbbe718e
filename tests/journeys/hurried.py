"""The very Celery app of the project, with a beat that rings every second: `celery -A tests.journeys.hurried beat`."""

from config.celery import app

__all__ = ["app"]

for bell in app.conf.beat_schedule.values():
    bell["schedule"] = 1.0

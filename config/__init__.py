"""Settings, environment, Celery, system checks and urls: what turns the apps into one program."""

from config.celery import app as celery_app

__all__ = ["celery_app"]

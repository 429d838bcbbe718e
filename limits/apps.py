"""The Django app of the limits."""

from django.apps import AppConfig


class LimitsApp(AppConfig):
    """How much, how often and how many at once, over all processes."""

    name = "limits"

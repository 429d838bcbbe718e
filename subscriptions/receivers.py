"""Doorways for signals of others."""

from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.dispatch import receiver

from subscriptions.events import store_event


@receiver(tracking)
def on_tracking(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """A webhook arrived: store it and return. The worker applies it within a minute."""
    store_event(event, provider=esp_name)

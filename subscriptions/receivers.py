"""Doorways for signals of others."""

from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.dispatch import receiver

from subscriptions.events import store_event


@receiver(tracking)
def on_tracking(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """A webhook arrived: store it and return. The worker applies it within a minute."""
    if not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        # Nobody could tell the provider from anybody else, and a complaint ends a reader's mail.
        raise SuspiciousOperation("Webhooks are taken only where WEBHOOK_SECRET is set.")
    store_event(event, provider=esp_name)

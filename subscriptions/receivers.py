"""Doorways for signals of others."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from anymail.signals import AnymailTrackingEvent, tracking
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.dispatch import receiver
from django.utils import timezone

from papers.signals import papers_merged
from subscriptions.community import follow_merged
from subscriptions.events import store_event
from subscriptions.leanings import follow_paper

# Services repeat what we did not take for a day or two, and tell of complaints weeks after the mail, but soon after the
# complaint. Whatever claims to be older is a recording; events that were stored are kept for longer than this, so none
# is applied twice.
OLDEST = dt.timedelta(days=14)
# How far the clock of a service may be ahead of ours.
MOST_AHEAD = dt.timedelta(hours=1)


@receiver(tracking)
def on_tracking(sender: Any, event: AnymailTrackingEvent, esp_name: str, **kwargs: Any) -> None:
    """A webhook arrived: store it and return. The worker applies it within a minute."""
    if not settings.ANYMAIL.get("WEBHOOK_SECRET"):
        # Nobody could tell the provider from anybody else, and a complaint ends a reader's mail.
        raise SuspiciousOperation("Webhooks are taken only where WEBHOOK_SECRET is set.")
    now = timezone.now()
    if any(not now - OLDEST <= instant <= now + MOST_AHEAD for instant in _instants(event)):
        raise SuspiciousOperation("This webhook is not of these days: it may be a recording of an old one.")
    store_event(event, provider=esp_name)


def _instants(event: AnymailTrackingEvent) -> Iterator[dt.datetime]:
    """When it happened, and when it was signed, as far as it says so."""
    if event.timestamp:
        yield event.timestamp
    # Mailgun signs an instant and a token, but not what it says: without a look at the instant, one signature would be
    # good for anything and for ever (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
    signature = event.esp_event.get("signature") if isinstance(event.esp_event, Mapping) else None
    if isinstance(signature, Mapping) and str(signature.get("timestamp", "")).isdecimal():
        yield dt.datetime.fromtimestamp(int(signature["timestamp"]), tz=dt.UTC)


@receiver(papers_merged)
def on_papers_merged(sender: Any, kept_id: int, dropped_id: int, **kwargs: Any) -> None:
    """What readers said about the paper that goes, they said about the one that stays."""
    follow_paper(kept_id=kept_id, dropped_id=dropped_id)
    follow_merged(kept_id=kept_id, dropped_id=dropped_id)

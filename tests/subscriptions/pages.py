"""What the tests of readers' pages share."""

import re
from typing import Any

from django.urls import reverse

from digests.models import Delivery
from subscriptions.models import (
    AddressChange,
    ConsentEvent,
    Notice,
    ReaderSession,
    ReaderSignal,
    Subscriber,
    Suppression,
    Wishes,
)
from subscriptions.tokens import Purpose, make_token


def page_of(purpose: Purpose, subscriber: Subscriber, *, part: str = "") -> str:
    """The path of this reader's page, or of one below it."""
    name = "site:view" if purpose is Purpose.VIEW else f"subscriptions:{purpose}"
    page = reverse(name, kwargs={"token": make_token(purpose, subscriber.public_id)})
    return f"{page}{part}"


def everything() -> list[Any]:
    """Every row that a reader's page could change."""
    models = (Subscriber, Notice, ConsentEvent, Subscriber.topics.through, Delivery)
    more = (Wishes, ReaderSignal, ReaderSession, AddressChange, Suppression)
    return [list(model.objects.order_by("pk").values()) for model in (*models, *more)]


def words(response: Any) -> str:
    """What a person reads on the page."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())

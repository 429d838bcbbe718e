"""System checks of our own: what must be true before this program mails anybody."""

import sqlite3
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.checks import Warning as Caution
from django.db import connection


@register(Tags.compatibility)
def check_editions(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The edition's time zone is one this machine knows."""
    try:
        ZoneInfo(settings.EDITION_TIME_ZONE)
    except (ZoneInfoNotFoundError, ValueError):
        hint = "Use a name like Europe/Berlin or UTC."
        return [Error(f"EDITION_TIME_ZONE is {settings.EDITION_TIME_ZONE!r}.", hint=hint, id="dailypapers.E001")]
    return []


@register(Tags.compatibility)
def check_sqlite(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The journal of mails needs statements that SQLite has since 3.35, of March 2021."""
    if connection.vendor == "sqlite" and sqlite3.sqlite_version_info < (3, 35):
        hint = "Use a newer Python, or PostgreSQL through DATABASE_URL."
        return [Error(f"SQLite {sqlite3.sqlite_version} is too old.", hint=hint, id="dailypapers.E002")]
    return []


@register(Tags.security, deploy=True)
def check_production(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Nothing that only a single machine may have, and everything the law and the mail services ask for."""
    found: list[CheckMessage] = []
    if settings.FETCH_ALLOW:
        found.append(
            Error("FETCH_ALLOW opens private addresses to fetching.", hint="Leave it empty.", id="dailypapers.E010")
        )
    if not settings.POSTAL_ADDRESS:
        hint = "Set POSTAL_ADDRESS: the law of many countries asks for it in every newsletter."
        found.append(Error("Digests have no postal address in them.", hint=hint, id="dailypapers.E011"))
    if not settings.REPLY_TO:
        hint = "Set REPLY_TO: readers answer newsletters, and a person should read it."
        found.append(Caution("Replies reach nobody in particular.", hint=hint, id="dailypapers.W013"))
    if not settings.TRUSTED_PROXIES:
        hint = (
            "Set TRUSTED_PROXIES to the network of your reverse proxy; without one, to 127.0.0.1. Unless it is named, "
            "what it says of TLS is not believed, and every page leads to itself."
        )
        found.append(Caution("Visitors behind a proxy cannot be told apart.", hint=hint, id="dailypapers.W011"))
    if settings.EMAIL_PROVIDER == "smtp" and not settings.BOUNCE_ADDRESS:
        hint = "Set BOUNCE_ADDRESS and BOUNCE_MAILBOX: docs/settings.md says how."
        found.append(Caution("Nobody tells of bounces.", hint=hint, id="dailypapers.W012"))
    if not settings.HTTPS:
        found.append(Caution("SITE_URL is not https.", hint="Links in mails should be.", id="dailypapers.W010"))
    return found

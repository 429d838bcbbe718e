"""The envelope's sender, where bounces go: with BOUNCE_ADDRESS set, each mail has one of its own.

bounce@example.org becomes bounce+<opaque id>@example.org (variable envelope return paths), so whatever comes back there
says by its address which mail it is about, however the receiving server words it. Only SMTP has an envelope; providers
tell by webhook.
"""

import re
from email.utils import parseaddr
from functools import lru_cache

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.message import sanitize_address

_ID = r"[0-9a-f]{32}"


def envelope_sender(message: EmailMessage) -> str:
    """What MAIL FROM says for this message."""
    outgoing_id = getattr(message, "metadata", {}).get("outgoing_id")
    if not settings.BOUNCE_ADDRESS or not outgoing_id:
        return _bare(settings.DEFAULT_FROM_EMAIL)
    local, _, domain = settings.BOUNCE_ADDRESS.rpartition("@")
    return f"{local}+{outgoing_id}@{domain}"


def outgoing_id_of(address: str) -> str:
    """The opaque id of the mail that an address of ours for bounces names; nothing for any other address."""
    local, _, domain = settings.BOUNCE_ADDRESS.rpartition("@")
    if not local:
        return ""
    plain = parseaddr(address)[1]
    found = re.fullmatch(rf"{re.escape(local)}\+({_ID})@{re.escape(domain)}", plain, flags=re.IGNORECASE)
    return found[1].lower() if found else ""


def outgoing_id_in(message_id: str) -> str:
    """The opaque id in a Message-ID of ours; nothing for any other."""
    found = re.fullmatch(rf"<?({_ID})@{re.escape(settings.MAIL_DOMAIN)}>?", message_id.strip(), flags=re.IGNORECASE)
    return found[1].lower() if found else ""


@lru_cache(maxsize=8)
def _bare(from_email: str) -> str:
    return sanitize_address(parseaddr(from_email)[1], "utf-8")

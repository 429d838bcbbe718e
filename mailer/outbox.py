"""The mailbox of the single-machine set-up: mail is written to `var/outbox/` and never leaves the machine."""

import contextlib
import datetime as dt
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMessage
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

_NAME = re.compile(r"\d{8}T\d{12}-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class StoredMail:
    """A mail in the mailbox, parsed as a mail program would."""

    name: str
    subject: str
    sender: str
    to: str
    sent_at: dt.datetime
    text: str
    html: str
    source: str


class NotStoredError(OSError):
    """The mail could not be written down, and nothing of it was left."""


class OutboxBackend(BaseEmailBackend):
    """Writes each message as an `.eml` file: whole or not at all, and durable before it counts as accepted."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        for message in email_messages:
            store_mail(message.message().as_bytes(), directory=Path(settings.OUTBOX_DIR))
        return len(email_messages)


def store_mail(source: bytes, *, directory: Path) -> str:
    """Keep one message. Returns its name; names sort by time. Raises NotStoredError where it could not be kept."""
    name = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"
    draft = directory / f".{name}.part"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with draft.open("xb") as file:
            file.write(source)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(directory / f"{name}.eml")
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise NotStoredError(f"The mailbox cannot be written to: {error.strerror or error}.") from error
    # The new name, too, is to outlive a power cut.
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return name


def list_mails(*, directory: Path, limit: int = 200) -> list[StoredMail]:
    """The newest mails first."""
    names = sorted((path.stem for path in directory.glob("*.eml")), reverse=True) if directory.exists() else []
    return [mail for name in names[:limit] if (mail := read_mail(name, directory=directory))]


def read_mail(name: str, *, directory: Path) -> StoredMail | None:
    """The mail of that name, or None. A name is never a path."""
    path = directory / f"{name}.eml"
    if not _NAME.fullmatch(name) or not path.exists():
        return None
    source = path.read_bytes()
    parsed = message_from_bytes(source, policy=policy.default)
    return StoredMail(
        name=name,
        subject=str(parsed["Subject"]),
        sender=str(parsed["From"]),
        to=str(parsed["To"]),
        sent_at=dt.datetime.strptime(name[:21], "%Y%m%dT%H%M%S%f").replace(tzinfo=dt.UTC),
        text=_part(parsed, "plain"),
        html=_part(parsed, "html"),
        source=source.decode("utf-8", "replace"),
    )


def with_links_outside(html: str) -> str:
    """A mail's HTML for an inner frame: its links open in a tab of their own, for our pages refuse to be framed."""
    return html.replace("<head>", '<head><base target="_blank">', 1)


def _part(message: ParsedMessage, subtype: str) -> str:
    part = message.get_body(preferencelist=(subtype,))
    return str(part.get_content()) if isinstance(part, ParsedMessage) else ""

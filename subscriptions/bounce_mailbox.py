"""Where bounces arrive: a mailbox at a mail server (IMAP), a folder (Maildir), or standard input.

Each letter is given once and then marked: what was a report as read, anything else as flagged, so that a person finds
it and no program reads it again. Nothing is deleted.
"""

import imaplib
import ipaddress
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from subscriptions.reports import LONGEST

TIMEOUT = 30.0
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")


class MailboxError(Exception):
    """The mailbox cannot be opened or read now; the message says why, and holds no password."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail: its name in the mailbox, and what it holds, or nothing where it is far too large for a report."""

    name: str
    source: bytes


class Mailbox(Protocol):
    """What holds letters."""

    def names(self) -> list[str]:
        """The letters that nobody has looked at yet."""

    def read(self, name: str) -> Letter:
        """One of them."""

    def mark(self, name: str, *, is_report: bool) -> None:
        """It was looked at."""


@contextmanager
def open_mailbox(url: str) -> Iterator[Mailbox]:
    """The mailbox with this address: imaps://user:password@host/folder, imap:// with STARTTLS, or maildir:/a/folder.

    Raises MailboxError where it cannot be opened or breaks while it is read, ValueError where the address is none.
    """
    parts = urlsplit(url)
    try:
        match parts.scheme:
            case "maildir" if parts.path:
                yield Maildir(Path(unquote(parts.path)))
            case "imap" | "imaps" if parts.hostname and parts.username:
                with _log_in(url) as client:
                    yield ImapMailbox(client, folder=unquote(parts.path.strip("/")) or "INBOX")
            case _:
                raise ValueError("A mailbox is imaps://user:password@host/folder, or maildir:/a/folder.")
    except (OSError, imaplib.IMAP4.error) as error:
        where = parts.hostname or parts.path
        raise MailboxError(f"The mailbox at {where} cannot be read: {_words(error)}.") from error


class Maildir:
    """A folder with `new` and `cur` in it (https://cr.yp.to/proto/maildir.html)."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
            raise MailboxError(f"{folder} is no Maildir: it has no new and cur.")
        self._folder = folder

    def names(self) -> list[str]:
        """Those in `new`, and those in `cur` that are neither read nor flagged."""
        files = [path for part in ("new", "cur") for path in (self._folder / part).iterdir() if path.is_file()]
        fresh = [path for path in files if not {"S", "F"} & set(path.name.partition(":2,")[2])]
        return sorted(str(path.relative_to(self._folder)) for path in fresh)

    def read(self, name: str) -> Letter:
        """The file."""
        path = self._folder / name
        return Letter(name, path.read_bytes() if path.stat().st_size <= LONGEST else b"")

    def mark(self, name: str, *, is_report: bool) -> None:
        """Moved to `cur`, with its flag in its name."""
        path = self._folder / name
        base, _, flags = path.name.partition(":2,")
        flag = "S" if is_report else "F"
        path.rename(self._folder / "cur" / f"{base}:2,{''.join(sorted({*flags, flag}))}")


class ImapMailbox:
    """A folder of a mail server (RFC 9051, and RFC 3501 before it)."""

    def __init__(self, client: imaplib.IMAP4, *, folder: str) -> None:
        self._client = client
        quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
        status, answer = client.select(f'"{quoted}"')
        if status != "OK":
            raise MailboxError(f"The mail server has no folder {folder}: {answer!r}.")

    def names(self) -> list[str]:
        """The unique ids of those that are neither read nor flagged."""
        _, found = self._client.uid("SEARCH", "UNSEEN", "UNFLAGGED")
        return (found[0] or b"").decode().split()

    def read(self, name: str) -> Letter:
        """Its octets, without marking it."""
        _, head = self._client.uid("FETCH", name, "(RFC822.SIZE)")
        size = _SIZE.search(b" ".join(part if isinstance(part, bytes) else part[0] for part in head if part))
        if size is None or int(size[1]) > LONGEST:
            return Letter(name, b"")
        _, body = self._client.uid("FETCH", name, "(BODY.PEEK[])")
        return Letter(name, next((part[1] for part in body if isinstance(part, tuple)), b""))

    def mark(self, name: str, *, is_report: bool) -> None:
        """Read, or flagged."""
        self._client.uid("STORE", name, "+FLAGS.SILENT", r"(\Seen)" if is_report else r"(\Flagged)")


@contextmanager
def _log_in(url: str) -> Iterator[imaplib.IMAP4]:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "imaps"
    if secure:
        # Left to itself, imaplib takes any certificate.
        trust = ssl.create_default_context()
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, parts.port or 993, ssl_context=trust, timeout=TIMEOUT)
    else:
        client = imaplib.IMAP4(host, parts.port or 143, timeout=TIMEOUT)
        if not _is_this_machine(host):
            client.starttls(ssl.create_default_context())
    with client:
        client.login(unquote(parts.username or ""), unquote(parts.password or ""))
        yield client


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _words(error: Exception) -> str:
    # Servers answer in their own words, as bytes or text; none of them repeats a password.
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    text = error.args[0].decode("utf-8", "replace") if error.args and isinstance(error.args[0], bytes) else str(error)
    return " ".join(text.split())[:200].rstrip(".") or type(error).__name__

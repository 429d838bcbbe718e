"""Who left, kept outside the database as well: after a restore nobody is mailed who had said no since the backup.

One line for each goodbye, erasure and suppression, and for each confirmation, which ends them: the instant, the kind,
and the keyed hash of the address; nothing that names anybody. The file is appended to once the database has it, lies in
`VAR_DIR`, and belongs with the backups, not into them: `manage.py restore` reads what is newer than the backup.
"""

import datetime as dt
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction

logger = logging.getLogger(__name__)

CAME, LEFT, ERASED, SUPPRESSED = "came", "left", "erased", "suppressed"
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?\+00:00) (came|left|erased|suppressed) ([0-9a-f]{64})")


def note(kind: str, *, address_hash: str, at: dt.datetime) -> None:
    """Append this when the transaction is through. Never raises: a full disk keeps nobody from leaving."""
    transaction.on_commit(lambda: _append(f"{at.astimezone(dt.UTC).isoformat()} {kind} {address_hash}\n"))


def who_left_since(since: dt.datetime) -> dict[str, str]:
    """Whose last word since this instant was no: the kind of it by the hash of the address."""
    found: dict[str, str] = {}
    for at, kind, address_hash in _lines():
        if at < since:
            continue
        if kind == CAME:
            found.pop(address_hash, None)
        elif not (kind == SUPPRESSED and found.get(address_hash) == ERASED):
            found[address_hash] = kind
    return found


def path() -> Path:
    """Where it lies."""
    return settings.VAR_DIR / "who-left.log"


def _lines() -> Iterator[tuple[dt.datetime, str, str]]:
    try:
        lines = path().read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        # A line that was cut off by a crash is one that the next began on.
        for found in _LINE.finditer(line):
            yield dt.datetime.fromisoformat(found[1]), found[2], found[3]


def _append(line: str) -> None:
    try:
        path().parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path(), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        logger.warning("who left could not be noted outside the database: %s", error)

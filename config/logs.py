"""How log lines are written: as text for people or as JSON for machines, and never with a secret in them.

Every line goes through here whole, traceback and all: tokens of readers' links are cut out, and whatever looks like a
mail address stands as a keyed hash, by which two lines about one address are still seen to be about one.
"""

import datetime as dt
import json
import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from subscriptions.addresses import hash_address
from subscriptions.tokens import Purpose

# What is being done: the id of a request, and of the task that it, or beat, set off.
request_id: ContextVar[str] = ContextVar("request_id", default="")
task_id: ContextVar[str] = ContextVar("task_id", default="")
task_name: ContextVar[str] = ContextVar("task_name", default="")

_TOKEN = re.compile(rf"(/(?:{'|'.join(Purpose)})/)[^/\s\"'<>?#]+")
# Wider than any standard: what is no address and looks like one is hashed as well. `%40` is how forms write an @.
_ADDRESS = re.compile(
    r"""(?:"[^"\s]{1,64}(?:[ ][^"\s]{1,64}){0,4}"|[^\s"'<>()\[\],;:=@&?/\\]{1,128})(?:@|%40)[\w\-]+(?:\.[\w\-]+)+""",
    re.IGNORECASE,
)
# What a logging call may add that belongs into a line of JSON.
_EXTRAS = ("status", "method", "route", "milliseconds")


def without_secrets(text: str) -> str:
    """The text with tokens cut out and addresses hashed."""
    text = _TOKEN.sub(r"\1…", text)
    return _ADDRESS.sub(_hashed, text) if "@" in text or "%40" in text else text


def _hashed(found: re.Match[str]) -> str:
    return f"address-{hash_address(found[0].replace('%40', '@').lower())[:12]}"


class Lines(logging.Formatter):
    """Text, a line each, for people."""

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the ids of what was being done behind it."""
        ids = [f"request={request_id.get()}"] if request_id.get() else []
        ids += [f"task={task_name.get()}[{task_id.get()}]"] if task_id.get() else []
        line = super().format(record)
        first, newline, rest = line.partition("\n")
        return without_secrets(f"{first}{' (' + ' '.join(ids) + ')' if ids else ''}{newline}{rest}")


class JsonLines(logging.Formatter):
    """One JSON object a line (https://jsonlines.org), for machines."""

    def format(self, record: logging.LogRecord) -> str:
        """Instants are in UTC (RFC 3339)."""
        said: dict[str, Any] = {
            "at": dt.datetime.fromtimestamp(record.created, tz=dt.UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        known: Mapping[str, Any] = record.__dict__
        said |= {name: known[name] for name in _EXTRAS if name in known}
        said |= {"request": request_id.get()} if request_id.get() else {}
        said |= {"task": task_name.get(), "task_id": task_id.get()} if task_id.get() else {}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            said["stack"] = self.formatStack(record.stack_info)
        return json.dumps({name: _clean(value) for name, value in said.items()}, ensure_ascii=False)


def _clean(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value

"""manage.py commands to be killed: each a process of its own, on the database and in the VAR_DIR of the test.

They are forked from a process that has Django loaded already, so that one starts within milliseconds and many moments
can be tried.
"""

import contextlib
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import DatabaseError, connection
from django.utils import timezone

from tests.chaos.processes import freeze, wait_for

django.setup()
_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload([__name__, "config.urls"])
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Started:
    """A command on its way; what it says, to people and of errors, goes into a file."""

    process: BaseProcess
    output: Path

    @property
    def pid(self) -> int:
        assert self.process.pid
        return self.process.pid

    @property
    def is_over(self) -> bool:
        return not self.process.is_alive()

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Whether it was this that ended it, and not its work that was done."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return self.end() == -number

    def end(self) -> int:
        """Wait for its end; the exit code."""
        self.process.join(PATIENCE_SECONDS)
        assert self.process.exitcode is not None, self.said()
        return self.process.exitcode

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def reach(self, moment: Callable[[], Any]) -> "Started":
        """Wait until this is so. A command that ends before it is a test that tries nothing."""
        found = wait_for(lambda: self.is_over or moment(), seconds=PATIENCE_SECONDS, pause=0.001)
        assert found
        assert moment(), f"ended before that: {self.said()}"
        return self


def start(*words: object, most_octets: int = 0) -> Started:
    """Start `manage.py words`. With `most_octets` no file may grow beyond that, as on a disk that is full."""
    return _start(_manage, [str(word) for word in words], most_octets)


def run(*words: object, code: int = 0, most_octets: int = 0) -> str:
    """Run it to its end, which is to be this exit code; what it said."""
    command = start(*words, most_octets=most_octets)
    assert command.end() == code, command.said()
    return command.said()


@contextlib.contextmanager
def sender() -> Iterator[Started]:
    """A worker that sends whatever is due, again and again, until the end of the block."""
    sending = _start(_send)
    try:
        yield sending.reach(lambda: "looked" in sending.said())
        assert not sending.is_over, sending.said()
    finally:
        sending.kill()


def sweep(*words: object, moments: int, seconds: float) -> Iterator[bool]:
    """Start the command again and again, and end it at so many moments spread over about so many seconds, by SIGKILL
    and by SIGTERM in turn: whether it was still at work. Where it was done before, the moments that are left come
    sooner: it was measured while the machine was busy, or took its first start."""
    for moment, number in zip(range(moments), itertools.cycle([signal.SIGKILL, signal.SIGTERM]), strict=False):
        command = start(*words)
        command.process.join(seconds * moment / moments)
        was_at_work = command.kill(number)
        yield was_at_work
        seconds *= 1.0 if was_at_work else 0.6


@contextlib.contextmanager
def frozen(process: int) -> Iterator[None]:
    """It stands still until the end of the block."""
    freeze(process)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def load_ballast(megabytes: int) -> None:
    """Rows that cannot be packed, so that copying takes a while."""
    from django.contrib.sessions.models import Session

    for number in range(megabytes):
        octets = os.urandom(500_000).hex()
        Session.objects.create(session_key=f"{number}", session_data=octets, expire_date=timezone.now())


def programs_at_work(name: str, *, waiting_for: str = "") -> int:
    """How many of PostgreSQL's own programs of this name are connected to the test's database, or wait there for this
    kind of thing."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        # Inside a transaction it would give the same answer for ever.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = %s AND datname = CURRENT_DATABASE() "
            "AND %s IN ('', wait_event_type)",
            [name, waiting_for],
        )
        return int(cursor.fetchone()[0])


def _start(work: Callable[..., None], *args: Any) -> Started:
    output = Path(settings.VAR_DIR) / f"said-{time.monotonic_ns()}"
    database = str(connection.settings_dict["NAME"])
    chosen = {name: getattr(settings, name) for name in ("VAR_DIR", "OUTBOX_DIR")}
    process = _fork.Process(target=_prepare_and, args=(work, database, chosen, output, *args), daemon=True)
    process.start()
    return Started(process, output)


def _prepare_and(work: Callable[..., None], database: str, chosen: dict[str, Any], output: Path, *args: Any) -> None:
    handle = os.open(output, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(handle, stream.fileno())
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    settings.DATABASES["default"]["NAME"] = database
    for name, value in chosen.items():
        setattr(settings, name, value)
    settings.EMAIL_BACKEND, settings.LOCAL_MAILBOX = "mailer.outbox.OutboxBackend", True
    work(*args)


def _manage(words: list[str], most_octets: int) -> None:
    if most_octets:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most_octets, most_octets))
    execute_from_command_line(["manage.py", *words])


def _send() -> None:
    from digests.delivering import due_deliveries, send_deliveries

    parent = os.getppid()
    while os.getppid() == parent:
        # As a worker does whose database is being put back: what fails now is tried again.
        with contextlib.suppress(DatabaseError):
            send_deliveries(due_deliveries(limit=100), now=timezone.now())
        if connection.needs_rollback or connection.errors_occurred:
            connection.close()
        sys.stdout.write("looked\n")
        time.sleep(0.02)

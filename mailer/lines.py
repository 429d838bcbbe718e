"""Lines to the mail service: open connections that each carry one message at a time, whatever backend is behind them.

Whoever sends submits a message wherever a line is free, and is told of each outcome as soon as it is known.
"""

import contextlib
import queue
import threading
import time
from typing import Protocol

from anymail.backends.base import AnymailBaseBackend
from billiard.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.backends.smtp import EmailBackend as DjangoSmtpBackend

from mailer.handoff import NoAnswer, Outcome, TryLater, hand_off, provider_name
from mailer.smtp import EmailBackend as OwnSmtpBackend
from mailer.smtp import SmtpLine
from mailer.smtp_lines import SmtpLines

# While one connection is opened, the answers of the others wait.
_REOPEN_SECONDS = 5


class Lines(Protocol):
    """Open connections to the mail service."""

    provider: str

    @property
    def free(self) -> int:
        """How many messages could be submitted now."""

    @property
    def in_flight(self) -> int:
        """How many messages are on their way."""

    def submit(self, key: int, message: EmailMessage) -> None:
        """Start to hand over one message, known as `key` when its outcome is told. A line must be free."""

    def poll(self, seconds: float) -> list[tuple[int, Outcome]]:
        """The outcomes that are known by now; waits at most so long for the first of them."""

    def close(self) -> None:
        """End all connections."""


def open_lines(count: int) -> Lines:
    """Open up to `count` connections to the mail service of the settings, one at least.

    Raises OSError where there is none, and whatever a backend raises whose settings are no good.
    """
    backend = get_connection()
    if isinstance(backend, OwnSmtpBackend):
        return _open_smtp(backend, count)
    # What is no network has nothing to wait for, and need not be safe to use from several threads.
    if count == 1 or not isinstance(backend, AnymailBaseBackend | DjangoSmtpBackend):
        return InlineLine(backend)
    return ThreadLines([backend, *(get_connection() for _ in range(count - 1))])


def mail_provider() -> str:
    """The name of the mail service of the settings. Raises what a backend raises whose settings are no good."""
    return provider_name(get_connection())


def _open_smtp(backend: OwnSmtpBackend, count: int) -> SmtpLines:
    lines = [SmtpLine(backend, timeout=settings.EMAIL_TIMEOUT)]
    for _ in range(count - 1):
        try:
            lines.append(_another_smtp())
        except OSError:
            # Servers limit how many connections one client may have: those we got will do.
            break
    return SmtpLines(lines, reopen=_another_smtp)


def _another_smtp() -> SmtpLine:
    backend = OwnSmtpBackend(timeout=min(settings.EMAIL_TIMEOUT, _REOPEN_SECONDS))
    return SmtpLine(backend, timeout=settings.EMAIL_TIMEOUT)


def unreachable(error: OSError) -> TryLater:
    """What it means that no connection could be opened."""
    return TryLater(f"The mail service could not be reached: {error.__class__.__name__}.")


class InlineLine:
    """One connection, driven by the thread that calls: a message is handed over while it is submitted."""

    def __init__(self, backend: BaseEmailBackend) -> None:
        self.provider = provider_name(backend)
        self._backend = backend
        self._backend.open()
        self._is_good = True
        self._done: list[tuple[int, Outcome]] = []

    @property
    def free(self) -> int:
        return int(self._is_good and not self._done)

    @property
    def in_flight(self) -> int:
        return len(self._done)

    def submit(self, key: int, message: EmailMessage) -> None:
        outcome = hand_off(message, connection=self._backend)
        self._done.append((key, outcome))
        try:
            # Does nothing while it is open; a hand-off that broke it leaves it closed.
            self._backend.open()
        except OSError:
            self._is_good = False

    def poll(self, seconds: float) -> list[tuple[int, Outcome]]:
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._backend.close()


class ThreadLines:
    """A thread and a connection of its own for each line: for backends that wait for their answer, as HTTP ones do.

    The threads know nothing of databases; they hand over what they are given and say what came of it.
    """

    def __init__(self, backends: list[BaseEmailBackend]) -> None:
        self.provider = provider_name(backends[0])
        self._in: queue.SimpleQueue[tuple[int, EmailMessage] | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[tuple[int, Outcome, bool]] = queue.SimpleQueue()
        # The first shows whether the service can be reached at all.
        backends[0].open()
        self._alive = len(backends)
        self._in_flight = 0
        self._threads = [
            threading.Thread(target=self._work, args=(backend,), name="mail line", daemon=True) for backend in backends
        ]
        for thread in self._threads:
            thread.start()

    @property
    def free(self) -> int:
        return max(0, self._alive - self._in_flight)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    def submit(self, key: int, message: EmailMessage) -> None:
        self._in_flight += 1
        self._in.put((key, message))

    def poll(self, seconds: float) -> list[tuple[int, Outcome]]:
        done: list[tuple[int, Outcome]] = []
        until = time.monotonic() + seconds
        while self._in_flight:
            try:
                wait = max(0.0, until - time.monotonic()) if not done else 0.0
                key, outcome, is_good = self._out.get(timeout=wait) if wait else self._out.get_nowait()
            except queue.Empty:
                break
            self._in_flight -= 1
            self._alive -= not is_good
            done.append((key, outcome))
        return done

    def close(self) -> None:
        for _ in self._threads:
            self._in.put(None)
        if not self._in_flight:
            for thread in self._threads:
                thread.join(timeout=1)

    def _work(self, backend: BaseEmailBackend) -> None:
        while given := self._in.get():
            key, message = given
            is_good = True
            try:
                backend.open()
                outcome = hand_off(message, connection=backend)
            except SoftTimeLimitExceeded:
                outcome = NoAnswer("The worker's time was up.")
            except OSError as error:
                outcome, is_good = unreachable(error), False
            self._out.put((key, outcome, is_good))
            if not is_good:
                break
        with contextlib.suppress(Exception):
            backend.close()

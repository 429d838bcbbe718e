"""Many SMTP connections driven by one thread: which can take a message, which has an answer, which broke."""

import contextlib
import selectors
import time
from collections.abc import Callable, Sequence

from django.core.mail import EmailMessage

from mailer.handoff import Outcome
from mailer.smtp import SmtpLine


class SmtpLines:
    """Several SMTP connections, driven by the one thread that calls. `reopen` opens one in place of one that broke."""

    def __init__(self, lines: Sequence[SmtpLine], *, reopen: Callable[[], SmtpLine]) -> None:
        self.lines = list(lines)
        self.provider = "smtp"
        self._reopen = reopen
        self._messages: dict[SmtpLine, int] = {}
        self._idle = list(lines)
        self._selector = selectors.DefaultSelector()
        self._watched: dict[SmtpLine, int] = {}
        for line in self.lines:
            self._watch(line)

    @property
    def free(self) -> int:
        """How many messages could be submitted now."""
        return len(self._idle)

    @property
    def in_flight(self) -> int:
        """How many messages are on their way."""
        return len(self._messages)

    def submit(self, key: int, message: EmailMessage) -> None:
        """Start to hand over one message, known as `key` when its outcome is told."""
        line = self._idle.pop()
        self._messages[line] = key
        line.submit(message)
        self._watch(line)

    def poll(self, seconds: float) -> list[tuple[int, Outcome]]:
        """The outcomes that are known by now; waits at most so long for the first of them."""
        until = time.monotonic() + seconds
        while not (done := self._collect()) and self._messages:
            now = time.monotonic()
            if now >= until:
                break
            for key, _ in self._selector.select(min(until - now, 1.0)):
                line: SmtpLine = key.fileobj  # type: ignore[assignment]
                line.on_ready()
                self._watch(line)
            now = time.monotonic()
            for line in self._messages:
                line.on_time(now)
        return done

    def refresh(self, count: int) -> bool:
        """After a pause: let go of connections that the server closed meanwhile, and open more where there are fewer
        than `count`. False where none is left."""
        for line in self.lines:
            line.on_ready()
        self._collect()
        with contextlib.suppress(OSError):
            while self._idle and len(self.lines) < count:
                self._add(self._reopen())
        return bool(self._idle)

    def close(self) -> None:
        """End all connections."""
        for line in self.lines:
            line.close()
        self._selector.close()

    def _collect(self) -> list[tuple[int, Outcome]]:
        known = [(line, line.outcome) for line in self._messages if line.outcome is not None]
        found = [(self._messages.pop(line), outcome) for line, outcome in known]
        for line, _ in known:
            self._watch(line)
            self._idle.append(line)
        # One may also have been closed while it had nothing to do.
        for line in [line for line in self._idle if not line.is_open]:
            self._replace(line)
        return found

    def _replace(self, line: SmtpLine) -> None:
        """What broke is opened anew, once: a server that does not let us in again now will not a moment later."""
        self._watch(line)
        self.lines.remove(line)
        self._idle.remove(line)
        self._watched.pop(line, None)
        with contextlib.suppress(OSError):
            self._add(self._reopen())

    def _add(self, line: SmtpLine) -> None:
        self.lines.append(line)
        self._idle.append(line)
        self._watch(line)

    def _watch(self, line: SmtpLine) -> None:
        """Have the selector wait for what this line waits for."""
        wanted = 0
        if line.is_open:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.wants_to_write else 0)
        if self._watched.get(line, 0) == wanted:
            return
        if not wanted:
            # A socket that was closed has left the system's list by itself.
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(line)
        elif self._watched.get(line):
            self._selector.modify(line, wanted)
        else:
            self._selector.register(line, wanted)
        self._watched[line] = wanted

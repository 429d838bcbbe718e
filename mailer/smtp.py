"""One SMTP connection at the speed of the wire: commands sent in groups, answers read as they come.

Django's own backend opens the connection, starts TLS and logs in. Then a `SmtpLine` takes its socket over: it speaks
PIPELINING (RFC 2920) where the server does, never has more than one message on its way, and says of each what an answer
proves and no more:

- an answer to the message or its recipient is what it says: 2xx accepted, 4xx not now, 5xx never;
- a no to the sender or to the wish to send is about us, and the mail waits;
- a connection that ends before the message was handed over whole has carried nothing: not now;
- one that ends after that, without an answer, leaves the outcome open.
"""

import contextlib
import re
import socket
import ssl
import time
from collections import deque
from enum import Enum, auto
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend as DjangoBackend
from django.core.mail.message import sanitize_address

from mailer.envelope import envelope_sender
from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater, classify, classify_smtp, smtp_answer
from mailer.messages import Message
from mailer.wire import NotAsciiAddressError, is_plain_address, stuffed

_CHUNK = 65536
_REPLY = re.compile(rb"(\d\d\d)([ -]?)(.*)")
_QUEUE_ID = re.compile(r"queued as ([\w.\-]{4,60})")
_LONGEST_ANSWER = 16384


class EmailBackend(DjangoBackend):
    """Django's SMTP backend with our envelope; whoever sends many messages drives it through `SmtpLine`."""

    def open(self) -> bool | None:
        """Open the connection, encrypted and logged in where the settings say so, or leave none: Django closes one that
        got no further than half-way only when it is opened the next time."""
        try:
            return super().open()
        except OSError:
            with contextlib.suppress(OSError):
                self.close()
            raise

    def _send(self, email_message: EmailMessage) -> bool:
        # Django takes the envelope's sender from the message, and the header from there as well unless there is one.
        email_message.extra_headers.setdefault("From", email_message.from_email)
        email_message.from_email = envelope_sender(email_message)
        return bool(super()._send(email_message))  # type: ignore[misc]


class _Step(Enum):
    """What the next answer is an answer to."""

    RSET = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    MESSAGE = auto()


class SmtpLine:
    """One open connection, with at most one message on its way.

    Give it a message with `submit`; call `on_ready` whenever its socket can be read or written, and `on_time` now and
    then; `outcome` is there once the message's fate is known, or known to be open. A line that `is_open` no longer is
    of no more use.
    """

    def __init__(self, backend: DjangoBackend, *, timeout: float) -> None:
        """Open the connection. Raises OSError (smtplib's errors are such) where it cannot be opened."""
        if not backend.connection:
            backend.open()
        smtp: Any = backend.connection
        smtp.ehlo_or_helo_if_needed()
        self._backend = backend
        self._socket: socket.socket = smtp.sock
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._can_pipeline = bool(smtp.has_extn("pipelining"))
        self._can_8bit = bool(smtp.has_extn("8bitmime"))
        self._can_utf8 = bool(smtp.has_extn("smtputf8"))
        self._timeout = timeout
        self.is_open = True
        self.outcome: Outcome | None = None
        # Whether a message is on its way.
        self.is_busy = False
        self._deadline = 0.0
        self._out: deque[memoryview] = deque()
        self._in = b""
        self._words: list[str] = []
        # Commands not sent yet, and what each answer still to come is an answer to.
        self._commands: deque[tuple[_Step, bytes]] = deque()
        self._awaited: deque[_Step] = deque()
        self._message: bytes = b""
        self._answer: Outcome | None = None
        self._is_clean = True

    def fileno(self) -> int:
        """The socket's number, for a selector."""
        return self._socket.fileno()

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._out)

    def submit(self, message: EmailMessage) -> None:
        """Start to hand over one message. The line must be open and not busy."""
        self.outcome = self._answer = None
        self._deadline = time.monotonic() + self._timeout
        try:
            envelope, self._message = self._prepare(message)
        except NotAsciiAddressError as error:
            self.outcome = Refused(str(error))
            return
        except Exception as error:  # noqa: BLE001 - a message that cannot be written down is refused, with the reason
            self.outcome = classify(error)
            return
        steps = [] if self._is_clean else [(_Step.RSET, b"RSET\r\n")]
        self._commands = deque([*steps, *envelope])
        self.is_busy = True
        self._is_clean = True
        self._send_commands()
        self._write()

    def on_ready(self) -> None:
        """The socket can be read, or written: do what can be done without waiting."""
        if self._out:
            self._write()
        if self.is_open:
            self._read()

    def on_time(self, now: float) -> None:
        """Give up a message that took too long; `now` is on the monotonic clock."""
        if self.is_busy and now > self._deadline:
            self._lost("the mail server did not answer in time")

    def close(self) -> None:
        """Say goodbye, without waiting for it to be heard."""
        if self.is_open and not self.is_busy:
            with contextlib.suppress(OSError):
                self._socket.send(b"QUIT\r\n")
        self.is_open = False
        self._backend.connection = None
        with contextlib.suppress(OSError):
            self._socket.close()

    # --- the way out --------------------------------------------------------------------------------------------------

    def _prepare(self, message: EmailMessage) -> tuple[list[tuple[_Step, bytes]], bytes]:
        """The commands of the envelope, and the message with its end mark."""
        address = message.to[0]
        needs_utf8 = not address.isascii()
        if needs_utf8 and not self._can_utf8:
            raise NotAsciiAddressError("The address has letters that the mail server cannot carry (no SMTPUTF8).")
        if isinstance(message, Message):
            source = message.wire(eightbit=self._can_8bit, utf8=needs_utf8, is_stuffed=True)
        else:
            source = stuffed(message.message().as_bytes(linesep="\r\n"))  # type: ignore[call-arg]
        options = " BODY=8BITMIME" if self._can_8bit and not source.isascii() else ""
        if needs_utf8:
            options += " SMTPUTF8"
        end = b".\r\n" if source.endswith(b"\r\n") else b"\r\n.\r\n"
        recipient = address if needs_utf8 or is_plain_address(address) else sanitize_address(address, "utf-8")
        envelope = [
            (_Step.MAIL, f"MAIL FROM:<{envelope_sender(message)}>{options}\r\n".encode()),
            (_Step.RCPT, f"RCPT TO:<{recipient}>\r\n".encode()),
            (_Step.DATA, b"DATA\r\n"),
        ]
        return envelope, source + end

    def _send_commands(self) -> None:
        """All commands at once where the server takes them so, else the next one."""
        count = len(self._commands) if self._can_pipeline else min(1, len(self._commands))
        group = [self._commands.popleft() for _ in range(count)]
        self._awaited.extend(step for step, _ in group)
        if group:
            self._out.append(memoryview(b"".join([command for _, command in group])))

    def _write(self) -> None:
        try:
            while self._out:
                view = self._out[0]
                sent = self._socket.send(view)
                if sent < len(view):
                    self._out[0] = view[sent:]
                    return
                self._out.popleft()
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return
        except OSError as error:
            # What the server said before it left may still be there to read.
            self._read()
            if self.is_open:
                self._lost(f"the connection to the mail server broke ({error.__class__.__name__})")

    # --- the way back -------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        while self.is_open:
            try:
                data = self._socket.recv(_CHUNK)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError as error:
                self._lost(f"the connection to the mail server broke ({error.__class__.__name__})")
                return
            if not data:
                self._lost("the mail server closed the connection")
                return
            self._in += data
            self._answers()
            if len(self._in) > _LONGEST_ANSWER:
                self._lost("the mail server does not speak SMTP")
            if len(data) < _CHUNK and not isinstance(self._socket, ssl.SSLSocket):
                return

    def _answers(self) -> None:
        while self.is_open and b"\n" in self._in:
            line, _, self._in = self._in.partition(b"\n")
            found = _REPLY.match(line.rstrip(b"\r"))
            if found is None:
                self._lost("the mail server does not speak SMTP")
                return
            self._words.append(found[3].decode("utf-8", "replace"))
            if found[2] == b"-":
                continue
            words, self._words = "\n".join(self._words), []
            self._on_answer(int(found[1]), words)

    def _on_answer(self, code: int, words: str) -> None:
        if not self._awaited:
            # Said of nothing: a server that closes down says 421 before it does.
            self._drop()
            return
        step = self._awaited.popleft()
        match step:
            case _Step.RSET:
                pass
            case _Step.MAIL | _Step.DATA if not self._is_yes(step, code):
                self._answer = self._answer or TryLater(smtp_answer(code, words))
                self._commands.clear()
            case _Step.RCPT if not self._is_yes(step, code):
                self._answer = self._answer or classify_smtp(code, words)
                self._commands.clear()
            case _Step.DATA if self._answer:
                # It wants the message although it has no recipient for it: only leaving is sure to send nothing.
                self._settle(self._answer)
                self._drop()
                return
            case _Step.DATA:
                self._awaited.append(_Step.MESSAGE)
                self._out.append(memoryview(self._message))
                self._write()
            case _Step.MESSAGE:
                self._on_message_answer(code, words)
        if code == 421:
            # The server is closing down (RFC 5321, section 3.8), whatever it was asked.
            self._lost(smtp_answer(code, words))
        elif not self._awaited and self.is_open and self.is_busy:
            if self._commands:
                self._send_commands()
                self._write()
            elif self._answer:
                self._is_clean = False
                self._settle(self._answer)

    @staticmethod
    def _is_yes(step: _Step, code: int) -> bool:
        return code == 354 if step is _Step.DATA else 200 <= code < 300

    def _on_message_answer(self, code: int, words: str) -> None:
        if self._out:
            # It answers before it has heard the end; what follows would be read as commands.
            answer = smtp_answer(code, words)
            self._settle(NoAnswer(f"{answer} too early.") if code < 400 else classify_smtp(code, words))
            self._drop()
        elif 200 <= code < 300:
            queue_id = _QUEUE_ID.search(words)
            self._settle(Accepted(provider="smtp", message_id=queue_id[1] if queue_id else ""))
        else:
            self._settle(classify_smtp(code, words))

    def _settle(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.is_busy = False
        self._message = b""

    def _lost(self, reason: str) -> None:
        """The connection is of no more use. What that means for the message depends on how far it came."""
        if self.is_busy:
            was_whole = bool(self._awaited) and self._awaited[-1] is _Step.MESSAGE and not self._out
            if self._answer:
                self._settle(self._answer)
            elif was_whole:
                self._settle(NoAnswer(f"No answer: {reason}, after the message was handed over."))
            else:
                self._settle(TryLater(f"Nothing was sent: {reason}, before the message was handed over."))
        self._drop()

    def _drop(self) -> None:
        self._out.clear()
        self._commands.clear()
        self._awaited.clear()
        self.is_open = False
        self._backend.connection = None
        with contextlib.suppress(OSError):
            self._socket.close()

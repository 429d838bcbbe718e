"""A real SMTP server on the loopback address, for tests: it takes mail, or answers as told, also badly.

with smtp_server(answers=["250 OK", "451 busy", DROP]) as server:
    ...  # point EMAIL_HOST and EMAIL_PORT at 127.0.0.1 and server.port
    assert server.mails[0].recipients == ["reader@example.org"]
"""

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller

OK = "250 OK"
# Take the whole message, then leave without a word.
DROP = "drop"


@dataclass(frozen=True)
class Mail:
    """One message that was taken, or whose fate the client was not told."""

    recipients: list[str]
    source: bytes
    sender: str = ""

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.source, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


@dataclass
class SmtpServer:
    """What came, in order. After the last of `answers`, everything is taken."""

    answers: list[str] = field(default_factory=list)
    refused_recipients: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    connections: int = 0
    # How long it thinks before it answers to a message.
    seconds: float = 0.0
    port: int = 0

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refused_recipients:
            return self.refused_recipients[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(self.seconds)
        answer = self.answers.pop(0) if self.answers else OK
        if answer in {OK, DROP}:
            self.mails.append(Mail(list(envelope.rcpt_tos), envelope.content, sender=envelope.mail_from))
        if answer == DROP:
            server.transport.abort()
        return answer


class _AnyPort(Controller):
    """Asks the system for a free port; the original wants to know it beforehand."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextlib.contextmanager
def smtp_server(
    *, answers: Iterable[str] = (), refused_recipients: dict[str, str] | None = None
) -> Iterator[SmtpServer]:
    """Run a server on a free port of 127.0.0.1. `answers` are what it says after each message."""
    sink = SmtpServer(answers=list(answers), refused_recipients=refused_recipients or {})
    controller = _AnyPort(sink, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        sink.port = controller.port
        yield sink
    finally:
        controller.stop()

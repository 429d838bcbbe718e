"""A real SMTP server that takes mail and misbehaves as told: python -m tests.chaos.smtp_sink --folder F

It announces PIPELINING and 8BITMIME as postfix does, and reads commands one by one from what came, so that a client may
send several at once. A client can be stopped, and then killed, at: `mail`, `rcpt`, `data` (before the answer to each),
`untaken` and `taken` (after the final dot, before and after the message is written down).
"""

import asyncio
import re

from tests.chaos.faults import AMBIGUOUS, Fate
from tests.chaos.sink import Line, Sink, run

EXTENSIONS = ("PIPELINING", "SIZE 10240000", "ENHANCEDSTATUSCODES", "8BITMIME", "SMTPUTF8")
_ID = re.compile(rb"(?im)^Message-ID:\s*<([^@>]+)@")


class SmtpSink(Sink):
    async def talk(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink ESMTP\r\n")
        fate = Fate.TAKEN
        recipient = ""
        while command := await reader.readline():
            verb = command[:4].upper()
            match verb:
                case b"EHLO":
                    lines = ["sink", *EXTENSIONS]
                    ends = ["-"] * (len(lines) - 1) + [" "]
                    answer = "".join(f"250{end}{text}\r\n" for end, text in zip(ends, lines, strict=True)).encode()
                case b"HELO" | b"NOOP" | b"RSET":
                    recipient = "" if verb == b"RSET" else recipient
                    answer = b"250 2.0.0 Ok\r\n"
                case b"MAIL":
                    recipient = ""
                    await self.may_stop("mail", line)
                    answer = b"250 2.1.0 Ok\r\n"
                case b"RCPT":
                    line.recipient = address_in(command)
                    await self.may_stop("rcpt", line)
                    fate = self.dice.fate(line.recipient)
                    answer = self._refusal_at_once(fate, line) or b"250 2.1.5 Ok\r\n"
                    recipient = line.recipient if answer.startswith(b"250") else ""
                case b"DATA" if recipient:
                    await self.may_stop("data", line)
                    writer.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                    message = await reader.readuntil(b"\r\n.\r\n")
                    answer = await self._judge(message, fate=fate, line=line)
                    recipient = ""
                case b"DATA":
                    answer = b"554 5.5.1 Error: no valid recipients\r\n"
                case b"QUIT":
                    writer.write(b"221 2.0.0 Bye\r\n")
                    await writer.drain()
                    return
                case _:
                    answer = b"502 5.5.2 Error: command not recognized\r\n"
            if not answer:
                return
            writer.write(answer)
            await writer.drain()

    def _refusal_at_once(self, fate: Fate, line: Line) -> bytes:
        """Half of the refusals come at the recipient already, half after the message."""
        if fate == Fate.NEVER and len(line.recipient) % 2:
            self.write_down(fate, public_id="", recipient=line.recipient)
            return b"550 5.1.1 User unknown\r\n"
        if fate == Fate.LATER and self.dice.coin():
            self.write_down(fate, public_id="", recipient=line.recipient)
            return b"450 4.2.0 Try again later\r\n"
        return b""

    async def _judge(self, message: bytes, *, fate: Fate, line: Line) -> bytes:
        """The answer to a whole message, or nothing for silence."""
        found = _ID.search(message)
        public_id = found[1].decode() if found else ""
        await asyncio.sleep(self.dice.delay())
        await self.may_stop("untaken", line)
        self.write_down(fate, public_id=public_id, recipient=line.recipient)
        if fate in AMBIGUOUS:
            await self.fall_silent(fate)
            return b""
        await self.may_stop("taken", line)
        match fate:
            case Fate.LATER:
                return b"451 4.3.0 Try again later\r\n"
            case Fate.NEVER:
                return b"554 5.7.1 Not wanted here\r\n"
            case _:
                return b"250 2.0.0 Ok: queued\r\n"


def address_in(command: bytes) -> str:
    """The address of a MAIL or RCPT command."""
    return command.partition(b"<")[2].partition(b">")[0].decode()


if __name__ == "__main__":
    run(SmtpSink)

"""A provider of mail, as its API looks from here, that misbehaves as told: python -m tests.chaos.http_sink --folder F

It speaks Postmark's `POST /email` (https://postmarkapp.com/developer/api/email-api) the way Anymail calls it, over
connections that stay open. A client can be stopped, and then killed, at `untaken` and `taken`, before and after the
message is written down.
"""

import asyncio
import http
import json
import uuid
from email.utils import parseaddr
from typing import Any

from tests.chaos.faults import AMBIGUOUS, Fate
from tests.chaos.sink import Line, Sink, run


class HttpSink(Sink):
    async def talk(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            length = 0
            while (header := await reader.readline()) not in {b"\r\n", b""}:
                name, _, value = header.decode("latin-1").partition(":")
                if name.lower() == "content-length":
                    length = int(value)
            answer = await self._judge(json.loads(await reader.readexactly(length)), line=line)
            if not answer:
                return
            writer.write(answer)
            await writer.drain()

    async def _judge(self, mail: dict[str, Any], *, line: Line) -> bytes:
        line.recipient = parseaddr(mail["To"])[1]
        fate = self.dice.fate(line.recipient)
        await asyncio.sleep(self.dice.delay())
        await self.may_stop("untaken", line)
        self.write_down(fate, public_id=mail["Metadata"]["outgoing_id"], recipient=line.recipient)
        if fate in AMBIGUOUS:
            await self.fall_silent(fate)
            return b""
        await self.may_stop("taken", line)
        match fate:
            case Fate.LATER if self.dice.coin():
                return reply(429, {"ErrorCode": 429, "Message": "Too many requests"}, headers=("Retry-After: 1",))
            case Fate.LATER:
                return reply(503, {"ErrorCode": 0, "Message": "Busy"})
            case Fate.NEVER:
                return reply(422, {"ErrorCode": 406, "Message": "You tried to send to recipient(s) marked inactive."})
            case _:
                taken = {"To": mail["To"], "MessageID": str(uuid.uuid4()), "ErrorCode": 0, "Message": "OK"}
                return reply(200, taken)


def reply(status: int, body: dict[str, Any], *, headers: tuple[str, ...] = ()) -> bytes:
    """An answer of the API, whole."""
    text = json.dumps(body).encode()
    head = [
        f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(text)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + text


if __name__ == "__main__":
    run(HttpSink)

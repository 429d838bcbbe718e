"""Mail providers, as their APIs look from here, at a distance: python -m tests.benchmarks.provider_stub LATENCY_MS

Every answer takes that long, as over a real network; any number are served at once. It says yes to the calls of
Postmark, Mailgun and SES for one message, and tells at `GET /` how many came and how many in the busiest second. It
prints its port.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.bench import REPOSITORY

ANSWER = {
    # Each provider's client reads what it knows.
    "ErrorCode": 0,
    "Message": "OK",
    "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
    "To": "",
    "id": "<20261123.1@example.org>",
    "message": "Queued. Thank you.",
    "MessageId": "0100018a-1",
}


@dataclass
class Stub:
    """Counts what comes."""

    latency: float
    count: int = 0
    busiest_second: int = 0
    _recent: deque[float] = field(default_factory=deque)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                body = await reader.readexactly(await _length(reader))
                if request.startswith(b"POST"):
                    answer = self._take(body)
                    await asyncio.sleep(self.latency)
                else:
                    answer = {"count": self.count, "busiest_second": self.busiest_second}
                text = json.dumps(answer).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
                writer.write(head.encode() + text)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _take(self, body: bytes) -> dict[str, object]:
        now = time.monotonic()
        self.count += 1
        self._recent.append(now)
        while self._recent[0] < now - 1:
            self._recent.popleft()
        self.busiest_second = max(self.busiest_second, len(self._recent))
        # Postmark says for whom it took the message.
        to = json.loads(body)["To"] if body.startswith(b"{") and b'"To"' in body[:2000] else ""
        return {**ANSWER, "To": to}


async def _length(reader: asyncio.StreamReader) -> int:
    length = 0
    while (header := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = header.decode("latin-1").partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return length


@contextmanager
def provider_stub(*, latency_ms: int) -> Iterator[str]:
    """Run it in a process of its own; yields its address, with a slash at the end."""
    command = [sys.executable, "-m", "tests.benchmarks.provider_stub", str(latency_ms)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


def ask_stub(address: str) -> dict[str, int]:
    """What came so far."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=5) as answer:
        found: dict[str, int] = json.load(answer)
        return found


async def _serve(latency_ms: int) -> None:
    stub = Stub(latency_ms / 1000)
    server = await asyncio.start_server(stub.talk, "127.0.0.1", 0, limit=2**20, backlog=256)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    parent = os.getppid()
    async with server:
        while os.getppid() == parent:
            await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

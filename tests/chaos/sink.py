"""What the SMTP sink and the HTTP sink share: the log of what happened, the stops at which a client can be killed, and
the control socket over which the harness talks to them, one JSON object a line.

The log is append-only, one fact a line (`arrived`, `never`, `later` or the kind of silence; the mail's opaque id; its
recipient), written by one `write` before the client gets its answer. So a message that was answered is in the log.
"""

import argparse
import asyncio
import contextlib
import json
import os
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.faults import AMBIGUOUS, TAKEN, Dice, Fate, Faults

# Nobody waits for ever, also where the harness that holds us up was killed.
LONGEST_STOP = 20.0


@dataclass
class Line:
    """One connection: the client's port, and the mail it is, or was last, about."""

    port: int
    recipient: str = ""
    stage: str = ""


class Sink(ABC):
    """A server that takes mail and can be told to misbehave."""

    def __init__(self, *, folder: Path, faults: Faults) -> None:
        self.dice = Dice(faults)
        self.folder = folder
        self.lines: dict[int, Line] = {}
        self.stopped: Line | None = None
        self.closed = False  # refuses connections
        self._log = os.open(folder / "sink.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._stop_at = ""
        self._released = asyncio.Event()
        self._parent = os.getppid()

    @abstractmethod
    async def talk(self, line: Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""

    def write_down(self, fate: Fate, *, public_id: str, recipient: str) -> None:
        """Note what becomes of a message, before anybody is told."""
        facts = [fate.value] if fate != Fate.TAKEN else []
        if fate in TAKEN:
            facts.append("arrived")
        text = "".join(f"{fact}\t{public_id}\t{recipient}\n" for fact in facts)
        os.write(self._log, text.encode())

    async def may_stop(self, stage: str, line: Line) -> None:
        """Wait here, if the harness ordered a stop at this stage, until it says go on."""
        line.stage = stage
        if self._stop_at != stage:
            return
        self._stop_at = ""
        self.stopped = line
        self._released.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._released.wait(), LONGEST_STOP)
        self.stopped = None

    async def fall_silent(self, fate: Fate) -> None:
        """What stands in place of an answer: nothing at once, or nothing for long."""
        assert fate in AMBIGUOUS
        if fate in {Fate.HANG, Fate.HANG_UNTAKEN}:
            await asyncio.sleep(self.dice.faults.hang_seconds)

    async def serve(self, *, host: str, port: int) -> None:
        """Run until the parent is gone."""
        server = await asyncio.start_server(self._connected, host, port, limit=2**22, backlog=1024)
        control = await asyncio.start_unix_server(self._obey, self.folder / "control.sock")
        (self.folder / "port").write_text(str(server.sockets[0].getsockname()[1]))
        async with server, control:
            while os.getppid() == self._parent:
                await asyncio.sleep(0.5)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(port=writer.get_extra_info("peername")[1])
        async with _closing(writer):
            if self.closed:
                return
            self.lines[line.port] = line
            try:
                await self.talk(line, reader, writer)
            finally:
                self.lines.pop(line.port, None)

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            while order := await reader.readline():
                answer = self._do(**json.loads(order))
                # Whoever was let go has done the next step when the answer comes.
                await asyncio.sleep(0.02)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()

    def _do(self, *, order: str, value: Any = None) -> Any:
        match order:
            case "stop at":
                self._stop_at = value
            case "stopped":
                return self.stopped and [self.stopped.port, self.stopped.recipient]
            case "go on":
                self._stop_at = ""
                self._released.set()
            case "lines":
                return [[line.port, line.recipient] for line in self.lines.values()]
            case "fates":
                self.dice.ordered += [Fate(name) for name in value]
            case "closed":
                self.closed = value
            case _:
                raise AssertionError(order)
        return None


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Whatever the client did, its connection ends, at once and without a word."""
    try:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            yield
    finally:
        writer.transport.abort()


def run(kind: type[Sink]) -> None:
    """The command line of both sinks: --folder F [--host H] [--port P] [--faults JSON]."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--faults", type=json.loads, default={})
    options = parser.parse_args()

    async def serve() -> None:
        sink = kind(folder=options.folder, faults=Faults(**options.faults))
        await sink.serve(host=options.host, port=options.port)

    asyncio.run(serve())

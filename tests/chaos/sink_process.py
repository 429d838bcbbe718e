"""A sink as the harness sees it: a process of its own, its control socket, and its log read back."""

import json
import socket
import sys
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from tests.chaos.faults import AMBIGUOUS, Fate, Faults
from tests.chaos.processes import Processes, wait_for


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What a sink says happened, by recipient."""

    arrived: Counter[str]
    refused: frozenset[str]
    ambiguous: int
    later: int

    def only(self, recipients: set[str]) -> "Arrivals":
        """What is about these alone; counts that name nobody stay."""
        arrived = Counter({address: count for address, count in self.arrived.items() if address in recipients})
        return replace(self, arrived=arrived, refused=self.refused & recipients)


class SinkProcess:
    """`kind` is smtp or http."""

    def __init__(
        self, kind: str, *, folder: Path, processes: Processes, faults: Faults, host: str = "127.0.0.1", netns: str = ""
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.host = folder, host
        command = (sys.executable, "-m", f"tests.chaos.{kind}_sink", "--folder", str(folder), "--host", host)
        inside = ("ip", "netns", "exec", netns) if netns else ()
        processes.start(f"sink-{kind}", (*inside, *command, "--faults", json.dumps(asdict(faults))), env={})
        port = wait_for(lambda: (folder / "port").exists() and (folder / "port").read_text(), seconds=20)
        assert port, "the sink does not start"
        self.port = int(port)
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(10)
        self._control.connect(str(folder / "control.sock"))
        self._answers = self._control.makefile("rb")

    def ask(self, order: str, value: Any = None) -> Any:
        """One order; what it is about says `sink.Sink`."""
        self._control.sendall(json.dumps({"order": order, "value": value}).encode() + b"\n")
        return json.loads(self._answers.readline())

    def recipients(self) -> dict[int, str]:
        """For each open connection, by the client's port, whom its last mail is to."""
        return {port: recipient for port, recipient in self.ask("lines") if recipient}

    def arrivals(self) -> Arrivals:
        """The log so far."""
        facts = [line.split("\t") for line in (self.folder / "sink.log").read_text().splitlines()]
        return Arrivals(
            arrived=Counter(recipient for fact, _, recipient in facts if fact == "arrived"),
            refused=frozenset(recipient for fact, _, recipient in facts if fact == Fate.NEVER),
            ambiguous=sum(fact in AMBIGUOUS for fact, _, _ in facts),
            later=sum(fact == Fate.LATER for fact, _, _ in facts),
        )

    def close(self) -> None:
        self._answers.close()
        self._control.close()

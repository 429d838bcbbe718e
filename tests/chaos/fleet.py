"""The fleet of a run: Valkey, workers with their pool children, beats. And the ways in which they are hurt."""

import contextlib
import json
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from config.valkey import find_valkey, is_valkey_up, valkey_command, valkey_url
from tests.chaos.journal import Journal
from tests.chaos.processes import Processes, freeze, members_of, ports_of, wait_for
from tests.chaos.sink_process import SinkProcess

FAKETIME = Path(os.environ.get("CHAOS_FAKETIME", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"))
A_DAY_AND_AN_HOUR = 25 * 3600


@dataclass
class Fleet:
    """Everything that runs on our side of the send. `folder` is short enough for Valkey's socket."""

    processes: Processes
    env: dict[str, str]
    folder: Path
    workers: list[Popen[bytes]] = field(default_factory=list)
    concurrency: int = 2
    _a_day_ahead: set[int] = field(default_factory=set)
    _valkey: Popen[bytes] | None = None

    def start(self, *, workers: int, beats: int, clocks_differ: bool) -> None:
        """Start everything. Where `clocks_differ`, the last worker and the last beat live a day ahead."""
        self.env["REDIS_URL"] = valkey_url(self.folder)
        self.start_valkey()
        self._a_day_ahead = {workers - 1} if clocks_differ else set()
        self.workers = [self.start_worker(number) for number in range(workers)]
        for number in range(beats):
            schedule = str(self.folder / f"beat-{number}")
            command = ("-m", "celery", "-A", "tests.chaos.app", "beat", "--pidfile", "", "--schedule", schedule)
            shifted = clocks_differ and number == beats - 1
            env = {**self.env, **(faked_clock() if shifted else {})}
            self.processes.start(f"beat-{number}", (sys.executable, *command, "-l", "WARNING"), env=env)

    def start_worker(self, number: int, *, inside: tuple[str, ...] = ()) -> Popen[bytes]:
        """A worker of `concurrency` pool children; `inside` is what to start it in."""
        options = ("--concurrency", str(self.concurrency), "--without-gossip", "--without-mingle", "-l", "WARNING")
        command = (sys.executable, "-m", "celery", "-A", "tests.chaos.app", "worker", *options, "-n", f"w{number}@%h")
        shift = {"CHAOS_CLOCK_SHIFT": str(A_DAY_AND_AN_HOUR)} if number in self._a_day_ahead else {}
        env = {**self.env, **shift}
        return self.processes.start(f"worker-{number}", (*inside, *command), env=env)

    def start_valkey(self) -> None:
        """Start the broker, empty, and wait until it answers."""
        self._valkey = self.processes.start("valkey", valkey_command(find_valkey(), folder=self.folder), env=self.env)
        assert wait_for(lambda: is_valkey_up(self.folder), seconds=15), "Valkey does not start"

    def restart_valkey(self) -> None:
        """Kill the broker; it keeps nothing on disk."""
        assert self._valkey
        self.processes.kill_group(self._valkey)
        self.start_valkey()

    def flush_valkey(self) -> None:
        """Empty the queues under everybody's hands."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(self.folder / "valkey.sock"))
            connection.sendall(b"FLUSHALL\r\n")
            connection.recv(16)

    def replace_the_dead(self) -> None:
        """A worker whose main process is gone is started again, as its host's supervisor would; its orphans live on."""
        for number, worker in enumerate(self.workers):
            if worker.poll() is not None:
                self.workers[number] = self.start_worker(number)

    def owner_of(self, port: int) -> int:
        """The process that holds this local port, or 0."""
        return next((pid for pid in self.processes.members() if port in ports_of(pid)), 0)

    def kill(self, victims: list[int], *, sink: SinkProcess, journal: Journal, answer_first: bool = False) -> int:
        """Freeze these processes, ask the journal what they hold, kill them. Returns how many held a mail begun.

        With `answer_first`, the sink gives the answer it was holding back to the frozen client.
        """
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                freeze(pid)
        if answer_first:
            sink.ask("go on")
        holding = sum(bool(self._held_by(pid, sink=sink, journal=journal)) for pid in victims)
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sink.ask("go on")
        return holding

    def group_of(self, pid: int) -> list[int]:
        """The pool child's whole worker: main process and children."""
        return members_of(os.getpgid(pid))

    def main_of(self, pid: int) -> int:
        """The main process of a pool child's worker, dead or alive."""
        return os.getpgid(pid)

    def _held_by(self, pid: int, *, sink: SinkProcess, journal: Journal) -> list[int]:
        """The deliveries this frozen process has begun and not recorded.

        They are those whose recipient the sink last saw on one of its connections, and those of the task it was at
        that the sink saw on nobody else's.
        """
        recipients = sink.recipients()
        mine = {recipients[port] for port in ports_of(pid) if port in recipients}
        others = set(recipients.values()) - mine
        path = self.folder / f"{pid}.ids"
        in_hand = set(json.loads(path.read_text())) if path.exists() else set()
        begun = journal.rows(only="d.state = 'handing_over' or (d.state = 'unknown' and d.claim_token <> '')")
        return [
            row.id
            for row in begun
            if row.recipient in mine
            or (row.state == "handing_over" and row.id in in_hand and row.recipient not in others)
        ]


def faked_clock() -> dict[str, str]:
    """The environment of a process that lives a day ahead: by libfaketime where it is at hand, else by our own app."""
    if FAKETIME.exists():
        # With the monotonic clock left alone, Python's `sleep` fails: it sleeps until an instant of that clock.
        return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+{A_DAY_AND_AN_HOUR}s"}
    return {"CHAOS_CLOCK_SHIFT": str(A_DAY_AND_AN_HOUR)}

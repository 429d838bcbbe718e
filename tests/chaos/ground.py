"""What runs with several hosts share: a network of their own, and in its centre PostgreSQL, Valkey, a mail server and
beat, which every host reaches under its own address.

A run is started anew inside a network namespace, where nothing but its hosts is to be reached: `run_inside` is called
by whoever wants a result, `main` by what runs in there.
"""

import argparse
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from config.valkey import find_valkey, is_valkey_up, socket_folder, valkey_command
from tests.chaos.books import Comparison
from tests.chaos.conductor import Result, prepare_crowd
from tests.chaos.faults import Faults
from tests.chaos.fleet import Fleet
from tests.chaos.journal import OPEN, Journal
from tests.chaos.network import Host, centre, check_network, hosts
from tests.chaos.processes import REPOSITORY, Processes, members_of, ports_of, wait_for
from tests.chaos.sink_process import SinkProcess
from tests.durable_postgres import Postgres, durable_postgres
from tests.with_postgres import production_env

VALKEY_PORT, POSTGRES_PORT = 6379, 5432
# Longer than a lease of this run (`prepare.LEASE_SECONDS`).
AWAY_SECONDS = 12.0
TRIES = 20


@dataclass
class Ground:
    """Everything of the run, and what is still to happen at which instant."""

    network: list[Host]
    fleet: Fleet
    sink: SinkProcess
    journal: Journal
    postgres: Postgres
    connections: int
    env: dict[str, str]
    # By the number of the host.
    workers: dict[int, Popen[bytes]] = field(default_factory=dict)
    kills: int = 0
    # Mails that were in somebody's hand when he went: their fate may stay unknown.
    left_behind: int = 0
    _valkey: Popen[bytes] | None = None
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def env_at(self, centre_address: str) -> dict[str, str]:
        """The product's environment on a host that finds the centre there."""
        where = {
            "REDIS_URL": f"redis://{centre_address}:{VALKEY_PORT}/0",
            "EMAIL_HOST": centre_address,
            "EMAIL_PORT": str(self.sink.port),
        }
        url = f"postgresql://postgres@{centre_address}:{POSTGRES_PORT}/postgres"
        return production_env(env={**self.env, **where}, database_url=url)

    def start_valkey(self) -> None:
        """Start it, empty: it keeps nothing on disk."""
        open_to_hosts = ("--port", str(VALKEY_PORT), "--bind", "0.0.0.0", "--protected-mode", "no")
        command = (*valkey_command(find_valkey(), folder=self.fleet.folder), *open_to_hosts)
        self._valkey = self.fleet.processes.start("valkey", command, env=self.env)
        assert wait_for(lambda: is_valkey_up(self.fleet.folder), seconds=15), "Valkey does not start"

    def kill_valkey(self) -> None:
        assert self._valkey
        self.fleet.processes.kill_group(self._valkey)

    def start_beat(self) -> None:
        """In the centre."""
        schedule = ("--pidfile", "", "--schedule", str(self.fleet.folder / "beat"))
        command = (sys.executable, "-m", "celery", "-A", "tests.chaos.app", "beat", *schedule)
        self.fleet.processes.start("beat", command, env=self.env_at("127.0.0.1"))

    def start_worker(self, number: int) -> None:
        """On the host of that number."""
        host = self.network[number]
        self.fleet.env = self.env_at(host.centre)
        self.workers[number] = self.fleet.start_worker(number, inside=host.inside)

    def cut_off_in_the_middle(self, number: int) -> bool:
        """The cable is out for longer than a lease: what was begun there is unknown until the host is back."""
        if not self._catch(number):
            return False
        host = self.network[number]
        host.cut()
        self.sink.ask("go on")
        self.left_behind += self.most_in_hand
        self.after(AWAY_SECONDS, host.mend)
        return True

    def freeze_in_the_middle(self, number: int) -> bool:
        """The whole host sleeps longer than a lease (as a virtual machine that is moved does), wakes, and goes on."""
        if not self._catch(number):
            return False
        group = self.workers[number].pid
        os.killpg(group, signal.SIGSTOP)
        self.sink.ask("go on")
        self.left_behind += self.most_in_hand
        self.after(AWAY_SECONDS, lambda: os.killpg(group, signal.SIGCONT))
        return True

    def kill_in_the_middle(self, number: int) -> bool:
        """Every process of the host is killed."""
        if not self._catch(number):
            return False
        victims = members_of(self.workers[number].pid)
        self.kills += self.fleet.kill(victims, sink=self.sink, journal=self.journal)
        return True

    @property
    def most_in_hand(self) -> int:
        """How many mails one host can have begun and not heard of."""
        return self.fleet.concurrency * self.connections

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, act))

    def do_what_is_due(self) -> None:
        for entry in list(self._later):
            if entry[0] <= time.monotonic():
                self._later.remove(entry)
                entry[1]()

    @property
    def is_quiet(self) -> bool:
        """Nothing is broken that is still to be mended."""
        return not self._later

    def settled(self) -> tuple[Counter[str], int]:
        """How many digests are in each state, and how many of them are settled."""
        counts = self.journal.count_rows()
        return counts, counts.total() - sum(counts[state] for state in OPEN)

    def result(self, name: str, *, books: Comparison, seconds: float, complaints: list[str]) -> Result:
        """What came of it, with what the books say against it."""
        if books.lost or books.duplicates or not books.balanced:
            complaints = [*complaints, "a promise is broken", *books.oddities]
        if books.unknown > self.connections * self.kills + self.left_behind:
            complaints = [*complaints, f"{books.unknown} are unknown, more than the hosts that went explain"]
        return Result(
            name=name,
            books=books,
            kills=self.kills,
            ambiguous=self.left_behind,
            connections=self.connections,
            seconds=seconds,
            complaints=tuple(complaints),
        )

    def _catch(self, number: int) -> bool:
        """Hold a hand-off of this host at the moment its mail was taken and not yet answered. False: none came by."""
        for _ in range(TRIES):
            self.sink.ask("stop at", "taken")
            stopped = wait_for(lambda: self.sink.ask("stopped"), seconds=3)
            members = members_of(self.workers[number].pid)
            if stopped and any(stopped[0] in ports_of(pid) for pid in members):
                return True
            self.sink.ask("go on")
        return False


@contextmanager
def ground(*, hosts_wanted: int, digests: int, delay: tuple[float, float], env: Mapping[str, str]) -> Iterator[Ground]:
    """The centre with a crowd of `digests` readers who are due, and hosts on which nothing runs yet.

    `delay` is how long the mail server takes over an answer, in seconds, from and to. `env` adds to the environment.
    """
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="papers-chaos-")))
        folder = stack.enter_context(socket_folder())
        postgres = stack.enter_context(durable_postgres(extra=_open_to_hosts(work)))
        whole_env = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "VAR_DIR": str(work / "var"),
            "OFFLINE": "1",
            "LOG_LEVEL": "WARNING",
            "CHAOS_FOLDER": str(folder),
            "CHAOS_TWICE": "1",
            # Small bells and few, slow lines, so that each host has something in hand when its trouble comes.
            "CHAOS_BATCH": "25",
            "SEND_CONNECTIONS": "2",
            "EMAIL_USE_TLS": "0",
            **{name: value for name, value in os.environ.items() if name.startswith("SEND_")},
            **env,
        }
        facts = prepare_crowd(production_env(env=whole_env, database_url=postgres.url), digests=digests)
        network = stack.enter_context(hosts(hosts_wanted))
        processes = stack.enter_context(Processes(log_dir=work))
        sink = SinkProcess(
            "smtp", folder=folder / "sink", processes=processes, faults=Faults(delay=delay), host="0.0.0.0"
        )
        stack.enter_context(contextlib.closing(sink))
        journal = stack.enter_context(contextlib.closing(Journal(postgres.url)))
        fleet = Fleet(processes=processes, env={}, folder=folder)
        yield Ground(network, fleet, sink, journal, postgres, facts["connections"], whole_env)


def _open_to_hosts(work: Path) -> dict[str, str]:
    """Settings with which PostgreSQL listens to the hosts, too."""
    work.chmod(0o755)
    rules = work / "hba.conf"
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all 10.77.0.0/16 trust\n")
    rules.chmod(0o644)
    return {"listen_addresses": "*", "port": str(POSTGRES_PORT), "hba_file": str(rules)}


def run_inside(module: str, *, digests: int, say: Callable[[str], None]) -> Result:
    """Run this module in a namespace of its own. Raises NoNetworkError where that cannot be."""
    check_network()
    with centre() as inside, tempfile.TemporaryDirectory(prefix="papers-hosts-") as folder:
        result = Path(folder) / "result"
        command = (*inside, sys.executable, "-m", module, "--digests", str(digests), "--result", result)
        with Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                say(line.strip())
        assert process.returncode == 0, f"the run with hosts ended with {process.returncode}"
        found: Result = pickle.loads(result.read_bytes())  # noqa: S301 - written by ourselves a moment ago
        return found


def main(run: Callable[[int], Result]) -> None:
    """What runs inside the namespace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--digests", type=int, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options.result.write_bytes(pickle.dumps(run(options.digests)))


def show(text: str) -> None:
    """A line for whoever called `run_inside`."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()

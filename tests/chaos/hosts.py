"""Scale out: workers on four hosts, one PostgreSQL, one Valkey, one mail server. One host has a thin line, one is cut
off in the middle of its hand-offs and comes back, one stands still for longer than its lease, one dies.

`run_hosts` starts this module again inside a network namespace, where nothing but these hosts is to be reached:
python -m tests.chaos.hosts --digests N --result FILE
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
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

from config.valkey import find_valkey, is_valkey_up, socket_folder, valkey_command
from tests.chaos.books import compare
from tests.chaos.conductor import Result, prepare_crowd
from tests.chaos.faults import Faults
from tests.chaos.fleet import Fleet
from tests.chaos.journal import OPEN, Journal
from tests.chaos.network import Host, centre, check_network, hosts
from tests.chaos.processes import REPOSITORY, Processes, members_of, ports_of, wait_for
from tests.chaos.sink_process import SinkProcess
from tests.durable_postgres import durable_postgres
from tests.with_postgres import production_env

NAME = "four hosts, SMTP, PostgreSQL"
SHARE = 0.06
THIN, CUT, STILL, DYING = range(4)
VALKEY_PORT, POSTGRES_PORT = 6379, 5432
# Longer than a lease of this run (`prepare.LEASE_SECONDS`).
AWAY_SECONDS = 12.0
SECONDS_AT_MOST, SECONDS_A_DIGEST = 150.0, 0.1
TRIES = 20
PROMISED = {"cut off", "stands still", "dies"}


@dataclass
class Scene:
    """Everything of the run, and what is still to happen at which instant."""

    network: list[Host]
    workers: list[Popen[bytes]]
    fleet: Fleet
    sink: SinkProcess
    journal: Journal
    connections: int
    kills: int = 0
    left_behind: int = 0
    happened: set[str] = field(default_factory=set)
    _later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        self._later.append((time.monotonic() + seconds, act))

    def do_what_is_due(self) -> None:
        for entry in list(self._later):
            if entry[0] <= time.monotonic():
                self._later.remove(entry)
                entry[1]()

    @property
    def is_quiet(self) -> bool:
        return not self._later


def run_hosts(*, digests: int, say: Callable[[str], None]) -> Result:
    """Run it in a namespace of its own. Raises NoNetworkError where that cannot be."""
    check_network()
    with centre() as inside, tempfile.TemporaryDirectory(prefix="papers-hosts-") as folder:
        result = Path(folder) / "result"
        command = (*inside, sys.executable, "-m", "tests.chaos.hosts", "--digests", str(digests), "--result", result)
        with Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            for line in process.stdout:
                say(line.strip())
        assert process.returncode == 0, f"the run with hosts ended with {process.returncode}"
        found: Result = pickle.loads(result.read_bytes())  # noqa: S301 - written by ourselves a moment ago
        return found


def _run(*, digests: int) -> Result:
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="papers-chaos-")))
        folder = stack.enter_context(socket_folder())
        postgres = stack.enter_context(durable_postgres(extra=_open_to_hosts(work)))
        env = {
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
        }
        facts = prepare_crowd(production_env(env=env, database_url=postgres.url), digests=digests)
        network = stack.enter_context(hosts(4))
        processes = stack.enter_context(Processes(log_dir=work))
        sink = SinkProcess(
            "smtp", folder=folder / "sink", processes=processes, faults=Faults(delay=(0.1, 0.3)), host="0.0.0.0"
        )
        stack.enter_context(contextlib.closing(sink))
        journal = stack.enter_context(contextlib.closing(Journal(postgres.url)))
        fleet = Fleet(processes=processes, env={}, folder=folder)
        scene = Scene(network, [], fleet, sink, journal, connections=facts["connections"])
        _start(scene, env=env)
        started = time.monotonic()
        complaints = _conduct(scene, digests=digests)
        return _result(scene, seconds=time.monotonic() - started, complaints=complaints)


def _start(scene: Scene, *, env: dict[str, str]) -> None:
    """Valkey and a beat in the centre, a worker on each host."""
    open_to_hosts = ("--port", str(VALKEY_PORT), "--bind", "0.0.0.0", "--protected-mode", "no")
    processes, folder = scene.fleet.processes, scene.fleet.folder
    processes.start("valkey", (*valkey_command(find_valkey(), folder=folder), *open_to_hosts), env=env)
    assert wait_for(lambda: is_valkey_up(folder), seconds=15), "Valkey does not start"
    for number, host in enumerate(scene.network):
        scene.fleet.env = _env_at(host.centre, env=env, sink=scene.sink)
        scene.workers.append(scene.fleet.start_worker(number, inside=host.inside))
    scene.network[THIN].slow_down(kilobits=2000)
    command = ("-m", "celery", "-A", "tests.chaos.app", "beat", "--pidfile", "", "--schedule", str(folder / "beat"))
    processes.start("beat", (sys.executable, *command), env=_env_at("127.0.0.1", env=env, sink=scene.sink))


def _env_at(centre_address: str, *, env: dict[str, str], sink: SinkProcess) -> dict[str, str]:
    where = {
        "REDIS_URL": f"redis://{centre_address}:{VALKEY_PORT}/0",
        "EMAIL_HOST": centre_address,
        "EMAIL_PORT": str(sink.port),
    }
    url = f"postgresql://postgres@{centre_address}:{POSTGRES_PORT}/postgres"
    return production_env(env={**env, **where}, database_url=url)


def _open_to_hosts(work: Path) -> dict[str, str]:
    """Settings with which PostgreSQL listens to the hosts, too."""
    work.chmod(0o755)
    rules = work / "hba.conf"
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all 10.77.0.0/16 trust\n")
    rules.chmod(0o644)
    return {"listen_addresses": "*", "port": str(POSTGRES_PORT), "hba_file": str(rules)}


def _conduct(scene: Scene, *, digests: int) -> list[str]:
    plan: dict[str, tuple[float, Callable[[Scene], bool]]] = {
        "cut off": (0.1, _cut_off),
        "stands still": (0.3, _stand_still),
        "dies": (0.5, _die),
    }
    until = time.monotonic() + SECONDS_AT_MOST + SECONDS_A_DIGEST * digests
    while time.monotonic() < until:
        scene.do_what_is_due()
        counts = scene.journal.count_rows()
        settled = counts.total() - sum(counts[state] for state in OPEN)
        sys.stdout.write(f"{NAME}: {settled} of {digests} settled, {', '.join(sorted(scene.happened)) or 'all well'}\n")
        sys.stdout.flush()
        if counts.total() == digests == settled and scene.is_quiet:
            return [f"it never came to: {name}" for name in PROMISED - scene.happened]
        scene.journal.let_waiting_end()
        for name, (share, act) in plan.items():
            if name not in scene.happened and settled >= share * digests:
                if act(scene):
                    scene.happened.add(name)
                break
        time.sleep(0.2)
    return [f"not finished in time: {dict(counts)}"]


def _cut_off(scene: Scene) -> bool:
    """The cable is out for longer than a lease. What was begun there is unknown until the host is back and tells."""
    if not _catch(scene, CUT):
        return False
    host = scene.network[CUT]
    host.cut()
    scene.sink.ask("go on")
    scene.left_behind += _most_in_hand(scene)
    scene.after(AWAY_SECONDS, host.mend)
    return True


def _stand_still(scene: Scene) -> bool:
    """The whole host sleeps longer than a lease (as a virtual machine that is moved does), wakes, and goes on."""
    if not _catch(scene, STILL):
        return False
    group = scene.workers[STILL].pid
    os.killpg(group, signal.SIGSTOP)
    scene.sink.ask("go on")
    scene.left_behind += _most_in_hand(scene)
    scene.after(AWAY_SECONDS, lambda: os.killpg(group, signal.SIGCONT))
    return True


def _die(scene: Scene) -> bool:
    """Every process of the host is killed; nobody starts them again."""
    if not _catch(scene, DYING):
        return False
    victims = members_of(scene.workers[DYING].pid)
    scene.kills += scene.fleet.kill(victims, sink=scene.sink, journal=scene.journal)
    return True


def _catch(scene: Scene, number: int) -> bool:
    """Hold a hand-off of this host at the moment its mail was taken and not yet answered. False: none came by."""
    for _ in range(TRIES):
        scene.sink.ask("stop at", "taken")
        stopped = wait_for(lambda: scene.sink.ask("stopped"), seconds=3)
        members = members_of(scene.workers[number].pid)
        if stopped and any(stopped[0] in ports_of(pid) for pid in members):
            return True
        scene.sink.ask("go on")
    return False


def _most_in_hand(scene: Scene) -> int:
    return scene.fleet.concurrency * scene.connections


def _result(scene: Scene, *, seconds: float, complaints: list[str]) -> Result:
    books = compare(due=scene.journal.readers(), rows=scene.journal.rows(), arrivals=scene.sink.arrivals())
    if books.lost or books.duplicates or not books.balanced:
        complaints += ["a promise is broken", *books.oddities]
    if books.unknown > scene.connections * scene.kills + scene.left_behind:
        complaints.append(f"{books.unknown} are unknown, more than the hosts that went explain")
    return Result(
        name=NAME,
        books=books,
        kills=scene.kills,
        ambiguous=scene.left_behind,
        connections=scene.connections,
        seconds=seconds,
        complaints=tuple(complaints),
    )


def main() -> None:
    """What runs inside the namespace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--digests", type=int, required=True)
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options.result.write_bytes(pickle.dumps(_run(digests=options.digests)))


if __name__ == "__main__":
    main()

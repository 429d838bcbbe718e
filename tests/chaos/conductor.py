"""One run from start to comparison: the crowd is made, the fleet sends, the troubles come, the books are compared."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from config.valkey import socket_folder
from tests.chaos.books import Comparison, compare
from tests.chaos.fleet import Fleet
from tests.chaos.journal import OPEN, Journal
from tests.chaos.processes import REPOSITORY, Processes
from tests.chaos.scenarios import Scenario
from tests.chaos.sink_process import SinkProcess
from tests.chaos.trouble import Stage, Trouble
from tests.durable_postgres import Postgres, durable_postgres
from tests.with_postgres import production_env

# However slow the machine: a run of n digests ends after this, well or badly.
SECONDS_AT_MOST, SECONDS_A_DIGEST = 150.0, 0.06
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run."""

    name: str
    books: Comparison
    kills: int
    ambiguous: int
    connections: int
    seconds: float
    complaints: tuple[str, ...]


def run_scenario(scenario: Scenario, *, digests: int, say: Callable[[str], None], keep: Path | None = None) -> Result:
    """Run it with that many digests. `say` gets the progress as text; logs stay in `keep`, where given."""
    with ExitStack() as stack:
        work = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="papers-chaos-")))
        work.mkdir(parents=True, exist_ok=True)
        folder = stack.enter_context(socket_folder())
        env, url, postgres = stack.enter_context(_database(scenario, work=work))
        env |= {"CHAOS_FOLDER": str(folder), **({"CHAOS_TWICE": "1"} if scenario.twice else {})}
        facts = prepare_crowd(env, digests=digests)
        processes = stack.enter_context(Processes(log_dir=work))
        sink = stack.enter_context(
            contextlib.closing(
                SinkProcess(scenario.sink, folder=folder / "sink", processes=processes, faults=scenario.faults)
            )
        )
        fleet = Fleet(processes=processes, env=env | _provider(scenario, sink=sink), folder=folder)
        journal = stack.enter_context(contextlib.closing(Journal(url)))
        stage = Stage(fleet, sink, journal, postgres, connections=facts["connections"])
        started = time.monotonic()
        fleet.start(workers=scenario.workers, beats=scenario.beats, clocks_differ=scenario.clocks_differ)
        complaints = _conduct(scenario, stage=stage, digests=digests, say=say)
        seconds = time.monotonic() - started
        return judge_run(scenario, stage=stage, seconds=seconds, complaints=complaints)


def _conduct(scenario: Scenario, *, stage: Stage, digests: int, say: Callable[[str], None]) -> list[str]:
    """Let the send run to its end, and each trouble come in its time. Returns what is to be complained of."""
    waiting = sorted(scenario.troubles, key=lambda trouble: trouble.at)
    until = time.monotonic() + SECONDS_AT_MOST + SECONDS_A_DIGEST * digests
    while time.monotonic() < until:
        stage.fleet.replace_the_dead()
        counts = stage.journal.count_rows()
        settled = counts.total() - sum(counts[state] for state in OPEN)
        ready = [trouble for trouble in waiting if trouble.at * digests <= settled]
        say(f"{scenario.name}: {settled} of {digests} settled, {stage.kills} kills{_next(ready)}")
        if counts.total() == digests == settled:
            return [f"there was no time left for: {trouble.name}" for trouble in waiting]
        stage.journal.let_waiting_end()
        for trouble in ready[:1]:
            if trouble.step(stage):
                waiting.remove(trouble)
        time.sleep(POLL_SECONDS)
    return [f"not finished in time: {dict(counts)}"]


def _next(ready: list[Trouble]) -> str:
    return f", {ready[0].name}" if ready else ""


def judge_run(scenario: Scenario, *, stage: Stage, seconds: float, complaints: list[str]) -> Result:
    """The result of a run that came to its end, with what is to be complained of."""
    arrivals = stage.sink.arrivals()
    # The crowd was made due to the last reader, before anything ran.
    books = compare(due=stage.journal.readers(), rows=stage.journal.rows(), arrivals=arrivals)
    ambiguous = arrivals.ambiguous + min(stage.unanswered_commits, _most_in_flight(scenario, stage))
    if books.lost or books.duplicates or not books.balanced:
        complaints += ["a promise is broken", *books.oddities]
    if books.unknown > stage.connections * stage.kills + ambiguous:
        complaints.append(f"{books.unknown} are unknown, more than kills and silences explain")
    if books.given_up > stage.kills:
        # Each was alone in the hand of a worker that died; what is said of it must not hide anything else.
        complaints.append(f"{books.given_up} were given up, more than kills explain")
    if stage.kills < scenario.least_kills:
        complaints.append(f"only {stage.kills} kills fell between begin and record")
    return Result(
        name=scenario.name,
        books=books,
        kills=stage.kills,
        ambiguous=ambiguous,
        connections=stage.connections,
        seconds=seconds,
        complaints=tuple(complaints),
    )


def _most_in_flight(scenario: Scenario, stage: Stage) -> int:
    crashes = sum(trouble.name == "PostgreSQL crashed" for trouble in scenario.troubles)
    return crashes * scenario.workers * stage.fleet.concurrency * stage.connections


@contextlib.contextmanager
def _database(scenario: Scenario, *, work: Path) -> Iterator[tuple[dict[str, str], str, Postgres | None]]:
    """The environment of the product, the address for the journal, and the server where there is one."""
    env = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "VAR_DIR": str(work / "var"),
        "OFFLINE": "1",
        "LOG_LEVEL": "WARNING",
        **{name: value for name, value in os.environ.items() if name.startswith("SEND_")},
    }
    if scenario.database == "sqlite":
        (work / "var").mkdir()
        yield env, str(work / "var" / "db.sqlite3"), None
        return
    with durable_postgres() as postgres:
        yield production_env(env=env, database_url=postgres.url), postgres.url, postgres


def _provider(scenario: Scenario, *, sink: SinkProcess) -> dict[str, str]:
    if scenario.sink == "smtp":
        return {"EMAIL_PROVIDER": "smtp", "EMAIL_HOST": sink.host, "EMAIL_PORT": str(sink.port)}
    return {
        "EMAIL_PROVIDER": "postmark",
        "ANYMAIL_POSTMARK_SERVER_TOKEN": "made-up-token",
        "ANYMAIL_POSTMARK_API_URL": f"http://{sink.host}:{sink.port}/",
        "WEBHOOK_SECRET": "made-up-user:made-up-password-3f9c1d7e5a",
    }


def prepare_crowd(env: dict[str, str], *, digests: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.prepare", str(digests)],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return facts

"""The troubles of a run, each a step the harness takes when the send has come far enough."""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.chaos.faults import Fate
from tests.chaos.fleet import Fleet
from tests.chaos.journal import Journal
from tests.chaos.processes import members_of, wait_for
from tests.chaos.sink_process import SinkProcess
from tests.durable_postgres import Postgres

# Where a client is killed, as the sinks call it; "answered" is `taken` with the answer given to a frozen client.
SMTP_STAGES = ("mail", "rcpt", "data", "untaken", "taken", "answered")
HTTP_STAGES = ("untaken", "taken", "answered")
STOP_SECONDS = 3.0


@dataclass
class Stage:
    """All the parts of a run that can be hurt, and how often they were."""

    fleet: Fleet
    sink: SinkProcess
    journal: Journal
    postgres: Postgres | None
    connections: int
    kills: int = 0
    unanswered_commits: int = 0
    notes: list[str] = field(default_factory=list)


Step = Callable[[Stage], bool]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens, and at which share of the send. `step` says whether it came about; if not, it is tried again."""

    at: float
    name: str
    step: Step


def kill_child(stage: str) -> Step:
    """KILL the pool child that is in the middle of a hand-off, at this stage of it."""
    return lambda run: _kill(run, stage=stage, whole_worker=False)


def kill_worker(stage: str) -> Step:
    """KILL the whole worker of that child, as when a host dies."""
    return lambda run: _kill(run, stage=stage, whole_worker=True)


def kill_main(run: Stage) -> bool:
    """KILL a main process alone: its children are orphans, and what they have in hand is not lost yet."""
    worker = run.fleet.workers[0]
    return run.fleet.kill([worker.pid], sink=run.sink, journal=run.journal) == 0


def kill_planner(run: Stage) -> bool:
    """KILL every worker while readers are being planned: some have a delivery and the rest are still due."""
    if not run.journal.count_rows():
        return False
    victims = [pid for worker in run.fleet.workers for pid in members_of(worker.pid)]
    run.kills += run.fleet.kill(victims, sink=run.sink, journal=run.journal)
    return True


def restart_valkey(run: Stage) -> bool:
    run.fleet.restart_valkey()
    return True


def flush_valkey(run: Stage) -> bool:
    run.fleet.flush_valkey()
    return True


def restart_postgres(run: Stage) -> bool:
    """Crash the database. A begin or a result whose commit it swallowed the answer of is an ambiguous answer, too: at
    most one for each mail that stands begun when it is back."""
    assert run.postgres
    run.postgres.restart()
    run.unanswered_commits += run.journal.count_rows()["handing_over"]
    return True


def jump_an_hour(run: Stage) -> bool:
    run.journal.jump_an_hour()
    return True


def hang(run: Stage) -> bool:
    """Two mails get no answer until the client gives up."""
    run.sink.ask("fates", [Fate.HANG, Fate.HANG_UNTAKEN])
    return True


def cut(run: Stage) -> bool:
    """Two mails get a cut connection in place of the answer to the final dot."""
    run.sink.ask("fates", [Fate.CUT, Fate.CUT_UNTAKEN])
    return True


def close_the_door(run: Stage) -> bool:
    run.sink.ask("closed", True)
    return True


def open_the_door(run: Stage) -> bool:
    run.sink.ask("closed", False)
    return True


def _kill(run: Stage, *, stage: str, whole_worker: bool) -> bool:
    run.sink.ask("stop at", "taken" if stage == "answered" else stage)
    stopped = wait_for(lambda: run.sink.ask("stopped"), seconds=STOP_SECONDS)
    owner = run.fleet.owner_of(stopped[0]) if stopped else 0
    if not owner:
        run.sink.ask("go on")
        return False
    victims = run.fleet.group_of(owner) if whole_worker else [owner]
    holding = run.fleet.kill(victims, sink=run.sink, journal=run.journal, answer_first=stage == "answered")
    run.kills += holding
    return holding > 0

"""Which runs there are: what sends where, and what goes wrong meanwhile."""

import itertools
from dataclasses import dataclass, field

from tests.chaos import trouble
from tests.chaos.faults import Faults
from tests.chaos.trouble import HTTP_STAGES, SMTP_STAGES, Trouble


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. `share` is its part of the number of digests that was asked for."""

    name: str
    database: str  # postgres or sqlite
    sink: str  # smtp or http
    share: float
    faults: Faults = field(default_factory=Faults)
    troubles: tuple[Trouble, ...] = ()
    workers: int = 2
    beats: int = 1
    twice: bool = False
    clocks_differ: bool = False
    least_kills: int = 0


BAD_ANSWERS = Faults(never=0.01, later=0.02, cut=0.002)


def spread(steps: list[tuple[str, trouble.Step]], *, start: float, end: float) -> tuple[Trouble, ...]:
    """These steps, evenly over a part of the send."""
    gap = (end - start) / max(len(steps), 1)
    return tuple(Trouble(start + number * gap, name, step) for number, (name, step) in enumerate(steps))


def kills(count: int, *, stages: tuple[str, ...], whole_every: int = 6) -> tuple[Trouble, ...]:
    """`count` kills in the middle of a hand-off, over all stages; every sixth takes the whole worker."""
    steps = []
    for number, stage in zip(range(count), itertools.cycle(stages), strict=False):
        if number % whole_every == whole_every - 1:
            steps.append((f"worker killed at {stage}", trouble.kill_worker(stage)))
        else:
            steps.append((f"child killed at {stage}", trouble.kill_child(stage)))
    return spread(steps, start=0.02, end=0.9)


SILENCES = (
    Trouble(0.06, "sink hangs", trouble.hang),
    Trouble(0.12, "sink cuts", trouble.cut),
    Trouble(0.22, "sink refuses connections", trouble.close_the_door),
    Trouble(0.22, "sink takes connections", trouble.open_the_door),
)
QUEUE = (
    Trouble(0.15, "Valkey killed", trouble.restart_valkey),
    Trouble(0.35, "Valkey flushed", trouble.flush_valkey),
    Trouble(0.55, "Valkey killed", trouble.restart_valkey),
    Trouble(0.75, "Valkey flushed", trouble.flush_valkey),
)
DATABASE = (
    Trouble(0.3, "PostgreSQL crashed", trouble.restart_postgres),
    Trouble(0.65, "PostgreSQL crashed", trouble.restart_postgres),
)
PLANNING = (Trouble(0.0, "workers killed while planning", trouble.kill_planner),)
CLOCK = (Trouble(0.45, "the clock jumps an hour", trouble.jump_an_hour),)
ORPHANS = (
    Trouble(0.25, "main process killed", trouble.kill_main),
    Trouble(0.7, "main process killed", trouble.kill_main),
)

ALL = (
    Scenario(
        name="everything, SMTP, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=1.0,
        faults=BAD_ANSWERS,
        troubles=(*kills(34, stages=SMTP_STAGES), *SILENCES, *QUEUE, *DATABASE, *CLOCK, *ORPHANS, *PLANNING),
        beats=2,
        twice=True,
        clocks_differ=True,
        least_kills=30,
    ),
    Scenario(
        name="everything, HTTP API, PostgreSQL",
        database="postgres",
        sink="http",
        share=0.3,
        faults=BAD_ANSWERS,
        troubles=(*kills(31, stages=HTTP_STAGES), *SILENCES, *QUEUE, *DATABASE, *CLOCK, *ORPHANS, *PLANNING),
        beats=2,
        twice=True,
        clocks_differ=True,
        least_kills=30,
    ),
    Scenario(
        name="everything, SMTP, SQLite",
        database="sqlite",
        sink="smtp",
        share=0.2,
        faults=BAD_ANSWERS,
        troubles=(*kills(12, stages=SMTP_STAGES), *SILENCES, *QUEUE, *CLOCK, *ORPHANS, *PLANNING),
        beats=2,
        twice=True,
        clocks_differ=True,
        least_kills=12,
    ),
    Scenario(
        name="kills alone, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=0.1,
        troubles=kills(12, stages=SMTP_STAGES),
        least_kills=12,
    ),
    Scenario(
        name="queue lost alone, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=0.1,
        troubles=QUEUE,
        twice=True,
    ),
    Scenario(
        name="database crashes alone, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=0.1,
        troubles=DATABASE,
    ),
    Scenario(
        name="bad answers alone, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=0.1,
        faults=Faults(never=0.05, later=0.1, cut=0.01),
        troubles=SILENCES,
    ),
)

# With so few mails, answers take long, so that there is still somebody to be killed.
SLOW_AND_BAD = Faults(never=0.02, later=0.02, cut=0.005, delay=(0.05, 0.15))

# What `make test` runs: a little of everything.
SHORT = (
    Scenario(
        name="SMTP, PostgreSQL",
        database="postgres",
        sink="smtp",
        share=1.0,
        faults=SLOW_AND_BAD,
        troubles=(
            *kills(6, stages=SMTP_STAGES),
            Trouble(0.1, "sink cuts", trouble.cut),
            Trouble(0.3, "Valkey killed", trouble.restart_valkey),
            Trouble(0.5, "PostgreSQL crashed", trouble.restart_postgres),
            Trouble(0.6, "Valkey flushed", trouble.flush_valkey),
        ),
        beats=2,
        twice=True,
        least_kills=6,
    ),
    Scenario(
        name="HTTP API, SQLite",
        database="sqlite",
        sink="http",
        share=1.0,
        faults=SLOW_AND_BAD,
        troubles=(
            *kills(3, stages=HTTP_STAGES),
            Trouble(0.1, "sink cuts", trouble.cut),
            Trouble(0.3, "Valkey flushed", trouble.flush_valkey),
            *CLOCK,
        ),
        beats=2,
        twice=True,
        least_kills=3,
    ),
)

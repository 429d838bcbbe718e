"""Two beats are started by mistake: one ticks, and where it is killed the other goes on."""

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.beat import LEASE_SECONDS, WAIT
from tests.journeys.machine import Machine, machine_with_queue, running, wait_for

pytestmark = pytest.mark.worker


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with machine_with_queue(tmp_path) as found:
        yield found


def test_of_two_beats_one_ticks_and_the_other_takes_over_from_a_killed_one(machine: Machine, tmp_path: Path):
    with running("beat-1", command(tmp_path / "one"), machine=machine) as first:
        wait_for(lambda: "this beat ticks now" in log(machine, "beat-1"), machine)
        with running("beat-2", command(tmp_path / "two"), machine=machine):
            wait_for(lambda: "beat: Starting" in log(machine, "beat-2"), machine)
            assert "Sending due task" not in log(machine, "beat-2")
            first.send_signal(signal.SIGKILL)
            first.wait(timeout=10)
            killed_at = time.monotonic()
            wait_for(lambda: "Sending due task" in log(machine, "beat-2"), machine)
            assert time.monotonic() - killed_at < LEASE_SECONDS + WAIT + 5
    assert "this beat ticks now" in log(machine, "beat-2")


def command(schedule: Path) -> tuple[str, ...]:
    """A beat as it is started on a host."""
    return (sys.executable, "-m", "celery", "-A", "config", "beat", "--loglevel", "INFO", "--schedule", str(schedule))


def log(machine: Machine, name: str) -> str:
    """What this process has said so far."""
    return (machine.var_dir / f"{name}.log").read_text(errors="replace")

"""Two beats are started by mistake: one ticks, and where it is killed the other goes on."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.beat import LEASE_SECONDS, WAIT
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from tests.journeys.test_worker import Machine, running, wait_for

pytestmark = pytest.mark.worker
MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        program = find_valkey()
    except NoValkeyError as error:
        pytest.skip(str(error))
    with socket_folder() as folder:
        env = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(tmp_path),
            "OFFLINE": "1",
            "REDIS_URL": valkey_url(folder),
        }
        found = Machine(tmp_path, env)
        with running("valkey", valkey_command(program, folder=folder), machine=found):
            wait_for(lambda: is_valkey_up(folder), found)
            found.do(MIGRATE)
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

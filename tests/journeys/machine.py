"""An installation of its own for a journey: a folder, a real Valkey, and whatever programs the journey starts."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.guard import end_group
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from mailer.outbox import StoredMail, list_mails

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
MIGRATE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
"""


@dataclass(frozen=True)
class Machine:
    """An installation of its own, whose programs run."""

    var_dir: Path
    env: dict[str, str]

    def do(self, code: str) -> None:
        """Run a few lines as the web server would."""
        whole = f"import django; django.setup()\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", whole], cwd=REPOSITORY, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def ask(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask, or change, the database of this installation."""
        with closing(sqlite3.connect(self.var_dir / "db.sqlite3", timeout=30)) as database, database:
            return database.execute(query, values).fetchall()

    def mails(self) -> list[StoredMail]:
        return list_mails(directory=self.var_dir / "outbox")

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.var_dir.glob("*.log")))


@contextmanager
def running(name: str, command: tuple[str, ...], *, machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    """A program of this machine until the end of the block; what it says goes into a log of its name."""
    with (machine.var_dir / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=machine.env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        end_group(process.pid, reap=process.poll)


def wait_for(is_true: Callable[[], Any], machine: Machine) -> Any:
    """What this gives once it is true; fails with the machine's logs where it never is."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := is_true()):
        assert time.monotonic() < until, machine.log()[-3000:]
        time.sleep(0.1)
    return found


@contextmanager
def machine_with_queue(folder: Path, **more: str) -> Iterator[Machine]:
    """A migrated machine whose queue runs, with `more` in its environment; skips the test where there is no Valkey."""
    try:
        program = find_valkey()
    except NoValkeyError as error:
        pytest.skip(str(error))
    with socket_folder() as sockets:
        env = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(folder),
            "OFFLINE": "1",
            "REDIS_URL": valkey_url(sockets),
            **more,
        }
        machine = Machine(folder, env)
        with running("valkey", valkey_command(program, folder=sockets), machine=machine):
            wait_for(lambda: is_valkey_up(sockets), machine)
            machine.do(MIGRATE)
            yield machine

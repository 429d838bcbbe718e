"""Unattended: a real worker and beat over a real Valkey and a database in a file, from a source to a digest."""

import datetime as dt
import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from config.guard import end_group
from config.local import worker_program
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from mailer.outbox import StoredMail, list_mails
from papers.sample.server import serve_sample

pytestmark = pytest.mark.worker
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60.0
PREPARE = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
from config.bootstrap import point_sample_at
point_sample_at({sample!r})
"""
SIGN_UP = """
from subscriptions.preferences import Preferences
from subscriptions.signup import request_subscription
from django.utils import timezone
chosen = Preferences(topics=("vision",), zone="Europe/Berlin")
request_subscription(address="ada@example.org", preferences=chosen, how="form", now=timezone.now())
"""
PRESS = """
from django.test import Client
reply = Client(SERVER_NAME="127.0.0.1").post({path!r}, {data!r})
assert reply.status_code == 200, reply
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
    with (machine.var_dir / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=machine.env, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield process
    finally:
        end_group(process.pid, reap=process.poll)


def wait_for(is_true: Callable[[], Any], machine: Machine) -> Any:
    until = time.monotonic() + PATIENCE_SECONDS
    while not (found := is_true()):
        assert time.monotonic() < until, machine.log()[-3000:]
        time.sleep(0.1)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    try:
        server = find_valkey()
    except NoValkeyError as error:
        pytest.skip(str(error))
    with serve_sample() as sample, socket_folder() as folder:
        env = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(tmp_path),
            "OFFLINE": "1",
            "REDIS_URL": valkey_url(folder),
            "FETCH_ALLOW": urlsplit(sample).netloc,
        }
        found = Machine(tmp_path, env)
        beat = ("-m", "celery", "-A", "tests.journeys.hurried", "beat", "--pidfile", "", "--schedule")
        with running("valkey", valkey_command(server, folder=folder), machine=found):
            wait_for(lambda: is_valkey_up(folder), found)
            found.do(PREPARE.format(sample=sample) + SIGN_UP)
            with (
                running("worker", worker_program(log_level="INFO").command, machine=found),
                running("beat", (sys.executable, *beat, str(tmp_path / "beat-schedule")), machine=found),
            ):
                yield found


def link_in(mail: StoredMail, page: str) -> str:
    found = re.search(rf"https?://[^/\s]+(/{page}/\S+?/)(?:\s|$)", mail.text)
    assert found, mail.text
    return found[1]


def test_nobody_does_anything_and_the_reader_gets_a_digest_and_then_no_more(machine: Machine):
    # The sign-up rang no bell that anybody heard; the sweeper finds the row.
    (confirmation,) = wait_for(machine.mails, machine)
    assert confirmation.to == "ada@example.org"

    # The sources were due, so their papers stand in the draft of the day.
    draft = (
        "select count(*) from digests_editionpaper join digests_edition e on e.id = edition_id where state = 'draft'"
    )
    wait_for(lambda: machine.ask(draft)[0][0] >= 20, machine)
    machine.do(PRESS.format(path=link_in(confirmation, "confirm"), data={}))
    assert len(machine.mails()) == 1

    # The hours until the cut-off pass at once.
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    machine.ask("update digests_edition set cutoff_at = ?", now.isoformat(" "))
    digest, _ = wait_for(lambda: machine.mails() if len(machine.mails()) == 2 else None, machine)
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in digest.source
    wait_for(lambda: machine.ask("select state from digests_delivery") == [("accepted",)], machine)

    # One click, and however often the reader were due, nothing comes any more.
    machine.do(PRESS.format(path=link_in(digest, "unsubscribe"), data={"List-Unsubscribe": "One-Click"}))
    assert machine.ask("select state, next_due_at from subscriptions_subscriber") == [("unsubscribed", None)]
    machine.ask("update subscriptions_subscriber set next_due_at = ?", now.isoformat(" "))
    machine.ask("delete from digests_delivery")
    # Whoever takes rows out by hand has a database that does not know what left here: sending would be held.
    (machine.var_dir / "last-begun").unlink()
    ticks = machine.log().count("digests.tasks.tick")
    wait_for(lambda: machine.log().count("digests.tasks.tick") >= ticks + 6, machine)
    assert machine.ask("select count(*) from digests_delivery") == [(0,)]
    assert len(machine.mails()) == 2
    assert "Traceback" not in machine.log()
    assert " ERROR" not in machine.log()

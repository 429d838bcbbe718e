"""The site as it is deployed, with the queue or the database refusing or hanging: what it answers, how soon, and that
it comes back by itself."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.guard import end_group
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command
from tests.gate import Gate, gate_before
from tests.with_postgres import NoPostgresError, production_env, run_postgres

pytestmark = pytest.mark.worker
REPOSITORY = Path(__file__).resolve().parents[2]
# A visitor's patience; each answer comes within it, whatever hangs.
MOST_SECONDS = 5.0


@dataclass(frozen=True)
class Deployed:
    """The site on a port, behind gates to its queue and its database."""

    port: int
    queue: Gate
    database: Gate
    env: dict[str, str]

    def ask(self, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers; fails where it takes too long."""
        data = urllib.parse.urlencode(fields).encode() if fields else None
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=data)
        started = time.monotonic()
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310
                found = answer.status, answer.read().decode(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            found = error.code, error.read().decode(), dict(error.headers)
        assert time.monotonic() - started < MOST_SECONDS, (path, time.monotonic() - started)
        return found

    def do(self, code: str) -> str:
        """Run this as the program would, past both gates."""
        whole = f"import django; django.setup()\n{code}"
        done = subprocess.run(
            [sys.executable, "-c", whole], cwd=REPOSITORY, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("outage")
    try:
        program = find_valkey()
    except NoValkeyError as error:
        pytest.skip(str(error))
    try:
        with socket_folder() as sockets, run_postgres() as url:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                valkey_port = probe.getsockname()[1]
            command = [*valkey_command(program, folder=sockets), "--port", str(valkey_port), "--bind", "127.0.0.1"]
            valkey = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
            try:
                yield from _serve(folder, url=url, valkey_port=valkey_port, is_up=lambda: is_valkey_up(sockets))
            finally:
                end_group(valkey.pid, reap=valkey.poll)
    except NoPostgresError as error:
        pytest.skip(str(error))


def _serve(folder: Path, *, url: str, valkey_port: int, is_up: Any) -> Iterator[Deployed]:
    wait(is_up)
    found = urllib.parse.urlsplit(url)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with gate_before(_place(url)) as database, gate_before(valkey_port) as queue:
        env = production_env(
            env={
                "PATH": os.environ["PATH"],
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "VAR_DIR": str(folder),
                "SITE_URL": f"http://127.0.0.1:{port}",
                "REDIS_URL": f"redis://127.0.0.1:{valkey_port}/0",
                "SIGNUP_ANSWER_MS": "0",
            },
            database_url=url,
        )
        place = found.netloc.rpartition("@")[0]
        gated = {
            "DATABASE_URL": f"postgresql://{place + '@' if place else ''}127.0.0.1:{database.port}{found.path}",
            "REDIS_URL": f"redis://127.0.0.1:{queue.port}/0",
            "BIND": f"127.0.0.1:{port}",
        }
        for command in (("migrate", "--noinput", "-v0"), ("collectstatic", "--noinput", "-v0")):
            subprocess.run([sys.executable, "manage.py", *command], cwd=REPOSITORY, env=env, check=True)
        with (folder / "web.log").open("wb") as log:
            web = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn"],
                cwd=REPOSITORY, env={**env, **gated}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            site = Deployed(port, queue, database, env)
            wait(lambda: site.ask("/healthz")[0] == 200)
            yield site
        finally:
            end_group(web.pid, reap=web.poll)


def _place(url: str) -> int | str:
    """Where this PostgreSQL listens: a port, or a socket by its path."""
    found = urllib.parse.urlsplit(url)
    host = urllib.parse.unquote(found.netloc.rpartition("@")[2].partition(":")[0])
    port = found.port or 5432
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else port


def wait(is_true: Any, *, seconds: float = 40.0) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if is_true():
                return
        except (OSError, AssertionError):
            pass
        assert time.monotonic() < until
        time.sleep(0.3)


@pytest.mark.parametrize("fault", ["shut", "silence"])
def test_without_the_queue_pages_are_read_and_sign_ups_kept(deployed: Deployed, fault: str):
    getattr(deployed.queue, fault)()
    try:
        address = f"{fault}@example.org"
        assert deployed.ask("/")[0] == 200
        assert deployed.ask("/subscribe/", {"email": address})[0] == 200
        status, said, _ = deployed.ask("/readyz")
        assert status == 200
        assert "cannot be reached" in json.loads(said)["parts"]["queue"]
        assert deployed.ask("/readyz?all=1")[0] == 503
    finally:
        deployed.queue.open()
    kept = deployed.do(
        f"from subscriptions.models import Subscriber\nprint(Subscriber.objects.get(email='{address}').state)"
    )
    assert kept.strip() == "pending"
    waits = deployed.do("from subscriptions.models import Notice\nprint(Notice.objects.filter(state='queued').count())")
    assert int(waits) >= 1
    wait(lambda: json.loads(deployed.ask("/readyz")[1])["parts"]["queue"] == "ok")


@pytest.mark.parametrize("fault", ["shut", "silence"])
def test_without_the_database_it_says_so_calmly_and_comes_back_by_itself(deployed: Deployed, fault: str):
    assert deployed.ask("/about/")[0] == 200
    getattr(deployed.database, fault)()
    try:
        wait(lambda: deployed.ask("/archive")[0] == 503, seconds=60)
        status, body, headers = deployed.ask("/archive?x=1")
        assert (status, headers["Retry-After"], headers["Cache-Control"]) == (503, "30", "no-store")
        assert "Back in a moment" in body
        status, body, _ = deployed.ask("/api/daily_papers")
        assert (status, "error" in json.loads(body)) == (503, True)
        assert deployed.ask("/subscribe/", {"email": "nobody@example.org"})[0] == 503
        assert deployed.ask("/healthz")[0] == 200
        assert deployed.ask("/readyz")[0] == 503
    finally:
        deployed.database.open()
    wait(lambda: deployed.ask("/archive")[0] == 200)
    assert deployed.ask("/readyz")[0] == 200

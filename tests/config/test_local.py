"""`make run`: what it refuses, what it makes once, and one real start and end of the whole program."""

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from pytest_django import Settings

from config import local, valkey

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def quick_passwords(settings: Settings) -> None:
    """Hashing that is slow on purpose proves nothing here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def test_a_database_url_is_refused_because_it_means_production():
    with pytest.raises(local.CannotRunError, match="DATABASE_URL is set"):
        local.check_environment({"DATABASE_URL": "postgresql://db.example.org/papers"})


@pytest.mark.parametrize(("name", "value"), [("HOST", "0.0.0.0"), ("BIND", "192.0.2.7:80"), ("HOST", "::")])
def test_any_address_but_the_loopback_is_refused(name: str, value: str):
    with pytest.raises(local.CannotRunError, match="is refused"):
        local.check_environment({name: value})


@pytest.mark.parametrize("value", ["", "127.0.0.1", "localhost", socket.gethostname()])
def test_a_host_that_asks_for_nothing_else_is_no_hindrance(value: str):
    local.check_environment({"HOST": value})


def test_a_taken_port_is_named_with_a_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(local.CannotRunError, match=rf"PORT={port} .* is taken .*make run PORT="):
            local.check_port(port)
    local.check_port(port)


@pytest.mark.parametrize("port", [0, 65536])
def test_a_number_that_is_no_port_is_refused(port: int):
    with pytest.raises(local.CannotRunError, match="is no port"):
        local.check_port(port)


def test_a_second_run_in_the_same_directory_is_refused_while_the_first_lives(tmp_path: Path):
    first = local.only_one(tmp_path)
    with first, pytest.raises(local.CannotRunError, match=rf"process {os.getpid()}"), local.only_one(tmp_path):
        pytest.fail("the second one came in")
    with local.only_one(tmp_path):
        pass


@pytest.mark.django_db
@pytest.mark.usefixtures("quick_passwords")
def test_the_admin_is_made_once_and_its_password_is_for_the_owners_eyes(tmp_path: Path):
    first = local.make_admin(tmp_path)
    assert first.password
    assert stat.S_IMODE(first.path.stat().st_mode) == 0o600
    assert local.make_admin(tmp_path) == first
    admin = get_user_model().objects.get(username="admin")
    assert admin.is_superuser
    assert admin.check_password(first.password)


@pytest.mark.django_db
@pytest.mark.usefixtures("quick_passwords")
def test_a_password_that_the_owner_changed_stays_and_is_not_shown_wrongly(tmp_path: Path):
    local.make_admin(tmp_path)
    admin = get_user_model().objects.get(username="admin")
    admin.set_password("the owner's own words")
    admin.save()
    assert local.make_admin(tmp_path).password is None
    admin.refresh_from_db()
    assert admin.check_password("the owner's own words")


@pytest.mark.django_db
@pytest.mark.usefixtures("quick_passwords")
def test_a_new_database_gets_the_password_that_is_kept(tmp_path: Path):
    first = local.make_admin(tmp_path)
    get_user_model().objects.all().delete()
    assert local.make_admin(tmp_path) == first


def test_the_programs_may_fetch_the_sample_and_what_the_owner_allowed(tmp_path: Path):
    place = local.Place(var_dir=tmp_path, base_dir=tmp_path, port=8001)
    env = local.programs_env(
        env={"FETCH_ALLOW": "10.0.0.1:80", "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:80", "PATH": "/bin"},
        place=place,
        broker="redis+socket:///a",
        sample="http://127.0.0.1:4711",
    )
    assert env["FETCH_ALLOW"].split() == ["10.0.0.1:80", "127.0.0.1:4711"]
    assert "GUNICORN_CMD_ARGS" not in env
    assert (env["PATH"], env["PORT"], env["REDIS_URL"]) == ("/bin", "8001", "redis+socket:///a")


def test_where_no_valkey_is_found_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(valkey, "_find_in_wheel", lambda: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(valkey.NoValkeyError, match="apt install redis-server") as caught:
        valkey.find_valkey()
    assert "\n" not in str(caught.value)


def test_a_socket_folder_is_private_short_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    long = tmp_path / ("long" * 30)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with valkey.socket_folder() as folder:
        assert len(str(folder / "valkey.sock")) <= 103
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()
    assert list(long.iterdir()) == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def env_for(var_dir: Path, *, port: int) -> dict[str, str]:
    dropped = {"DATABASE_URL", "REDIS_URL", "SITE_URL", "EMAIL_PROVIDER", "HOST", "BIND"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "OFFLINE": "1", "VAR_DIR": str(var_dir), "PORT": str(port)}


@contextmanager
def running(var_dir: Path, *, port: int) -> Iterator[subprocess.Popen[str]]:
    """`manage.py run_local`, up; killed in the end should it still be there (its guard then ends the rest)."""
    output = var_dir.with_name("output")
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_local"],
            cwd=REPOSITORY,
            env=env_for(var_dir, port=port),
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        until = time.monotonic() + 90
        while "Ctrl-C ends everything" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, output.read_text()
            time.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


def all_processes() -> dict[int, str]:
    """Every process of this machine with its command line (Linux only)."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # One may end while we look.
        with suppress(OSError):
            found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def descendants(ancestor: int) -> dict[int, str]:
    """The children of a process, their children, and so on, with their command lines."""
    processes, parents = all_processes(), {}
    for pid in processes:
        with suppress(OSError):
            # The parent's number is the second field behind the name, which stands in brackets (proc(5)).
            parents[pid] = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    family: set[int] = set()
    generation = {ancestor}
    while generation:
        generation = {pid for pid, parent in parents.items() if parent in generation}
        family |= generation
    return {pid: processes[pid] for pid in family}


def socket_folder_of(commands: str) -> str:
    """The folder of the queue's socket, as the queue's command line shows it."""
    found = re.search(r"(/\S*daily-papers-[^/\s]+)/valkey\.sock", commands)
    assert found, commands
    return found[1]


@pytest.mark.worker
@pytest.mark.skipif(sys.platform != "linux", reason="counts processes through /proc")
def test_everything_starts_answers_and_is_gone_after_ctrl_c(tmp_path: Path):
    var_dir, port = tmp_path / "var", free_port()
    with running(var_dir, port=port) as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as response:
            assert response.status == 200
        processes = descendants(process.pid)
        commands = " ".join(processes.values())
        assert all(name in commands for name in ("valkey.sock", "config worker", "config beat", "gunicorn", "guard.py"))
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((other_address(), port), timeout=5).close()

        second = subprocess.run(
            [sys.executable, "manage.py", "run_local"],
            cwd=REPOSITORY,
            env=env_for(var_dir, port=free_port()),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 1
        assert f"process {process.pid}" in second.stderr
        assert len(second.stderr.splitlines()) == 1

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=40) == 0
    assert not [command for pid, command in all_processes().items() if command == processes.get(pid)]
    assert not Path(socket_folder_of(commands)).exists()


def other_address() -> str:
    """A loopback address that is not 127.0.0.1: what listens on all addresses would answer there, too."""
    return "127.0.0.2"

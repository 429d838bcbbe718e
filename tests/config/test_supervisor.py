"""Programs that run together: restarted when they die, ended together, whatever becomes of the supervisor."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import supervisor as supervising
from config.guard import end_group, is_group_alive
from config.supervisor import Program, StopRequestedError, Supervisor, SupervisorError

PYTHON = (sys.executable, "-I", "-S", "-c")
# Appends its process id to a file and then sleeps.
SLEEPER = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1], 'a')); time.sleep(60)"
# The same, with a child of its own that sleeps, too; both ids are in the file.
FAMILY = "import os, sys, time; child = os.fork(); print(os.getpid(), file=open(sys.argv[1], 'a')); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervising, "RESTART_SECONDS", 0.0)
    monkeypatch.setattr(supervising, "POLL_SECONDS", 0.01)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def new_supervisor(tmp_path: Path, told: list[str]) -> Callable[[], Supervisor]:
    return lambda: Supervisor(
        env=dict(os.environ),
        folder=tmp_path,
        log_dir=tmp_path / "log",
        say=told.append,
        is_stopping=lambda: False,
    )


def pids_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def wait_for(is_true: Callable[[], object], *, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_a_program_that_dies_is_started_again_and_the_owner_is_told(
    new_supervisor: Callable[[], Supervisor], told: list[str], tmp_path: Path
):
    pids = tmp_path / "pids"
    with new_supervisor() as supervisor:
        supervisor.start(Program("sleeper", (*PYTHON, SLEEPER, str(pids))))
        assert supervisor.wait_until(lambda: len(pids_in(pids)) == 1, seconds=10)
        os.kill(pids_in(pids)[0], signal.SIGKILL)
        assert supervisor.wait_until(lambda: len(pids_in(pids)) == 2, seconds=10)
    assert told == ["sleeper ended (signal 9) and is started again."]
    assert not any(is_group_alive(pid) for pid in pids_in(pids))


@pytest.mark.slow
def test_a_program_that_keeps_dying_stops_everything_and_shows_the_end_of_its_log(
    new_supervisor: Callable[[], Supervisor], told: list[str], tmp_path: Path
):
    pids = tmp_path / "pids"
    with new_supervisor() as supervisor:
        supervisor.start(Program("sleeper", (*PYTHON, SLEEPER, str(pids))))
        supervisor.start(Program("broken", (*PYTHON, "import sys; sys.exit('the reason')")))
        with pytest.raises(SupervisorError, match=r"(?s)broken ended 5 times.*the reason"):
            supervisor.wait_until(lambda: False, seconds=20)
    assert told == ["broken ended (exit code 1) and is started again."] * 4
    assert not any(is_group_alive(pid) for pid in pids_in(pids))


@pytest.mark.slow
def test_the_children_of_a_program_end_with_it(new_supervisor: Callable[[], Supervisor], tmp_path: Path):
    pids = tmp_path / "pids"
    with new_supervisor() as supervisor:
        supervisor.start(Program("family", (*PYTHON, FAMILY, str(pids))))
        assert supervisor.wait_until(lambda: len(pids_in(pids)) == 2, seconds=10)
        leader = min(pids_in(pids))
        assert is_group_alive(leader)
    assert not is_group_alive(leader)


@pytest.mark.slow
def test_a_program_that_does_not_listen_is_killed_after_the_grace():
    with subprocess.Popen([*PYTHON, STUBBORN], start_new_session=True, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout
        stubborn.stdout.readline()
        end_group(stubborn.pid, grace=0.2, reap=stubborn.poll)
        assert stubborn.returncode == -signal.SIGKILL


def test_programs_end_in_the_opposite_order_of_their_start(new_supervisor: Callable[[], Supervisor], tmp_path: Path):
    says_when_ended = (
        "import signal, sys, time\n"
        "def end(*_): print(sys.argv[2], file=open(sys.argv[1], 'a')); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
    )
    order = tmp_path / "order"
    with new_supervisor() as supervisor:
        for name in ("queue", "worker", "web"):
            supervisor.start(Program(name, (*PYTHON, says_when_ended, str(order), name)))
            log = supervisor.log_path(name)
            assert supervisor.wait_until(lambda log=log: "ready" in log.read_text(), seconds=10)
    assert order.read_text().split() == ["web", "worker", "queue"]


def test_a_command_in_the_foreground_answers_its_exit_code(new_supervisor: Callable[[], Supervisor]):
    with new_supervisor() as supervisor:
        assert supervisor.run((*PYTHON, "raise SystemExit(3)")) == 3


def test_a_request_to_stop_ends_the_command_in_the_foreground(tmp_path: Path):
    pids = tmp_path / "pids"
    with Supervisor(
        env=dict(os.environ),
        folder=tmp_path,
        log_dir=tmp_path,
        say=print,
        is_stopping=lambda: bool(pids_in(pids)),
    ) as supervisor:
        with pytest.raises(StopRequestedError):
            supervisor.run((*PYTHON, SLEEPER, str(pids)))
        assert not is_group_alive(pids_in(pids)[0])


def test_a_long_log_is_put_aside_at_the_next_start(
    new_supervisor: Callable[[], Supervisor], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(supervising, "LONG_LOG_BYTES", 10)
    with new_supervisor() as supervisor:
        log = supervisor.log_path("quiet")
        log.parent.mkdir()
        log.write_text("a long line of the last run")
        supervisor.start(Program("quiet", (*PYTHON, "import time; time.sleep(60)")))
        assert log.with_name("quiet.log.1").read_text() == "a long line of the last run"
        assert log.read_text() == ""


@pytest.mark.slow
def test_when_the_supervisor_is_killed_its_guard_ends_the_programs_and_removes_the_folder(tmp_path: Path):
    folder, pids = tmp_path / "folder", tmp_path / "pids"
    folder.mkdir()
    script = f"""
import os, pathlib
from config.supervisor import Program, Supervisor
with Supervisor(env=os.environ, folder=pathlib.Path("."), log_dir=pathlib.Path({str(tmp_path)!r}),
                say=print, is_stopping=lambda: False) as supervisor:
    supervisor.guard_folder(pathlib.Path({str(folder)!r}))
    supervisor.start(Program("family", {(*PYTHON, FAMILY, str(pids))!r}))
    supervisor.wait_until(lambda: False)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        wait_for(lambda: len(pids_in(pids)) == 2, seconds=30)
        leader = min(pids_in(pids))
        assert is_group_alive(leader)
        process.kill()
    wait_for(lambda: not is_group_alive(leader) and not folder.exists(), seconds=30)

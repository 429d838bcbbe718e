"""Keeps a handful of programs running as one: starts them, restarts what dies, ends all of them together.

Each program is the leader of a process group of its own, so a Ctrl-C in the terminal reaches the supervisor alone,
which then ends the programs in order, and a program's own children are ended with it. Should the supervisor be killed,
its guard (`config.guard`) does the ending. Call everything from one thread.
"""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from config import guard
from config.guard import end_group

MOST_DEATHS = 5
DEATHS_WITHIN_SECONDS = 60.0
# A pause before a restart: what died of a passing cause finds it passed, and a crash loop is readable.
RESTART_SECONDS = 1.0
POLL_SECONDS = 0.1
TAIL_LINES = 15
# A log longer than this is put aside (as `.1`, one of it is kept) when its program starts.
LONG_LOG_BYTES = 5 * 1024 * 1024


class SupervisorError(Exception):
    """The programs cannot be kept running; the text is for the owner."""


class StopRequestedError(Exception):
    """Somebody asked for the end: not a failure."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. The name is that of its log file, too."""

    name: str
    command: tuple[str, ...]


@dataclass(slots=True)
class _Child:
    program: Program
    process: subprocess.Popen[bytes]
    deaths: deque[float] = field(default_factory=deque)


class Supervisor:
    """Programs that run together. Use as a context manager: leaving the block ends them all, the last started first.

    `env` is the whole environment of the programs, `folder` where they work, `log_dir` where their output goes.
    `say` tells the owner a line. `is_stopping` is asked all the time; once it is true, whatever waits raises
    StopRequestedError. `keep_open` are file descriptors to hold until the last program is gone, even where the
    supervisor is killed: a lock, for one.
    """

    def __init__(
        self,
        *,
        env: Mapping[str, str],
        folder: Path,
        log_dir: Path,
        say: Callable[[str], None],
        is_stopping: Callable[[], bool],
        keep_open: tuple[int, ...] = (),
    ) -> None:
        self.env = dict(env)
        self.folder = folder
        self.log_dir = log_dir
        self._say = say
        self._is_stopping = is_stopping
        self._children: list[_Child] = []
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-I", guard.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            pass_fds=keep_open,
            text=True,
            bufsize=1,
        )

    def __enter__(self) -> "Supervisor":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for child in reversed(self._children):
            self._end(child.process)
        self._tell_guard("done")
        self._guard.communicate()

    def guard_folder(self, folder: Path) -> None:
        """Have this temporary folder removed even where the supervisor is killed."""
        self._tell_guard(f"folder {folder}")

    def start(self, program: Program) -> None:
        """Start a program and keep it running from now on."""
        self._children.append(_Child(program, self._spawn(program)))

    def run(self, command: tuple[str, ...], *, env: Mapping[str, str] | None = None) -> int:
        """Run a command to its end, with our own output, while the programs are watched. Its exit code is answered.

        `env` is added to the programs' environment.
        """
        process = self._popen(command, output=None, env=env)
        try:
            self.wait_until(lambda: process.poll() is not None)
        finally:
            self._end(process)
        return process.returncode

    def wait_until(self, is_true: Callable[[], bool], *, seconds: float | None = None) -> bool:
        """Watch the programs until `is_true()` (True) or the time is over (False)."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            self.watch()
            if is_true():
                return True
            if until is not None and time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)

    def watch(self) -> None:
        """Restart what died. Raises SupervisorError for a program that dies again and again."""
        if self._is_stopping():
            raise StopRequestedError
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                self._restart(child, code=code)

    def _restart(self, child: _Child, *, code: int) -> None:
        program, now = child.program, time.monotonic()
        child.deaths.append(now)
        while child.deaths[0] < now - DEATHS_WITHIN_SECONDS:
            child.deaths.popleft()
        self._end(child.process)
        if len(child.deaths) >= MOST_DEATHS:
            msg = (
                f"{program.name} ended {MOST_DEATHS} times within a minute, so everything stops. "
                f"The end of {self.log_path(program.name)}:\n{tail(self.log_path(program.name))}"
            )
            raise SupervisorError(msg)
        self._say(f"{program.name} ended ({describe_exit(code)}) and is started again.")
        self._pause(RESTART_SECONDS)
        child.process = self._spawn(program)

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self._is_stopping():
                raise StopRequestedError
            time.sleep(POLL_SECONDS)

    def log_path(self, name: str) -> Path:
        """Where the output of the program of that name goes."""
        return self.log_dir / f"{name}.log"

    def _spawn(self, program: Program) -> subprocess.Popen[bytes]:
        path = self.log_path(program.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LONG_LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
        with path.open("ab") as log:
            return self._popen(program.command, output=log.fileno())

    def _popen(
        self, command: tuple[str, ...], *, output: int | None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the commands are written in our own modules
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env={**self.env, **(env or {})},
            cwd=self.folder,
            start_new_session=True,
        )
        self._tell_guard(f"start {process.pid}")
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        end_group(process.pid, reap=process.poll)
        self._tell_guard(f"end {process.pid}")

    def _tell_guard(self, line: str) -> None:
        # A guard that is gone guards nothing any more, which is no reason to stop what runs.
        with suppress(OSError):
            if self._guard.stdin:
                self._guard.stdin.write(f"{line}\n")


def describe_exit(code: int) -> str:
    """An exit code of subprocess in words."""
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def tail(path: Path, *, lines: int = TAIL_LINES) -> str:
    """The last lines of a file, or a word that there are none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 64 * 1024), os.SEEK_SET)
            found = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join(f"  {line}" for line in found) or "  (nothing)"

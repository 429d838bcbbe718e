"""The processes of a chaos run: started in groups of their own, looked at through /proc, ended one and all.

Only what was started here is ever signalled. Should the harness itself be killed, the product's own guard
(`config.guard`) ends the groups.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from config import guard

REPOSITORY = Path(__file__).resolve().parents[2]


class Processes:
    """Use as a context manager: in the end every group that was started is gone."""

    def __init__(self, *, log_dir: Path) -> None:
        self.log_dir = log_dir
        self._started: list[subprocess.Popen[bytes]] = []
        self._guard = subprocess.Popen(
            [sys.executable, "-I", guard.__file__], stdin=subprocess.PIPE, start_new_session=True, text=True, bufsize=1
        )

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in reversed(self._started):
            self.kill_group(process)
        assert self._guard.stdin
        self._guard.stdin.write("done\n")
        self._guard.communicate()

    def start(
        self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a command in a group of its own, its output in `<name>.log`."""
        with (self.log_dir / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **options,
            )
        self._started.append(process)
        assert self._guard.stdin
        self._guard.stdin.write(f"start {process.pid}\n")
        return process

    def kill_group(self, process: subprocess.Popen[bytes]) -> None:
        """KILL a group, also where its leader is gone already and only its children are left."""
        # A leader that was collected may have given its number away: its group is only ours while members are.
        if process.poll() is None or any(members_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def members(self) -> Iterator[int]:
        """The ids of all living processes of all groups."""
        for process in self._started:
            yield from members_of(process.pid)


def members_of(group: int) -> list[int]:
    """The ids of the living processes of a group."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                # The name in brackets may hold anything, a space too.
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group and fields[0] not in "ZX":
                    found.append(int(path.name))
    return found


def ports_of(process: int) -> set[int]:
    """The local ports of a process's TCP connections."""
    sockets = set()
    with contextlib.suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                sockets.add(str(link.readlink()))
    ports = set()
    with contextlib.suppress(OSError):
        for row in Path(f"/proc/{process}/net/tcp").read_text().splitlines()[1:]:
            fields = row.split()
            if f"socket:[{fields[9]}]" in sockets:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports


def freeze(process: int) -> None:
    """Stop a process where it stands, and wait until it does."""
    os.kill(process, signal.SIGSTOP)
    wait_for(lambda: _state(process) in "TZX", seconds=2)


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def wait_for(find: Callable[[], Any], *, seconds: float, pause: float = 0.02) -> Any:
    """What `find` finds, as soon as it is something; what it found last, when the time is over."""
    until = time.monotonic() + seconds
    while not (found := find()) and time.monotonic() < until:
        time.sleep(pause)
    return found

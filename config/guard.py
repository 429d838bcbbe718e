"""Ends a supervisor's programs when the supervisor itself was killed and can no longer do it.

Run as a script, so that it imports nothing of the project. It reads lines on standard input: `start PID` for the leader
of a process group, `end PID` once that group is gone, `folder PATH` for a temporary folder, `done` when all is tidy.
Where the input ends without `done`, it ends the groups, the last one first, and removes the folders. That works on
every Unix and does not need a process to watch for its parent's death.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

GRACE_SECONDS = 10.0
# After KILL nothing is left to wait for but the kernel.
_KILL_SECONDS = 2.0
_POLL_SECONDS = 0.05


def end_group(leader: int, *, grace: float = GRACE_SECONDS, reap: Callable[[], object] = lambda: None) -> None:
    """End the process group of `leader` (a process id): TERM, then after `grace` seconds KILL.

    TERM goes to the leader alone: the children of a Celery worker die of it in the middle of a task, while the worker
    itself lets them finish. `reap` is called again and again and must collect the leader when it is our own child.
    Safe for a group that is gone already.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.kill(leader, signal.SIGTERM)
    if not _wait_for_end(leader, seconds=grace, reap=reap):
        _signal_group(leader, signal.SIGKILL)
        _wait_for_end(leader, seconds=_KILL_SECONDS, reap=reap)


def is_group_alive(leader: int) -> bool:
    """Whether any process of the group is left. One that nobody collected yet counts."""
    return _signal_group(leader, 0)


def _wait_for_end(leader: int, *, seconds: float, reap: Callable[[], object]) -> bool:
    until = time.monotonic() + seconds
    while True:
        leaderless = reap() is not None or not _exists(leader)
        if not is_group_alive(leader):
            return True
        if time.monotonic() >= until:
            return False
        if leaderless:
            _signal_group(leader, signal.SIGTERM)
        time.sleep(_POLL_SECONDS)


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _signal_group(leader: int, number: int) -> bool:
    try:
        os.killpg(leader, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group of which only an uncollected process is left.
        return sys.platform != "darwin"
    return True


def main() -> None:
    """Read to the end of the input, then tidy up what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: list[int] = []
    folders: list[str] = []
    for line in sys.stdin:
        word, _, value = line.rstrip("\n").partition(" ")
        if word == "start":
            groups.append(int(value))
        elif word == "end" and int(value) in groups:
            groups.remove(int(value))
        elif word == "folder":
            folders.append(value)
        elif word == "done":
            return
    for leader in reversed(groups):
        end_group(leader)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()

"""A folder to work in that is gone afterwards; where the process was killed, the next one to work there removes it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_PREFIX, _LOCK = ".at-work-", "lock"


@contextlib.contextmanager
def workplace(parent: Path) -> Iterator[Path]:
    """A new folder in `parent` for its owner alone, until the end of the block. What is left of those who were killed
    goes first, for it may fill the disk; what somebody works in right now stays. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    sweep_workplaces(parent)
    folder, lock = _make(parent)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_workplaces(parent: Path) -> None:
    """Remove what is left in `parent` of those who were killed at work there."""
    for folder in parent.glob(f"{_PREFIX}*/"):
        # What somebody else's user left is theirs to remove, and stops nobody.
        with contextlib.suppress(OSError):
            lock = _lock(folder)
            if lock is not None:
                with lock:
                    shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path) -> tuple[Path, IO[bytes]]:
    # A sweep that comes by before the lock is held takes the folder away: then another one is made.
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock


def _lock(folder: Path) -> IO[bytes] | None:
    """The lock of this folder, which the kernel takes back when this process ends; None where another one has it."""
    try:
        lock = (folder / _LOCK).open("ab")
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(lock.fileno()), (folder / _LOCK).stat()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    lock.close()
    return None

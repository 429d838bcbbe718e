"""A folder to work in that is gone afterwards, also where the process was killed: whoever works there next removes it."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_LOCK = "lock"


@contextlib.contextmanager
def workplace(parent: Path, *, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` for its owner alone, until the end of the block. What is left of those who were killed
    goes first, for it may fill the disk; what somebody works in right now stays. Raises OSError."""
    parent.mkdir(parents=True, exist_ok=True)
    sweep_workplaces(parent, prefix=prefix)
    folder, lock = _make(parent, prefix=prefix)
    with lock:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep_workplaces(parent: Path, *, prefix: str) -> None:
    """Remove the folders of this prefix in which nobody works any more."""
    for folder in parent.glob(f"{prefix}*/"):
        lock = _lock(folder)
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def _make(parent: Path, *, prefix: str) -> tuple[Path, IO[bytes]]:
    # A sweep that comes by before the lock is held takes the folder away: then another one is made.
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
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

"""A throw-away PostgreSQL that keeps its word (fsync and synchronous_commit are on) and can be restarted the hard way.

with durable_postgres() as postgres:
    ...  # postgres.url
    postgres.restart()  # as after a crash: nothing is finished, everything committed is there again
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.with_postgres import SETTINGS, run_postgres

DURABLE = {**SETTINGS, "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": "200"}
ENDING_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server that runs. `folder` is where it keeps everything, its socket too."""

    url: str
    folder: Path

    def restart(self) -> None:
        """Crash and start again with the same options: `pg_ctl restart -m immediate`."""
        self._control("-m", "immediate", "restart")

    def crash(self) -> None:
        """Crash and stay away until `start`."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start again with the options it had."""
        self._control("-o", self._options()[1], "start")

    def _control(self, *what: str) -> None:
        # Asked of what it was started from, because a copy of the wheel may be what runs.
        program, owner = Path(self._options()[0]), (self.folder / "data").stat()
        with (self.folder / "log").open("ab") as log:
            subprocess.run(
                [program.parent / "pg_ctl", "-D", self.folder / "data", "-s", "-w", *what],
                cwd=self.folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                user=owner.st_uid,
                group=owner.st_gid,
                extra_groups=[],
                start_new_session=True,
            )

    def _options(self) -> tuple[str, str]:
        """The program that was started, and the rest of its command line, quoted for a shell."""
        program, _, options = (self.folder / "data" / "postmaster.opts").read_text().strip().partition(" ")
        return program, options

    def leader(self) -> int:
        """The process id of the server now."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


@contextlib.contextmanager
def durable_postgres(*, extra: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """A fresh PostgreSQL while the block runs; `extra` are settings of its own. Raises NoPostgresError."""
    with run_postgres(settings={**DURABLE, **(extra or {})}) as url:
        postgres = Postgres(url, Path(unquote(urlsplit(url).netloc.partition("@")[2])))
        first = postgres.leader()
        try:
            yield postgres
        finally:
            # `run_postgres` ends the process it started; one that took its place is ours to end.
            if (last := postgres.leader()) != first:
                _end(last)


def _end(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGINT)
        until = time.monotonic() + ENDING_SECONDS
        while time.monotonic() < until:
            os.kill(process, 0)
            time.sleep(0.05)
        os.kill(process, signal.SIGKILL)

"""What a benchmark is given: how many readers, databases, child processes, and a place for remarks."""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.durable_postgres import durable_postgres
from tests.with_postgres import production_env

REPOSITORY = Path(__file__).resolve().parents[2]
# Two processes, because the machine we measure for has two cores.
PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Database:
    """A database of a benchmark: what the product's environment says of it, and its name in figures."""

    name: str
    env: Mapping[str, str]


class Child:
    """A process that has done its preparations and waits for the word."""

    def __init__(self, function: str, *, env: Mapping[str, str], args: Mapping[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.children", function, json.dumps(args)],
            cwd=REPOSITORY,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def wait_ready(self) -> "Child":
        """Wait until its preparations are done."""
        self._read()
        return self

    def go(self) -> "Child":
        """Give the word."""
        assert self._process.stdin
        self._process.stdin.write("go\n")
        return self

    def result(self) -> dict[str, float]:
        """Wait for its end and take what it measured."""
        found: dict[str, float] = self._read()
        self._process.communicate()
        return found

    def stop(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "a child of the benchmark ended; its words stand above"
        return json.loads(line)


@dataclass
class Bench:
    """One run of one benchmark. `folder` is temporary, `cache` stays."""

    n: int
    rounds: int
    folder: Path
    cache: Path
    say: Callable[[str], None]
    notes: list[str] = field(default_factory=list)
    _children: list[Child] = field(default_factory=list)

    def note(self, text: str) -> None:
        """A remark that belongs beside the figures."""
        self.notes.append(text)

    def env(self, **values: str) -> dict[str, str]:
        """An environment for the product in which nothing leaves this machine."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
        kept |= {name: value for name, value in os.environ.items() if name.startswith("SEND_")}
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(self.folder / "var"),
            "OFFLINE": "1",
            "LOG_LEVEL": "ERROR",
            "EMAIL_PROVIDER": "smtp",
            **values,
        }

    @contextlib.contextmanager
    def postgres(self, **values: str) -> Iterator[Database]:
        """A PostgreSQL with fsync and synchronous_commit on, tables made."""
        with durable_postgres(extra={"shared_buffers": "256MB"}) as server:
            env = production_env(env=self.env(**values), database_url=server.url)
            self.ask("make_tables", env=env)
            yield Database("postgres", env)

    @contextlib.contextmanager
    def sqlite(self, **values: str) -> Iterator[Database]:
        """An SQLite in WAL mode, as the product sets it up, tables made."""
        var = self.folder / "sqlite"
        env = self.env(VAR_DIR=str(var), **values)
        self.ask("make_tables", env=env)
        yield Database("sqlite", env)

    def ask(self, function: str, *, env: Mapping[str, str], **args: Any) -> dict[str, float]:
        """Run one function of `children` in a process of its own, start to end."""
        return self.start(function, env=env, **args).go().result()

    def start(self, function: str, *, env: Mapping[str, str], **args: Any) -> Child:
        """Start one function of `children` and wait until it is ready to go."""
        child = Child(function, env=env, args=args)
        self._children.append(child)
        return child.wait_ready()

    def race(self, children: Sequence[Child]) -> tuple[float, list[dict[str, float]]]:
        """Let all go at once. Returns the seconds until the last was done, and what each says."""
        started = time.perf_counter()
        for child in children:
            child.go()
        results = [child.result() for child in children]
        return time.perf_counter() - started, results

    def close(self) -> None:
        """End what is left of the children."""
        for child in self._children:
            child.stop()


def median(values: Sequence[float]) -> float:
    """The middle of several rounds: one that was disturbed does not count."""
    return statistics.median(values)

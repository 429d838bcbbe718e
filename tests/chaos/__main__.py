"""Breaks everything and compares the books: python -m tests.chaos [--digests N] [--only WORDS] [--keep FOLDER]

Ends with one line of totals, and with an exit code other than 0 where a promise broke.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos import deployed, hosts
from tests.chaos.conductor import Result, run_scenario
from tests.chaos.network import NoNetworkError
from tests.chaos.scenarios import ALL

COLUMNS = (
    "due arrived accepted failed refused given-up skipped unknown lost duplicates kills ambiguous balanced seconds"
).split()


def table(results: Sequence[Result]) -> str:
    """One row a run."""
    lines = [" ".join([f"{'run':<36}", *(f"{name:>{len(name)}}" for name in COLUMNS)])]
    for result in results:
        books = result.books
        values = (
            *(books.due, books.arrived, books.accepted, books.failed, books.refused, books.given_up, books.skipped),
            *(books.unknown, books.lost, books.duplicates, result.kills, result.ambiguous),
            *("yes" if books.balanced else "NO", round(result.seconds)),
        )
        cells = (f"{value:>{len(name)}}" for name, value in zip(COLUMNS, values, strict=True))
        lines += [" ".join([f"{result.name:<36}", *cells])]
        lines += [f"  !!! {complaint}" for complaint in result.complaints]
    return "\n".join(lines)


def totals(results: Sequence[Result]) -> str:
    """The line of all runs together."""
    lost = sum(result.books.lost for result in results)
    duplicates = sum(result.books.duplicates for result in results)
    unknown = sum(result.books.unknown for result in results)
    kills = sum(result.kills for result in results)
    ambiguous = sum(result.ambiguous for result in results)
    connections = max(result.connections for result in results)
    balanced = "yes" if all(result.books.balanced for result in results) else "no"
    return (
        f"lost {lost}, duplicates {duplicates}, unknown {unknown}, kills {kills}, ambiguous {ambiguous}, "
        f"connections {connections}, balanced {balanced}"
    )


class Progress:
    """One line that is written over on a terminal, and a line every few seconds elsewhere."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, text: str) -> None:
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\033[K{text[:150]}")
        elif time.monotonic() - self._last > 5:
            self._last = time.monotonic()
            sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Break everything, compare the books.")
    parser.add_argument("--digests", type=int, default=int(os.environ.get("CHAOS_N") or 10_000))
    parser.add_argument("--only", default="", help="runs whose name holds these words")
    parser.add_argument("--keep", type=Path, help="where to leave the logs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    results = []
    for scenario in ALL:
        if options.only in scenario.name:
            keep = options.keep / scenario.name.replace(" ", "-") if options.keep else None
            digests = max(int(options.digests * scenario.share), 1)
            results.append(run_scenario(scenario, digests=digests, say=Progress(), keep=keep))
            sys.stdout.write(f"\n{table(results[-1:])}\n\n")
    for name, run in ((hosts.NAME, hosts.run_hosts), (deployed.NAME, deployed.run_deployed)):
        if options.only in name:
            try:
                results.append(run(digests=max(int(options.digests * hosts.SHARE), 1), say=Progress()))
                sys.stdout.write(f"\n{table(results[-1:])}\n\n")
            except NoNetworkError as error:
                sys.stdout.write(f"!!! NOT RUN: {name}: {error}\n")
    sys.stdout.write(f"\n{table(results)}\n\n{totals(results)}\n")
    return 1 if any(result.complaints for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())

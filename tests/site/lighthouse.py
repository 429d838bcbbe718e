"""Lighthouse on the public pages, served as they are deployed: python -m tests.site.lighthouse [--install] [--runs 5]

The day with 50 papers, one paper and the form, as a phone on a slow line sees them. Of each category the median of the
runs is held against its bar; exit code 1 says that one was missed, 77 that Node, Lighthouse, Chromium or PostgreSQL is
not here.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.bench import REPOSITORY, Bench
from tests.benchmarks.pages import collect_static, serving
from tests.find_browser import find_browser
from tests.with_postgres import NoPostgresError

MISSED, NOT_HERE = 1, 77
BARS = {"performance": 98, "accessibility": 100, "best-practices": 100, "seo": 100}
PAGES = ("", "papers/2611.00001", "subscribe/")
RUNS = 5
FOLDER = Path(os.environ.get("LIGHTHOUSE_DIR", REPOSITORY / "var" / "lighthouse")).resolve()
PROGRAM = FOLDER / "node_modules" / ".bin" / "lighthouse"
# Nothing of the browser's own asks anybody anything while we look.
_FLAGS = "--headless=new --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
_SECONDS = 180
# The browser does not always come up on a busy machine.
_TRIES = 3

Scores = dict[str, float]


def main() -> int:
    """Look at every page, print a table, and say whether all bars are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.lighthouse", description="Lighthouse on public pages.")
    parser.add_argument("--install", action="store_true", help="install Lighthouse with npm first, into var/lighthouse")
    parser.add_argument("--runs", type=int, default=RUNS, metavar="N", help=f"the median of N runs (default {RUNS})")
    options = parser.parse_args()
    if options.install:
        install()
    browser = find_browser()
    if browser is None or not PROGRAM.exists() or shutil.which("node") is None:
        sys.stderr.write("Node, Chromium or Lighthouse is not here: python -m tests.site.lighthouse --install\n")
        return NOT_HERE
    try:
        found = look(runs=max(1, options.runs), browser=browser)
    except NoPostgresError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_HERE
    return MISSED if report(found) else 0


def install() -> None:
    """What package.json names, with npm."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("package.json"), FOLDER)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund"], cwd=FOLDER, check=True)


def look(*, runs: int, browser: Path) -> dict[str, Scores]:
    """The medians of each page, by its path."""
    with tempfile.TemporaryDirectory(prefix="papers-lighthouse-") as folder:
        bench = Bench(n=0, rounds=1, folder=Path(folder), cache=Path(folder), say=lambda text: None)
        try:
            with bench.postgres() as database:
                bench.ask("make_day", env=database.env)
                collect_static(database.env)
                with serving("config.wsgi", env=database.env) as port:
                    address = f"http://127.0.0.1:{port}/"
                    return {
                        f"/{path}": _median([_judge(f"{address}{path}", browser=browser) for _ in range(runs)])
                        for path in PAGES
                    }
        finally:
            bench.close()


def report(found: Mapping[str, Scores]) -> list[str]:
    """Print the table; what was missed."""
    say = sys.stdout.write
    say(f"{'':22}{''.join(f'{name:>16}' for name in BARS)}\n")
    missed = []
    for path, scores in found.items():
        say(f"{path:22}{''.join(f'{scores[name]:16.0f}' for name in BARS)}\n")
        missed += [f"{path}: {name} {scores[name]:.0f} < {bar}" for name, bar in BARS.items() if scores[name] < bar]
    say("".join(f"missed: {one}\n" for one in missed))
    return missed


def _judge(address: str, *, browser: Path) -> Scores:
    for _ in range(_TRIES):
        done = _run(address, browser=browser)
        if done.returncode == 0:
            break
    else:
        raise SystemExit(f"Lighthouse failed: {done.stderr[-2000:]}")
    judged = json.loads(done.stdout)
    for audit in judged["audits"].values():
        if audit["score"] is not None and audit["score"] < 1 and audit["scoreDisplayMode"] == "binary":
            sys.stdout.write(f"  {address}: {audit['title']}\n")
    return {name: 100 * (judged["categories"][name]["score"] or 0) for name in BARS}


def _run(address: str, *, browser: Path) -> "subprocess.CompletedProcess[str]":
    options = ["--quiet", "--output", "json", f"--only-categories={','.join(BARS)}", f"--chrome-flags={_FLAGS}"]
    return subprocess.run(
        [PROGRAM, address, *options],
        env={**os.environ, "CHROME_PATH": str(browser)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_SECONDS,
    )


def _median(runs: list[Scores]) -> Scores:
    return {name: statistics.median(run[name] for run in runs) for name in BARS}


if __name__ == "__main__":
    sys.exit(main())

"""The whole suite, as `make test` runs it: python -m tests.suite [--fast]

First the tests marked `db` on a real PostgreSQL, then every test on SQLite, the journeys with a real worker and a real
browser included. What cannot run on this machine is said loudly; with REQUIRE_ALL=1 it is an error. `--fast` leaves
out PostgreSQL, worker and browser.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests import with_postgres
from tests.find_browser import WHAT_TO_DO, find_browser, install_browser

REPOSITORY = Path(__file__).resolve().parent.parent
# Two processes: the suite is made for the two cores of a small machine.
PYTEST = (sys.executable, "-m", "pytest", "-p", "tests.not_run", "-n", "2", "--dist", "loadgroup")
# What the shell of whoever runs the tests may hold, and would turn the tests into something else.
NOT_FOR_TESTS = ("DATABASE_URL", "REDIS_URL", "SITE_URL", "EMAIL_PROVIDER", "FETCH_ALLOW", "PYTEST_ADDOPTS")


def tests_env() -> dict[str, str]:
    """An environment in which nothing leaves this machine and the owner's own `var/` is not touched."""
    kept = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in NOT_FOR_TESTS}
    var_dir = Path(os.environ.get("VAR_DIR", REPOSITORY / "var")).resolve() / "test"
    return {**kept, "OFFLINE": "1", "VAR_DIR": str(var_dir), "REQUIRE_RUN": ""}


def run_fast() -> int:
    """Unit and service tests on SQLite only."""
    return subprocess.run(
        [*PYTEST, "-m", "not worker and not browser and not slow"], env=tests_env(), cwd=REPOSITORY, check=False
    ).returncode


def run_all(*, require_all: bool) -> int:
    """Everything; 0 when all that could run passed (and, with `require_all`, everything could)."""
    env = tests_env()
    missing = []
    browser = find_browser() or install_browser()
    if browser:
        env["CHROMIUM"] = str(browser)
    else:
        missing.append(f"the browser journeys. {WHAT_TO_DO}")
    _announce("tests marked db, on a real PostgreSQL")
    db_env = {**env, "REQUIRE_RUN": "db" if require_all else ""}
    db_code = with_postgres.run([*PYTEST, "-m", "db"], env=db_env, folder=REPOSITORY)
    if db_code == with_postgres.NO_POSTGRES:
        missing.append("the tests marked db on PostgreSQL, because there is none on this machine.")
        db_code = 0
    _announce("every test, on SQLite")
    all_env = {**env, "REQUIRE_RUN": "worker browser" if require_all else ""}
    code = subprocess.run(PYTEST, env=all_env, cwd=REPOSITORY, check=False).returncode
    for what in missing:
        sys.stdout.write(f"\n!!! NOT RUN: {what}\n")
    if db_code:
        sys.stdout.write(f"\n!!! FAILED on PostgreSQL (exit code {db_code}); its report stands above.\n")
    return code or db_code or (1 if require_all and missing else 0)


def _announce(what: str) -> None:
    sys.stdout.write(f"\n>>> {what}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.suite", description="Run the tests.")
    parser.add_argument("--fast", action="store_true", help="leave out PostgreSQL, worker and browser")
    options = parser.parse_args()
    return run_fast() if options.fast else run_all(require_all=os.environ.get("REQUIRE_ALL", "") not in {"", "0"})


if __name__ == "__main__":
    sys.exit(main())

"""Finds a Chromium for the browser journeys, and installs one where that is possible.

python -m tests.find_browser             prints its path; exit code 1 if there is none
python -m tests.find_browser --install   installs one first if there is none
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Downloading a browser takes a minute or two; where downloads are blocked without an answer, this is how long we wait.
DOWNLOAD_SECONDS = 240
APT_SECONDS = 300
WHAT_TO_DO = """\
No Chromium found, so the browser journeys cannot run. Install one of these ways and try again:
    .venv/bin/playwright install --with-deps chromium
    apt-get install chromium              (Debian; on Ubuntu the line above)
or name one that you have: CHROMIUM=/path/to/chromium make test
"""


def find_browser() -> Path | None:
    """The browser named by CHROMIUM, else one on PATH, else Playwright's own; None where there is none that starts."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [*filter(None, map(shutil.which, NAMES)), *_playwrights_own()]
    return next((Path(path) for path in found if starts(path)), None)


def starts(path: str) -> bool:
    """Whether this browser runs at all: Ubuntu's `chromium-browser`, for one, is a script that asks for a snap."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install_browser() -> Path | None:
    """Install one through Playwright, else (as root, on Debian) through apt; None where neither works."""
    playwright = [sys.executable, "-m", "playwright", "install"]
    if _may_use_apt():
        # It brings the system's libraries along, which takes apt and root.
        playwright.append("--with-deps")
    if _try([*playwright, "chromium"], seconds=DOWNLOAD_SECONDS) and (found := find_browser()):
        return found
    if (
        _may_use_apt()
        and _try(["apt-get", "update"], seconds=APT_SECONDS)
        and _try(["apt-get", "install", "-y", "--no-install-recommends", "chromium"], seconds=APT_SECONDS)
    ):
        return find_browser()
    return None


def _playwrights_own() -> list[str]:
    from playwright.sync_api import Error, sync_playwright

    try:
        with sync_playwright() as playwright:
            path = playwright.chromium.executable_path
    except Error:
        return []
    return [path] if Path(path).exists() else []


def _may_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _try(command: Sequence[str], *, seconds: float) -> bool:
    sys.stderr.write(f"Trying: {' '.join(command)}\n")
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"That did not work: {error}\n")
        return False
    if done.returncode:
        sys.stderr.write(f"That did not work (exit code {done.returncode}).\n")
    return done.returncode == 0


def main() -> int:
    """Print the browser's path, or what to do."""
    parser = argparse.ArgumentParser(prog="python -m tests.find_browser", description="Find a Chromium.")
    parser.add_argument("--install", action="store_true", help="install one where there is none")
    options = parser.parse_args()
    found = find_browser()
    if found is None and options.install:
        found = install_browser()
    if found is None:
        sys.stderr.write(WHAT_TO_DO)
        return 1
    sys.stdout.write(f"{found}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The site of `make run` and a real browser, for journeys through it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, sync_playwright

from config.guard import end_group
from tests.find_browser import WHAT_TO_DO, find_browser

REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
# At whatever hour this runs: the edition of today is out, and the open one is that of tomorrow.
PAST_CUTOFF = {"EDITION_CUTOFF": "00:00"}
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


@dataclass(frozen=True)
class Site:
    """A site that runs, and the sign-in it printed."""

    url: str
    password: str
    var_dir: Path


@contextmanager
def running_site(var_dir: Path) -> Iterator[Site]:
    """The whole product on this machine, with everything it writes in `var_dir`, until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(var_dir), "PORT": str(port), "OFFLINE": "1", **PAST_CUTOFF}
    out = var_dir / "run_local.txt"
    with out.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "run_local"],
            cwd=REPOSITORY,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_SECONDS
        while "Daily Papers is running." not in (said := out.read_text()):
            assert process.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.1)
        found = re.search(r"password (\S+)", said)
        assert found
        yield Site(f"http://127.0.0.1:{port}", found[1], var_dir)
    finally:
        process.send_signal(signal.SIGINT)
        end_group(process.pid, grace=30, reap=process.poll)


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A Chromium; the test is skipped where there is none."""
    path = find_browser()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield chromium
        chromium.close()


def is_error(message: ConsoleMessage) -> bool:
    # A form answers a mistake with 422 and a clash with 409, which Chromium reports as if something were missing.
    return message.type == "error" and not any(f"status of {code}" in message.text for code in (409, 422))


@contextmanager
def visitor(browser: Browser, site: Site, **options: Any) -> Iterator[Page]:
    """A fresh person at the browser, whose every request beyond the site fails the test, as does every error."""
    strangers: list[str] = []
    errors: list[str] = []

    def check(route: Route) -> None:
        if route.request.url.startswith((site.url, "data:", "about:")):
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    context = browser.new_context(base_url=site.url, **options)
    context.route("**/*", check)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if is_error(message) else None)
    yield page
    context.close()
    assert strangers == []
    assert errors == []


def tab_to(page: Page, selector: str, *, key: str = "Tab") -> None:
    """Walk with the keyboard until the element has the focus."""
    for _ in range(120):
        page.keyboard.press(key)
        if page.locator(selector).and_(page.locator(":focus")).count():
            return
    pytest.fail(f"the keyboard never reaches {selector}")

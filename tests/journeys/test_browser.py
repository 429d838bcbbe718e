"""The site of `make run` in a real browser: a reader with a keyboard and no JavaScript, and a curator."""

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
from playwright.sync_api import Browser, ConsoleMessage, Page, Route, expect, sync_playwright

from config.guard import end_group
from tests.find_browser import WHAT_TO_DO, find_browser

pytestmark = pytest.mark.browser
REPOSITORY = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
ADDRESS = "ada@example.org"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync"
).split()


@dataclass(frozen=True)
class Site:
    """A site that runs, and the sign-in it printed."""

    url: str
    password: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    var_dir = tmp_path_factory.mktemp("var")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "VAR_DIR": str(var_dir), "PORT": str(port), "OFFLINE": "1"}
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
        yield Site(f"http://127.0.0.1:{port}", found[1])
    finally:
        process.send_signal(signal.SIGINT)
        end_group(process.pid, grace=30, reap=process.poll)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield chromium
        chromium.close()


def is_error(message: ConsoleMessage) -> bool:
    # The form's own answer to a mistake is a 422, which Chromium reports as if something were missing.
    return message.type == "error" and "status of 422" not in message.text


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


def open_mail(page: Page, subject: str, *, to: str = ADDRESS) -> None:
    """Wait for the mail to this address in the mailbox and open it with the keyboard."""
    until = time.monotonic() + 30
    page.goto("/outbox/")
    while not page.get_by_role("link", name=re.compile(subject)).filter(has_text=to).count():
        assert time.monotonic() < until, page.inner_text("main")
        time.sleep(0.2)
        page.reload()
    tab_to(page, f"main a:has-text({subject!r}):has-text({to!r})")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/outbox/[^/]+/$"))


def follow_in_text(page: Page, part: str) -> None:
    """Open the mail's text part and the first link there of this kind, with the keyboard."""
    tab_to(page, "main nav a:has-text('Text')")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/text/$"))
    tab_to(page, f"pre a[href*='/{part}/']")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/{part}/"))


def test_a_reader_with_a_keyboard_and_without_javascript_signs_up_reads_and_leaves(browser: Browser, site: Site):
    with visitor(browser, site, java_script_enabled=False) as page:
        page.goto("/")
        expect(page.locator("h3").first).to_be_visible()
        expect(page.locator(".badge").first).to_have_text("Sample")
        tab_to(page, "form summary")
        page.keyboard.press("Enter")
        tab_to(page, "input[value=language]")
        page.keyboard.press("Space")
        expect(page.locator("input[value=language]")).to_be_checked()
        tab_to(page, "input[name=email]", key="Shift+Tab")
        page.keyboard.type(ADDRESS)
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Look into your inbox")

        open_mail(page, "onfirm")
        follow_in_text(page, "confirm")
        expect(page.locator("main")).to_contain_text("a•••@e•••.org")
        tab_to(page, "main button")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("Welcome")

        open_mail(page, "Sample")
        digest = page.frame_locator("iframe")
        expect(digest.locator("body")).to_contain_text("Language")
        assert digest.locator("a[href*='arxiv.org/abs/']").count() >= 5
        follow_in_text(page, "manage")
        expect(page.locator("input[value=language]")).to_be_checked()
        tab_to(page, "input[name=max_papers]")
        page.keyboard.press("Control+A")
        page.keyboard.type("4")
        page.keyboard.press("Enter")
        expect(page.locator(".saved")).to_contain_text("Saved.")
        expect(page.locator("input[name=max_papers]")).to_have_value("4")

        tab_to(page, "a[href*='/unsubscribe/']")
        page.keyboard.press("Enter")
        tab_to(page, "main button")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text("You are unsubscribed")


def test_the_button_of_the_html_mail_leads_out_of_the_mailbox(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        page.goto("/subscribe/")
        page.fill("input[name=email]", "bob@example.org")
        page.get_by_role("button", name="Send me papers").click()
        expect(page.locator("h1")).to_have_text("Look into your inbox")
        open_mail(page, "onfirm", to="bob@example.org")
        with page.context.expect_page() as opened:
            page.frame_locator("iframe").locator("a[href*='/confirm/']").first.click()
        expect(opened.value.locator("h1")).to_have_text("Nearly there")


def test_a_mistake_is_said_beside_the_field_and_a_browser_tells_its_zone(browser: Browser, site: Site):
    with visitor(browser, site, timezone_id="Asia/Tokyo") as page:
        page.goto("/subscribe/")
        expect(page.locator("select[name=zone]")).to_have_value("Asia/Tokyo")
        page.select_option("select[name=zone]", "Europe/Berlin")
        page.get_by_role("button", name="See what this brings").click()
        page.wait_for_url("**/subscribe/#part-topics")
        page.fill("input[name=email]", "ada@nowhere")
        page.locator("input[value=vision]").check()
        with page.expect_response(lambda response: response.request.method == "POST") as answered:
            page.get_by_role("button", name="Send me papers").click()
        assert answered.value.status == 422
        expect(page.locator("#email-error")).to_contain_text("not a whole domain name")
        expect(page.locator("input[value=vision]")).to_be_checked()
        expect(page.locator("input[name=email]")).to_have_value("ada@nowhere")
        # What was chosen is not guessed away again.
        expect(page.locator("select[name=zone]")).to_have_value("Europe/Berlin")


@pytest.mark.parametrize("width", [320, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_is_wider_than_the_screen(browser: Browser, site: Site, width: int, scheme: str):
    with visitor(browser, site, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for path in ("/", "/subscribe/", "/subscribe/check-your-inbox/", "/outbox/"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_a_curator_signs_in_picks_a_paper_and_sees_it_in_a_preview(browser: Browser, site: Site):
    with visitor(browser, site) as reader:
        reader.goto("/subscribe/")
        reader.fill("input[name=email]", "eve@example.org")
        reader.keyboard.press("Enter")
        expect(reader.locator("h1")).to_have_text("Look into your inbox")
    with visitor(browser, site, viewport={"width": 1280, "height": 900}) as page:
        page.goto("/admin/")
        page.fill("input[name=username]", "admin")
        page.fill("input[name=password]", site.password)
        page.keyboard.press("Enter")
        page.locator("#content").get_by_role("link", name="Editions", exact=True).click()
        page.locator("#result_list th.field-date a").first.click()
        title = page.locator("#entries-3 .field-paper").inner_text().strip()
        page.select_option("#id_entries-3-choice", "pick")
        page.fill("#id_entries-3-note", "The one to read today.")
        page.fill("#id_title", "A good day")
        page.get_by_role("button", name="Save and continue editing").click()
        expect(page.locator(".messagelist")).to_contain_text("was changed successfully")
        expect(page.locator("#entries-0 .field-paper")).to_have_text(title)

        page.get_by_role("link", name="Preview as a reader").click()
        page.fill("input[name=email]", "eve@example.org")
        page.keyboard.press("Enter")
        digest = page.frame_locator("iframe.desk-phone")
        expect(digest.locator("body")).to_contain_text("The one to read today.")
        expect(page.locator("ol li").first).to_contain_text("Picked by the editor")

        page.goto("/")
        expect(page.locator("h1")).to_have_text("A good day")
        expect(page.locator("h3").first).to_have_text(title)
        expect(page.locator(".note").first).to_contain_text("The one to read today.")

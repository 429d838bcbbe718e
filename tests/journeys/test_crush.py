"""A crush at the form in a real browser: its script proves work and the mail leaves at once; without it the mail waits
its turn, and the page says so."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import Settings

from limits.models import Bucket
from subscriptions.models import Notice
from tests.find_browser import WHAT_TO_DO, find_browser
from tests.journeys.test_scanners import FLAGS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def browser() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def crush(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sign-up a minute is ordinary, and of those without a proof one an hour is mailed at once."""
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.SIGNUPS_CALM = 1
    settings.UNPROVEN_CONFIRMATIONS_PER_HOUR = 6


def sign_up(page: Page, url: str, address: str) -> None:
    page.goto(f"{url}/subscribe/")
    page.fill("input[name=email]", address)
    page.get_by_role("button", name="Send me papers").click()
    expect(page.locator("h1")).to_have_text("Look into your inbox", timeout=30_000)


def test_with_javascript_the_browser_proves_work_and_the_mail_leaves_at_once(live_server: Any, browser: Browser):
    errors: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    for number in range(4):
        sign_up(page, live_server.url, f"reader{number}@example.org")
        expect(page.locator("main")).not_to_contain_text("signing up just now")
    assert errors == []
    waiting = list(Notice.objects.order_by("pk").values_list("not_before", flat=True))
    assert waiting == [None] * 4
    # Each proof was used, once: the first sign-up was calm, but too quick for a person.
    assert Bucket.objects.filter(name__startswith="signup:proof:").count() == 3


def test_without_javascript_the_request_is_taken_and_the_page_says_that_its_mail_waits(
    live_server: Any, browser: Browser
):
    page = browser.new_context(java_script_enabled=False).new_page()
    sign_up(page, live_server.url, "first@example.org")
    expect(page.locator("main")).not_to_contain_text("signing up just now")
    sign_up(page, live_server.url, "second@example.org")
    expect(page.locator("[role=status]")).to_contain_text("it leaves within 10 minutes")
    first, second = Notice.objects.order_by("pk")
    assert first.not_before is None
    assert second.not_before is not None


def test_the_page_tells_what_the_browser_does_and_the_policy_lets_it(live_server: Any, browser: Browser):
    page = browser.new_page()
    sign_up(page, live_server.url, "first@example.org")
    page.goto(f"{live_server.url}/subscribe/")
    page.fill("input[name=email]", "second@example.org")
    said: list[str] = []
    page.expose_function("heard", lambda text: said.append(text))
    page.evaluate(
        "new MutationObserver((all) => window.heard(all[0].target.textContent))"
        ".observe(document.querySelector('[data-proof-status]'), {childList: true})"
    )
    page.get_by_role("button", name="Send me papers").click()
    expect(page.locator("h1")).to_have_text("Look into your inbox", timeout=30_000)
    assert said
    assert "your browser shows that it is none of a crowd" in said[0]
    assert django_settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]["script-src"] == ["'self'"]

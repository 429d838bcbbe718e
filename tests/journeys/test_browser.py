"""The site of `make run` in a real browser: a reader with a keyboard and no JavaScript, and visitors."""

import re
import time

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.people import Site, tab_to, visitor

pytestmark = pytest.mark.browser
ADDRESS = "ada@example.org"


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
        tab_to(page, "#subscribe a[href^='/subscribe/']")
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_contain_text("in your inbox")
        folded = page.locator("details:not([open]):has(input[value=language]) > summary")
        if folded.count():
            tab_to(page, "details:has(input[value=language]) > summary")
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

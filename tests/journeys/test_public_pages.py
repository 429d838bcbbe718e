"""The public pages in a real browser: for everybody, by keys, with marks for what is new, and without scripts."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from justhtml import JustHTML
from playwright.sync_api import Browser, Page, expect

from tests.journeys.people import Site, visitor

pytestmark = pytest.mark.browser
FORGET_TWO = """
    const seen = JSON.parse(localStorage.getItem('papers-seen'));
    localStorage.setItem('papers-seen', JSON.stringify(seen.slice(2)));
"""


def some_paper(page: Page) -> tuple[str, str]:
    """The title and the address of a paper of today."""
    page.goto("/")
    link = page.locator("h3 a").first
    return link.inner_text(), str(link.get_attribute("href"))


def public_pages(page: Page) -> list[str]:
    """One of each kind."""
    _, paper = some_paper(page)
    page.goto(paper)
    author = str(page.locator("p.authors a").first.get_attribute("href"))
    day = str(page.locator("p.date a").first.get_attribute("href"))
    topic = str(page.locator("dl.facts a[href^='/topics/']").first.get_attribute("href"))
    date = day.rsplit("/", 1)[1]
    found = ["/", day, paper, author, topic, f"/papers/month/{date[:7]}", "/papers/trending", "/archive", "/status"]
    return [*found, "/about/", "/search", "/search?q=model&order=date", "/search?q=xyzzyx"]


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (375, "dark"), (1280, "light"), (1280, "dark")])
def test_every_page_fits_every_screen_and_everybody_can_use_it(browser: Browser, site: Site, width: int, scheme: str):
    with visitor(browser, site, viewport={"width": width, "height": 800}, color_scheme=scheme) as page:
        for path in public_pages(page):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            for folded in page.locator("main details").all()[:3]:
                folded.evaluate("one => { one.open = true }")
            found = Axe().run(page)
            assert found.violations_count == 0, (path, found.generate_report())


def test_every_page_is_html_without_a_fault_and_asks_nobody_else(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in public_pages(page):
            answer = page.goto(path)
            assert answer is not None
            parsed = JustHTML(answer.text(), collect_errors=True)
            assert parsed.errors == [], path
            ids = re.findall(r'\bid="([^"]+)"', answer.text())
            assert len(ids) == len(set(ids)), path
        assert all(url.startswith(site.url) for url in asked)


def test_without_scripts_an_abstract_unfolds_and_one_can_subscribe(browser: Browser, site: Site):
    with visitor(browser, site, java_script_enabled=False) as page:
        page.goto("/")
        folded = page.locator(".paper:has(details)").first
        if folded.count():
            rest = folded.locator(".folds i").first
            expect(rest).to_be_hidden()
            folded.locator("summary").click()
            expect(rest).to_be_visible()
        page.goto("/archive")
        page.locator(".masthead .call").click()
        expect(page.locator("#subscribe")).to_be_in_viewport()
        page.fill("#subscribe input[type=email]", "without-scripts@example.org")
        page.locator("#subscribe button").click()
        expect(page.locator("h1")).to_contain_text("inbox", ignore_case=True)


def test_keys_go_from_paper_to_paper_and_can_be_switched_off(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        page.goto("/")
        links = page.locator(".paper h3 a")
        page.keyboard.press("j")
        expect(links.nth(0)).to_be_focused()
        page.keyboard.press("j")
        expect(links.nth(1)).to_be_focused()
        page.keyboard.press("k")
        expect(links.nth(0)).to_be_focused()
        page.keyboard.press("?")
        expect(page.locator("dialog.keys")).to_be_visible()
        assert Axe().run(page).violations_count == 0
        page.locator("dialog.keys input").uncheck()
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        expect(links.nth(1)).not_to_be_focused()
        page.keyboard.press("?")
        page.locator("dialog.keys input").check()
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.wait_for_url("**/search")
        page.keyboard.press("/")
        expect(page.locator("#q")).to_be_focused()
        page.keyboard.type("j/k?")
        expect(page.locator("#q")).to_have_value("j/k?")


def test_what_is_new_since_the_last_visit_is_marked_in_this_browser_alone(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        page.goto("/")
        expect(page.locator(".new")).to_have_count(0)
        page.evaluate(FORGET_TWO)
        page.reload()
        expect(page.locator(".new")).to_have_count(2)
        expect(page.locator(".new").first).to_have_text("New")
        page.reload()
        expect(page.locator(".new")).to_have_count(0)


def test_an_entry_for_a_bibliography_is_copied_by_a_button(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        _, address = some_paper(page)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(address)
        page.locator("details.cite summary").click()
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()").startswith("@misc{")


def test_the_search_follows_the_keys_and_the_address_with_it(browser: Browser, site: Site):
    with visitor(browser, site) as page:
        title, address = some_paper(page)
        word = re.findall(r"[A-Za-z]{6,}", title)[0]
        page.goto("/search")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.locator("#q").press_sequentially(word, delay=20)
        expect(page.locator(f"#found h3 a[href={address!r}]")).to_be_visible()
        expect(page).to_have_url(re.compile(rf"/search\?q={word}$"))
        assert len(asked) <= 1 + len(word) // 2
        page.locator("#q").press_sequentially(" xyzzyx")
        expect(page.locator("#found")).to_contain_text("Nothing fits")
        page.goto(f"/search?q=https://arxiv.org/abs/{address.removeprefix('/papers/')}")
        expect(page).to_have_url(re.compile(rf"{re.escape(address)}$"))

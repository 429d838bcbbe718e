"""A curator's morning in a real browser, from sign-in to the mail in a reader's inbox: with a mouse, with a keyboard
alone, without scripts, and two curators at once."""

import re
import subprocess
import sys
import time
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.journeys.people import PAST_CUTOFF, REPOSITORY, Site, tab_to, visitor

pytestmark = pytest.mark.browser

STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Thirty papers of tomorrow, as a source brings them.
SEED = """
import datetime as dt, sys
from django.utils import timezone
from digests import editions
from digests.models import Edition, EditionPaper
from papers.models import Announcement, Paper, Source, Topic
now, source = timezone.now(), Source.objects.first()
date = editions.open_date(now) + dt.timedelta(days=int(sys.argv[1]))
edition, _ = Edition.objects.get_or_create(date=date, defaults={"cutoff_at": now + dt.timedelta(hours=5)})
for number in range(30):
    paper = Paper.objects.create(
        key=f"arxiv:desk{sys.argv[1]}.{number:05}", title=f"Whale song {number}: a study of voices {sys.argv[1]}",
        abstract="They sing. We listen.", authors=["Ada Lovelace", "Grace Hopper"], upvotes=60 - number,
        announced_date=now.date(), first_seen_at=now - dt.timedelta(minutes=1), link="https://arxiv.org/abs/2611.1",
    )
    paper.topics.set(Topic.objects.filter(slug="language"))
    Announcement.objects.create(
        paper=paper, source=source, date=now.date(), kind="new", seen_at=now - dt.timedelta(minutes=1)
    )
    EditionPaper.objects.get_or_create(edition=edition, paper=paper)
from django.contrib.auth.models import User
User.objects.update(email="editor@example.org")
print("edition", edition.pk)
"""


def run(site: Site, script: str, *args: str) -> str:
    """A few lines of Python in the site's own database."""
    env = {"PATH": sys.exec_prefix, "VAR_DIR": str(site.var_dir), "OFFLINE": "1", "LOG_LEVEL": "ERROR", **PAST_CUTOFF}
    code = f"import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'; django.setup()\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def new_edition(site: Site, *, days: int) -> str:
    """A draft with thirty candidates, so many days from the open one; its address."""
    found = re.search(r"edition (\d+)", run(site, SEED, str(days)))
    assert found
    return f"/admin/digests/edition/{found[1]}/change/"


def sign_in(page: Page, site: Site, to: str = "/admin/") -> None:
    page.goto(f"/admin/login/?next={to}")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", site.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}{to}")


@pytest.fixture(scope="module")
def curator(browser: Browser, site: Site) -> Any:
    """The cookies of somebody who has signed in."""
    context = browser.new_context(base_url=site.url)
    page = context.new_page()
    sign_in(page, site)
    state = context.storage_state()
    context.close()
    return state


def picks(page: Page) -> list[str]:
    return [text.strip() for text in page.locator(".today-pick .today-title a").all_inner_texts()]


def candidate(page: Page, number: int, days: int) -> Any:
    title = f"Whale song {number}: a study of voices {days}"
    return page.locator("#candidate-list li").filter(has=page.get_by_role("link", name=title, exact=True))


def pick(page: Page, number: int, days: int) -> None:
    candidate(page, number, days).get_by_role("button", name=re.compile("^Pick")).click()
    expect(page.locator(".today-pick .today-title", has_text=f"Whale song {number}:")).to_be_visible()


def subscribe(browser: Browser, site: Site, address: str) -> None:
    run(
        site,
        "import sys\nfrom django.utils import timezone\nfrom subscriptions.models import Subscriber\n"
        "from subscriptions.addresses import hash_address\nnow = timezone.now()\n"
        "Subscriber.objects.get_or_create(email=sys.argv[1], defaults=dict(address_hash=hash_address(sys.argv[1]),"
        " state='active', confirmed_at=now, next_due_at=now))",
        address,
    )


def test_a_curators_morning_from_signing_in_to_the_mail_in_the_inbox(browser: Browser, site: Site):
    url = new_edition(site, days=0)
    with visitor(browser, site, viewport={"width": 1280, "height": 2600}) as page:
        sign_in(page, site)
        page.locator("#content").get_by_role("link", name="Today’s edition").click()
        page.wait_for_url(f"**{url}")
        expect(page.locator("#countdown")).to_have_text(re.compile(r"in \d+:\d\d:\d\d"))

        page.fill("#q", "song 7:")
        expect(page.locator("#shown")).to_contain_text("match")
        pick(page, 7, 0)
        page.fill("#q", "")
        expect(page.locator("#candidate-list li")).to_have_count(29)
        pick(page, 0, 0)
        pick(page, 3, 0)
        assert [title.split(":")[0] for title in picks(page)] == ["Whale song 7", "Whale song 0", "Whale song 3"]

        note = page.locator(".today-pick textarea").first
        note.fill("Read this **first**.")
        expect(page.locator(".today-pick .today-live").first.locator("strong")).to_have_text("first")
        # The third is dragged above the first.
        grip, above = (
            page.locator(".today-grip").nth(2).bounding_box(),
            page.locator(".today-pick").nth(0).bounding_box(),
        )
        assert grip
        assert above
        page.mouse.move(grip["x"] + 5, grip["y"] + 5)
        page.mouse.down()
        for away in (300, 60, 6):
            page.mouse.move(above["x"] + 100, above["y"] + away, steps=6)
            page.wait_for_timeout(150)
        page.mouse.up()
        expect(page.locator(".messagelist")).to_contain_text("changed the order")
        assert [title.split(":")[0] for title in picks(page)] == ["Whale song 3", "Whale song 7", "Whale song 0"]
        # The note that was being written came along.
        expect(page.locator(".today-pick textarea").nth(1)).to_have_value("Read this **first**.")

        candidate(page, 1, 0).get_by_role("button", name=re.compile("^Hide")).click()
        expect(page.locator(".today-hidden input")).to_be_focused()
        page.keyboard.type("Shown last week.")
        page.keyboard.press("Enter")
        expect(page.locator(".messagelist")).to_contain_text("why it is hidden")

        candidate(page, 2, 0).get_by_role("button", name=re.compile("^Who gets it")).click()
        expect(candidate(page, 2, 0).locator(".today-reach")).to_contain_text(re.compile("reader|Nobody"))
        page.locator(".today-suggestions button").first.click()
        expect(page.locator("#subject")).to_have_value(re.compile("Whale song 3"))

        page.get_by_role("button", name="Preview").click()
        page.wait_for_url("**/preview/")
        digest = page.frame_locator("iframe.desk-phone")
        expect(digest.locator("body")).to_contain_text("Read this first.")
        page.get_by_role("button", name=re.compile("Send it to me")).click()
        expect(page.locator(".messagelist")).to_contain_text("The mail service took it, for editor@example.org.")

        subscribe(browser, site, "eve@example.org")
        page.goto(url)
        page.locator("#publish-now").click()
        page.locator("#publish").click()
        expect(page.locator(".messagelist")).to_contain_text("1 published.")
        expect(page.locator(".today-badge")).to_contain_text("Published")
        until = time.monotonic() + 120
        page.goto("/outbox/")
        while not page.get_by_role("link", name=re.compile("Whale song 3")).filter(has_text="eve@example.org").count():
            assert time.monotonic() < until, page.inner_text("main")
            time.sleep(1)
            page.reload()


def test_the_same_with_a_keyboard_alone(browser: Browser, site: Site):
    url = new_edition(site, days=1)
    with visitor(browser, site, viewport={"width": 1280, "height": 900}) as page:
        page.goto(f"/admin/login/?next={url}")
        expect(page.locator("#id_username")).to_be_focused()
        page.keyboard.type("admin")
        page.keyboard.press("Tab")
        page.keyboard.type(site.password)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{site.url}{url}")
        first = "#candidate-list li:first-child button[value^=pick]"
        tab_to(page, first)
        for number in (1, 2):
            page.keyboard.press("Enter")
            expect(page.locator(".today-pick")).to_have_count(number)
            # The focus stands at the next paper, so picking goes on from there.
            expect(page.locator(first)).to_be_focused()
        tab_to(page, "#picks li:nth-child(2) textarea", key="Shift+Tab")
        page.keyboard.type("By hand.")
        page.keyboard.press("Alt+ArrowUp")
        expect(page.locator("#picks li:first-child textarea")).to_have_value("By hand.")
        assert [title.split(":")[0] for title in picks(page)] == ["Whale song 1", "Whale song 0"]
        tab_to(page, "#hold", key="Shift+Tab")
        page.keyboard.press("Enter")
        expect(page.locator(".today-badge")).to_contain_text("Held")
        tab_to(page, "#undo")
        page.keyboard.press("Enter")
        expect(page.locator(".today-badge")).to_contain_text("Draft")
        expect(page.locator(".messagelist")).to_contain_text("Taken back: held (by admin).")
        tab_to(page, "#publish-now")
        page.keyboard.press("Enter")
        tab_to(page, "#publish")
        page.keyboard.press("Enter")
        expect(page.locator(".messagelist")).to_contain_text("1 published.")


def test_the_same_without_scripts(browser: Browser, site: Site):
    url = new_edition(site, days=2)
    with visitor(browser, site, java_script_enabled=False) as page:
        sign_in(page, site, url)
        page.fill("#q", "song 29:")
        page.fill("#intro", "Good morning.")
        page.keyboard.press("Tab")
        page.locator("#filter").click()
        expect(page.locator("#candidate-list li")).to_have_count(1)
        expect(page.locator("#intro")).to_have_value("Good morning.")
        candidate(page, 29, 2).get_by_role("button", name=re.compile("^Pick")).click()
        page.fill("#q", "")
        page.locator("#filter").click()
        candidate(page, 0, 2).get_by_role("button", name=re.compile("^Pick")).click()
        page.get_by_role("button", name=re.compile("Move up: Whale song 0")).click()
        assert [title.split(":")[0] for title in picks(page)] == ["Whale song 0", "Whale song 29"]
        candidate(page, 5, 2).get_by_role("button", name=re.compile("^Who gets it")).click()
        expect(page.locator("#reach")).to_contain_text(re.compile("reader|Nobody"))
        page.goto(url)
        candidate(page, 5, 2).get_by_role("button", name=re.compile("^Correct")).click()
        page.fill("#id_title", "Whale song, corrected")
        page.get_by_role("button", name="Save the correction").click()
        expect(page.locator("#candidate-list")).to_contain_text("Whale song, corrected")


def test_two_curators_at_once_see_what_the_other_did_and_lose_nothing(browser: Browser, site: Site, curator: Any):
    url = new_edition(site, days=3)
    known = {"storage_state": curator}
    with visitor(browser, site, **known) as ada, visitor(browser, site, **known) as grace:
        for page in (ada, grace):
            page.goto(url)
        pick(ada, 2, 3)
        pick(grace, 5, 3)
        # Different papers: both are picked, and Grace sees it.
        assert len(picks(grace)) == 2
        ada.reload()
        ada.fill("#intro", "Ada's words.")
        ada.get_by_role("button", name="Save", exact=True).last.click()
        expect(ada.locator(".messagelist")).to_contain_text("Saved: changed the introduction")
        grace.fill("#intro", "Grace's words.")
        grace.get_by_role("button", name="Save", exact=True).last.click()
        expect(grace.locator(".today-clash")).to_contain_text("Ada's words.")
        expect(grace.locator(".today-clash textarea")).to_have_value("Grace's words.")
        grace.get_by_label("Keep mine").check()
        grace.get_by_role("button", name="Save what I chose").click()
        expect(grace.locator("#intro")).to_have_value("Grace's words.")


def test_who_is_signed_out_while_writing_signs_in_elsewhere_and_loses_nothing(
    browser: Browser, site: Site, curator: Any
):
    url = new_edition(site, days=5)
    context = browser.new_context(base_url=site.url, storage_state=curator)
    page = context.new_page()
    told: list[str] = []
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.accept()))
    page.goto(url)
    page.fill("#intro", "An hour of work.")
    context.clear_cookies()
    page.locator(".today-moves button[value=save]").click()
    expect(page.locator("#desk[aria-busy]")).to_have_count(0)
    page.wait_for_timeout(500)
    assert len(told) == 1
    assert "What you typed is still here" in told[0]
    other = context.new_page()
    sign_in(other, site)
    page.locator(".today-moves button[value=save]").click()
    expect(page.locator(".messagelist")).to_contain_text("Saved: changed the introduction")
    expect(page.locator("#intro")).to_have_value("An hour of work.")
    context.close()


def test_the_desk_is_accessible_and_fits_the_screen(browser: Browser, site: Site, curator: Any):
    url = new_edition(site, days=4)
    with visitor(browser, site, storage_state=curator) as page:
        page.goto(url)
        pick(page, 0, 4)
        page.locator("#candidate-list button[value^=hide]").first.click()
        expect(page.locator(".today-hidden li")).to_have_count(1)
        reach = page.locator("button[data-reach]").first.get_attribute("data-reach")
        assert reach
    base = url.removesuffix("change/")
    ours = [url, f"{base}preview/?topics=language", reach, reach.replace("/reach/", "/paper/"), "/admin/two-factor/"]
    ours += [f"{base}board/", "/admin/digests/edition/numbers/"]
    with visitor(browser, site, viewport={"width": 320, "height": 800}) as page:
        page.goto("/admin/login/")
        found = Axe().run(page, options={"runOnly": STANDARDS}).response["violations"]
        assert [each["id"] for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
    for width in (320, 375, 1280):
        for scheme in ("light", "dark"):
            size = {"width": width, "height": 900}
            with visitor(browser, site, storage_state=curator, viewport=size, color_scheme=scheme) as page:
                for path in [*ours, "/admin/digests/edition/", "/admin/digests/deskchange/", "/admin/"]:
                    page.goto(path)
                    found = Axe().run(page, context="#content", options={"runOnly": STANDARDS}).response["violations"]
                    assert [(each["id"], [node["html"][:200] for node in each["nodes"]]) for each in found] == [], path
                    if path in ours:
                        assert page.evaluate("document.documentElement.scrollWidth") <= width, path

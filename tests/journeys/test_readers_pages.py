"""Every page a reader sees, in a real browser: accessible, as wide as a phone, and of use without JavaScript."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pytest_django import Settings

from mailer.outbox import list_mails
from papers.volume import forget_volume
from subscriptions.models import AddressChange, Notice, ReaderSignal, Subscriber, SubscriberState
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids
from subscriptions.pausing import pause
from subscriptions.tokens import Purpose, make_token
from tests.factories import make_delivery, make_edition, make_paper, make_source, make_subscriber, make_topic
from tests.find_browser import WHAT_TO_DO, find_browser
from tests.journeys.people import FLAGS, tab_to
from tests.servers import Reply, serve

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDTHS = (320, 375, 800, 1280)


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
def topics_and_papers(monkeypatch: pytest.MonkeyPatch, live_server: Any, settings: Settings) -> None:
    # The browser's driver keeps an event loop in this thread, in which Django asks nothing of the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.SITE_URL = live_server.url
    forget_volume()
    make_topic("language", name="Language", categories=["cs.CL"], description="Language models and text.")
    make_topic("vision", name="Computer vision", categories=["cs.CV"], description="Images and video.")
    make_topic("agents", name="Agents", any_words=["agent"], description="Models that plan and act.")
    source, today = make_source(), dt.datetime.now(dt.UTC).date()
    papers = [make_paper(topics=["language"], announced_in=source, announced_date=today) for _ in range(4)]
    papers += [make_paper(topics=["vision"], announced_in=source, announced_date=today) for _ in range(2)]
    make_edition(papers, date=today, published_at=dt.datetime.now(dt.UTC))


def reader_with_a_past() -> Subscriber:
    reader = make_subscriber(email="ada@example.org", topics=["language", "agents"])
    paper = make_paper(title="A paper with a long title about whatever it is that papers are about these days")
    ReaderSignal.objects.create(subscriber=reader, paper=paper, leaning="more", at=dt.datetime.now(dt.UTC))
    edition = make_edition([paper], date=dt.date(2026, 11, 2))
    make_delivery(
        edition=edition, subscriber=reader, state="accepted", paper_ids=[paper.pk], reasons=["In your topic Language"]
    )
    return reader


def page_of(purpose: Purpose, held: str) -> str:
    return reverse(f"subscriptions:{purpose}", kwargs={"token": make_token(purpose, held)})


def pages_of(reader: Subscriber) -> dict[str, str]:
    """Every page that opens by its address."""
    pending = make_subscriber(state=SubscriberState.PENDING)
    paused = make_subscriber()
    pause(subscriber=paused, until=dt.date(2036, 1, 1), now=dt.datetime.now(dt.UTC))
    change = AddressChange.objects.create(subscriber=paused, email="new@example.org", asked_at=dt.datetime.now(dt.UTC))
    gone = make_subscriber(state=SubscriberState.UNSUBSCRIBED)
    purposes = [p for p in Purpose if p not in {Purpose.CONFIRM, Purpose.SIGNAL, Purpose.NEW_ADDRESS, Purpose.VIEW}]
    paper = ReaderSignal.objects.get().paper_id
    return {
        "front": "/",
        "form": "/subscribe/",
        "inbox": "/subscribe/check-your-inbox/",
        "embed": "/subscribe/embed/?topics=language",
        "embedded": "/subscribe/embedded/?topics=language",
        "privacy": "/privacy/",
        "confirm": page_of(Purpose.CONFIRM, pending.public_id),
        "paused": page_of(Purpose.MANAGE, paused.public_id),
        "gone": page_of(Purpose.MANAGE, gone.public_id),
        "new address": page_of(Purpose.NEW_ADDRESS, change.public_id),
        "signal": f"{page_of(Purpose.SIGNAL, reader.public_id)}more/{paper}/",
        "bad link": "/manage/nonsense/",
        **{purpose.value: page_of(purpose, reader.public_id) for purpose in purposes},
    }


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{page.url}: {one['id']}: {node['html']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_any_page(live_server: Any, browser: Browser, scheme: Any, locale: str):
    pages = pages_of(reader_with_a_past())
    phone = {"width": 375, "height": 800}
    context = browser.new_context(base_url=live_server.url, color_scheme=scheme, viewport=phone, locale=locale)
    page, wrong = context.new_page(), []
    for path in pages.values():
        page.goto(path)
        for folded in page.locator("details").all():
            folded.evaluate("details => details.open = true")
        wrong += violations(page)
    # What only a button leads to.
    page.goto("/subscribe/")
    page.locator("details.part summary").click()
    page.fill("textarea[name=seeds]", "nonsense")
    page.fill("input[name=email]", "no")
    page.locator("form.choices button:visible").first.click()
    expect(page.locator("#email-error")).to_be_visible()
    page.locator(".problems a").click()
    expect(page.locator("textarea[name=seeds]")).to_be_in_viewport()
    wrong += violations(page)
    page.goto(pages["unsubscribe"])
    page.locator("button[name=topic]", has_text="Agents").click()
    expect(page.locator("button", has_text="Agents")).to_be_visible()
    wrong += violations(page)
    assert wrong == []
    context.close()


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen(live_server: Any, browser: Browser, width: int, locale: str):
    context = browser.new_context(base_url=live_server.url, viewport={"width": width, "height": 800}, locale=locale)
    page = context.new_page()
    for name, path in pages_of(reader_with_a_past()).items():
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    context.close()


def test_what_is_pressed_is_large_enough_for_a_thumb(live_server: Any, browser: Browser):
    context = browser.new_context(base_url=live_server.url, viewport={"width": 375, "height": 800})
    page, small = context.new_page(), []
    for name, path in pages_of(reader_with_a_past()).items():
        page.goto(path)
        for button in page.locator("button, summary, select, input:not([type=hidden]):not([tabindex='-1'])").all():
            box = button.bounding_box()
            within = button.evaluate("e => e.closest('label')?.getBoundingClientRect().height ?? 0")
            if box and max(box["height"], within) < 44:
                small.append(f"{name}: {button.evaluate('e => e.outerHTML')[:100]}")
    assert small == []
    context.close()


def test_topics_are_found_while_typing_and_the_count_follows_the_boxes(live_server: Any, browser: Browser):
    page = browser.new_context(base_url=live_server.url).new_page()
    page.goto("/subscribe/")
    expect(page.locator("[data-volume]")).to_contain_text("About 6 papers a day come in")
    page.locator("details.group summary", has_text="Computer science").click()
    page.locator("input[value=language]").check()
    expect(page.locator("[data-volume]")).to_have_text("About 4 papers a day fit this topic, by the last four weeks.")
    page.locator("input[value=vision]").check()
    expect(page.locator("[data-volume]")).to_contain_text("About 6 papers a day fit these topics")
    page.locator("input[value=vision]").uncheck()
    page.fill("input[name=find]", "plan")
    expect(page.locator("input[value=agents]")).to_be_visible()
    expect(page.locator("input[value=vision]")).to_be_hidden()
    # What is ticked stays in sight.
    expect(page.locator("input[value=language]")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("in your inbox")
    page.fill("input[name=find]", "")
    expect(page.locator("input[value=vision]")).to_be_visible()


# --- a reader's life, with a keyboard and without JavaScript --------------------------------------


def send_what_waits() -> None:
    send_notices(due_ids(Notice, limit=99), now=dt.datetime.now(dt.UTC))


def link_mailed(mailbox: Path, kind: str, *, to: str) -> str:
    mail = next(mail for mail in list_mails(directory=mailbox) if mail.to == to)
    found = re.search(rf"https?://[^/\s]+(/{kind}/[^/\s\">]+/)", mail.text)
    assert found
    return found[1]


def press(page: Page, selector: str) -> None:
    tab_to(page, selector)
    page.keyboard.press("Enter")


def type_into(page: Page, selector: str, text: str) -> None:
    tab_to(page, selector)
    page.keyboard.type(text)


def test_from_the_form_to_farewell_with_a_keyboard_and_without_javascript(
    live_server: Any, browser: Browser, own_mailbox: Path
):
    page = browser.new_context(base_url=live_server.url, java_script_enabled=False).new_page()

    # Choosing, with a look at what the choice means before an address is given.
    page.goto("/subscribe/")
    type_into(page, "input[name=find]", "images")
    press(page, ".finder button")
    expect(page.locator("input[value=vision]")).to_be_visible()
    expect(page.locator("input[value=agents]")).to_have_count(0)
    tab_to(page, "input[value=vision]")
    page.keyboard.press("Space")
    type_into(page, "textarea[name=interest]", "I like protein folding")
    press(page, ".choices .actions button:has-text('See what')")
    expect(page.locator("[data-volume]")).to_contain_text("About 2 papers a day fit this topic")
    expect(page.locator("#part-topics")).to_be_in_viewport()
    expect(page.locator(".found")).to_contain_text("protein folding")
    expect(page.locator("input[value=vision]")).to_be_checked()
    type_into(page, "input[name=email]", "eve@example.org")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Look into your inbox")

    # Saying yes.
    send_what_waits()
    page.goto(link_mailed(own_mailbox, "confirm", to="eve@example.org"))
    press(page, "main button")
    expect(page.locator("h1")).to_have_text("Welcome")
    press(page, "main a.button")

    # Changing one's mind.
    expect(page.locator("textarea[name=interest]")).to_have_value("I like protein folding")
    tab_to(page, "select[name=cadence]")
    page.keyboard.press("o")
    tab_to(page, "details.part summary")
    page.keyboard.press("Enter")
    type_into(page, "textarea[name=authors]", "Ada Lovelace")
    press(page, ".choices .actions button")
    expect(page.locator(".saved")).to_contain_text("Saved.")
    expect(page.locator(".lead")).to_contain_text("each Monday at 08:00")
    expect(page.locator("textarea[name=authors]")).to_have_value("Ada Lovelace")

    # Moving to another address.
    press(page, "button[value=address]")
    expect(page.locator(".saved")).to_contain_text("on its way to you")
    send_what_waits()
    page.goto(link_mailed(own_mailbox, "address", to="eve@example.org"))
    type_into(page, "input[name=email]", "eve@example.net")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Look into your new inbox")
    send_what_waits()
    page.goto(link_mailed(own_mailbox, "new-address", to="eve@example.net"))
    press(page, "main button")
    expect(page.locator("h1")).to_have_text("Done")

    # Leaving, and thinking better of it; then being forgotten.
    reader = Subscriber.objects.get()
    page.goto(page_of(Purpose.UNSUBSCRIBE, reader.public_id))
    press(page, "main button")
    expect(page.locator("h1")).to_have_text("You are unsubscribed")
    press(page, "main button")
    expect(page.locator("h1")).to_have_text("Welcome back")
    press(page, "main a.button")
    press(page, "button[value=erase]")
    expect(page.locator(".saved")).to_contain_text("on its way to you")
    send_what_waits()
    page.goto(link_mailed(own_mailbox, "erase", to="eve@example.net"))
    press(page, "main button")
    expect(page.locator("h1")).to_have_text("You are forgotten")
    assert not Subscriber.objects.exists()


def test_the_form_pasted_into_another_site_works_there(live_server: Any, browser: Browser, tmp_path: Path):
    page = browser.new_context(base_url=live_server.url).new_page()
    page.goto("/subscribe/embed/?topics=language")
    snippet = page.locator("#paste + pre").inner_text()
    elsewhere = tmp_path / "group.html"
    elsewhere.write_text(f"<!doctype html><title>Our group</title>{snippet}", encoding="utf-8")
    page.goto(elsewhere.as_uri())
    page.fill("input[name=email]", "guest@example.org")
    page.get_by_role("button").click()
    expect(page.locator("h1")).to_have_text("Look into your inbox")
    reader = Subscriber.objects.get()
    assert (reader.email, list(reader.topics.values_list("slug", flat=True))) == ("guest@example.org", ["language"])


def test_the_small_form_works_in_a_frame_of_another_site(live_server: Any, browser: Browser):
    context = browser.new_context(base_url=live_server.url)
    page = context.new_page()
    frame = f'<iframe src="{live_server.url}/subscribe/embedded/?topics=vision" title="Subscribe"></iframe>'
    with serve({"/group": Reply(body=frame, headers={"Content-Type": "text/html"})}) as elsewhere:
        page.goto(elsewhere.url("/group"))
        page.frame_locator("iframe").locator("input[name=email]").fill("guest@example.org")
        with context.expect_page() as opened:
            page.frame_locator("iframe").get_by_role("button").click()
        expect(opened.value.locator("h1")).to_have_text("Look into your inbox")
    assert list(Subscriber.objects.get().topics.values_list("slug", flat=True)) == ["vision"]

"""A reader signs in, votes and submits in a real browser without JavaScript; and the looks of these pages."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Browser, Page, Route, expect

import papers.submitted
from mailer.outbox import list_mails
from papers.models import Paper
from subscriptions.community import claim_paper
from subscriptions.models import Notice, ReaderSession, Submission, Vote
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids
from subscriptions.submissions import read_submission
from subscriptions.tokens import Purpose, make_token
from tests.factories import make_edition, make_paper, make_subscriber
from tests.journeys.test_readers_pages import WIDTHS, violations
from tests.journeys.test_readers_pages import browser as browser
from tests.servers import Reply, serve
from tests.subscriptions.test_submissions import ANSWER

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def own_site(monkeypatch: pytest.MonkeyPatch, live_server: Any, settings: Any) -> None:
    # The browser's driver keeps an event loop in this thread, in which Django asks nothing of the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.SITE_URL = live_server.url
    settings.SIGNUP_ANSWER_MS = 0


@pytest.fixture
def paper() -> Iterator[Paper]:
    found = make_paper(title="What Clocks Measure: Time in Models of Language, and What They Make of It")
    make_edition([found], date=dt.datetime.now(dt.UTC).date(), published_at=dt.datetime.now(dt.UTC))
    return found


def sign_in_link(reader: Any) -> str:
    session = ReaderSession.objects.create(subscriber=reader, asked_at=dt.datetime.now(dt.UTC))
    return f"/sign-in/{make_token(Purpose.SIGN_IN, session.public_id)}/"


def test_from_the_button_on_a_shared_page_over_the_mailed_link_to_the_vote_without_javascript(
    live_server: Any, browser: Browser, paper: Paper, own_mailbox: Path
):
    make_subscriber(email="ada@example.org")
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False)
    page = context.new_page()
    shared = render_to_string("site/_vote.html", {"paper_id": paper.key[6:], "votes": 0})

    def from_a_cache(route: Route) -> None:
        route.fulfill(body=f"<!doctype html><title>Shared</title>{shared}", content_type="text/html")

    context.route("**/shared", from_a_cache)
    page.goto("/shared")
    page.get_by_role("button", name="Upvote").click()
    expect(page).to_have_title(re.compile("^Sign in"))
    page.get_by_label("Your mail address").fill("ada@example.org")
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your inbox")
    send_notices(due_ids(Notice, limit=9), now=dt.datetime.now(dt.UTC))
    link = re.search(r"https?://\S+/sign-in/\S+/", list_mails(directory=own_mailbox)[0].text)
    assert link
    page.goto(link[0])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Upvote this paper?")
    page.goto("/shared")
    page.get_by_role("button", name="Upvote").click()
    expect(page.get_by_role("status")).to_contain_text("1 reader here upvoted it. You are among them.")
    assert Vote.objects.count() == 1
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_role("status")).to_contain_text("0 readers here upvoted it")
    assert not Vote.objects.exists()
    context.close()


def test_a_paper_is_submitted_and_seen_without_javascript(
    live_server: Any, browser: Browser, monkeypatch: pytest.MonkeyPatch, settings: Any
):
    page = browser.new_context(base_url=live_server.url, java_script_enabled=False).new_page()
    page.goto(sign_in_link(make_subscriber()))
    page.get_by_role("button", name="Sign in").click()
    page.locator("#submitted").get_by_role("link", name="Submit a paper").click()
    page.get_by_label("arXiv id, DOI or link").fill("clocks")
    page.get_by_role("button", name="Submit").click()
    expect(page.locator("#paper-error")).to_contain_text("Please give an arXiv id")
    page.get_by_label("arXiv id, DOI or link").fill("https://arxiv.org/abs/2509.02547")
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    with serve({"/api/query": Reply(body=ANSWER)}) as server:
        settings.FETCH_ALLOW = frozenset({server.pair})
        monkeypatch.setattr(papers.submitted, "ARXIV_API", server.url("/api/query"))
        read_submission(submission_id=Submission.objects.get().pk, now=dt.datetime.now(dt.UTC))
    page.get_by_role("link", name="What you did here").click()
    expect(page.locator("#submitted")).to_contain_text("Drops, counted & weighed")
    expect(page.locator("#submitted")).to_contain_text("Read: waits for a curator")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Signed out")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_these_pages_are_accessible_and_as_wide_as_the_screen(
    live_server: Any, browser: Browser, paper: Paper, scheme: str, tmp_path: Path
):
    reader = make_subscriber()
    context = browser.new_context(base_url=live_server.url, color_scheme=scheme)
    page = context.new_page()
    wrong: list[str] = []
    link = sign_in_link(reader)
    for address in ("/sign-in/", link):
        page.goto(address)
        wrong += looked_at(page, tmp_path, f"{scheme}-{address.strip('/').split('/')[0]}-{address == link}")
    page.get_by_role("button", name="Sign in").click()
    Vote.objects.create(subscriber=reader, paper=paper, at=dt.datetime.now(dt.UTC))
    claim_paper(
        subscriber=reader,
        paper=make_paper(title="Another paper with a title that is long enough to break"),
        author="Ada Lovelace",
        now=dt.datetime.now(dt.UTC),
    )
    Submission.objects.create(
        subscriber=reader,
        key="arxiv:2509.02547",
        given="2509.02547",
        state="read",
        preview={"shown_title": "Drops, counted & weighed", "authors": ["Ines Regen", "José Gota"]},
        asked_at=dt.datetime.now(dt.UTC),
    )
    for address in ("/me/", f"/vote/{paper.key[6:]}/", f"/claim/{paper.key[6:]}/", "/submit/"):
        page.goto(address)
        wrong += looked_at(page, tmp_path, f"{scheme}-{address.strip('/').split('/')[0]}")
    assert wrong == []
    context.close()


def looked_at(page: Page, folder: Path, name: str) -> list[str]:
    """What is wrong with the page at any width; a picture of each stays in the test's folder."""
    wrong = violations(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wrong.append(f"{name} is wider than {width}")
    for button in page.locator("main button, main select, main input:not([type=hidden]):not([tabindex='-1'])").all():
        box = button.bounding_box()
        if box and box["height"] < 44:
            wrong.append(f"{name}: too small to press: {button.evaluate('e => e.outerHTML')[:90]}")
    return wrong

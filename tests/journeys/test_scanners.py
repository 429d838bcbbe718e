"""Mail scanners: whatever follows the links of our mails, as often as it likes and with JavaScript, changes nothing.

Every kind of mail that the product sends is really sent, every link in it is found (in both parts and in the headers),
and each that leads to us is asked for by HEAD and GET, twice, and opened in a real browser, twice. Then the whole
database is what it was, row by row.
"""

import datetime as dt
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, Route, sync_playwright
from pytest_django import Settings

from digests.delivering import send_deliveries
from digests.models import Delivery
from mailer.outbox import StoredMail, list_mails
from subscriptions.models import OWNER_KINDS, Notice, NoticeKind
from subscriptions.moving import ask_new_address
from subscriptions.notices import send_notices
from subscriptions.own_links import OWN_LINKS, ask_for_link
from subscriptions.sign_in import ask_to_sign_in
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber, make_topic
from tests.find_browser import WHAT_TO_DO, find_browser

TEMPLATES = Path(__file__).parents[2] / "templates" / "emails"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_LINK = re.compile(r"(?:https?://|mailto:)[^\s\"'<>]+")
_VARIABLE = re.compile(r"\{\{\s*([a-z_]+)")


def send_every_mail() -> list[StoredMail]:
    """One of each kind, through the very ways they go: confirmations to somebody pending, a goodbye to somebody who has
    left, the rest to readers."""
    now = timezone.now()
    make_topic("scanned", name="Scanned")
    edition = make_edition([make_paper(topics=["scanned"]) for _ in range(3)], date=now.date())
    reader = make_subscriber(email="reader@example.org", topics=["scanned"])
    for purpose in OWN_LINKS:
        assert ask_for_link(subscriber=reader, purpose=purpose, now=now)
    assert ask_new_address(subscriber=reader, address="elsewhere@example.org", now=now)
    assert ask_to_sign_in(address=reader.email, leads_to="/submit/", now=now)
    for kind in set(NoticeKind) - {NoticeKind.FRESH_LINK, NoticeKind.NEW_ADDRESS, NoticeKind.SIGN_IN}:
        owner = kind in OWNER_KINDS
        states = {NoticeKind.CONFIRMATION: "pending", NoticeKind.GOODBYE: "unsubscribed"}
        subscriber = None if owner else reader
        if kind in states:
            subscriber = make_subscriber(email=f"{kind}@example.org", state=states[kind], confirmed_at=None)
        Notice.objects.create(
            kind=kind,
            subscriber=subscriber,
            address_hash=subscriber.address_hash if subscriber else "",
            details=_details(kind) if owner else {},
        )
    send_notices(list(Notice.objects.values_list("pk", flat=True)), now=now)
    delivery = make_delivery(edition=edition, subscriber=reader, due_at=now - dt.timedelta(minutes=1))
    send_deliveries([delivery.pk], now=now)
    unsent = [*Notice.objects.exclude(state="accepted"), *Delivery.objects.exclude(state="accepted")]
    assert [(str(mail), mail.state, mail.reason) for mail in unsent] == []
    return list_mails(directory=django_settings.OUTBOX_DIR)


def _details(kind: str) -> dict[str, str]:
    """Something for each word that the mail has a place for."""
    words = "".join(path.read_text(encoding="utf-8") for path in (TEMPLATES / kind).iterdir())
    return {**dict.fromkeys(_VARIABLE.findall(words), "made up"), "admin_path": "/admin/papers/source/"}


def links_of(mails: list[StoredMail]) -> set[str]:
    """Every link of these mails."""
    found = set()
    for mail in mails:
        for text in (mail.text, mail.html.replace("&amp;", "&"), mail.source):
            found |= {link.rstrip(".,;)") for link in _LINK.findall(text)}
    return found


def paths_to_us(links: set[str], site: str) -> list[str]:
    host = urlsplit(site).netloc
    ours = [urlsplit(link) for link in links if urlsplit(link).netloc == host]
    return sorted({f"{link.path or '/'}{f'?{link.query}' if link.query else ''}" for link in ours})


def everything() -> dict[str, list[dict[str, Any]]]:
    """The whole database."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values())
        for model in apps.get_models(include_auto_created=True)
    }


def check_links(paths: list[str]) -> None:
    """The walk is worth something: every page that acts is on it."""
    pages = ["/confirm/", "/manage/", "/unsubscribe/", "/admin/", "/new-address/", "/keep/"]
    for page in [*pages, *[f"/{purpose}/" for purpose in OWN_LINKS]]:
        assert any(path.startswith(page) for path in paths), page


@pytest.mark.db
@pytest.mark.django_db
def test_asking_for_every_link_of_every_mail_twice_changes_not_one_row(client: Client, settings: Settings):
    mails = send_every_mail()
    # A digest, and a fresh link for each thing that takes one.
    assert len(mails) == len(NoticeKind) + 1 + len(OWN_LINKS) - 1
    assert any("List-Unsubscribe:" in mail.source for mail in mails)
    paths = paths_to_us(links_of(mails), settings.SITE_URL)
    check_links(paths)
    before = everything()
    for path in paths:
        for _ in range(2):
            for method in (client.head, client.get):
                assert method(path, follow=True).status_code in {200, 404}, path
    assert everything() == before


@pytest.fixture
def browser() -> Any:
    path = find_browser()
    if path is None:
        pytest.skip(WHAT_TO_DO)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(path), args=FLAGS)
        yield chromium
        chromium.close()


def stay_here(route: Route, *, site: str) -> None:
    """No request leaves this machine."""
    if route.request.url.startswith((site, "data:", "about:")):
        route.continue_()
    else:
        route.abort()


def open_and_look_around(page: Page, url: str) -> None:
    """As a scanner with a browser does: load it all, run its scripts, scroll, hover over what can be pressed."""
    page.goto(url, wait_until="networkidle")
    page.mouse.wheel(0, 5000)
    for button in page.locator("button, input[type=submit]").all():
        if button.is_visible():
            button.hover()
    page.wait_for_timeout(100)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_scanner_with_a_browser_that_runs_javascript_changes_not_one_row(
    live_server: Any, settings: Settings, browser: Browser, monkeypatch: pytest.MonkeyPatch
):
    # The browser's driver keeps an event loop in this thread, in which Django asks nothing of the database.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    settings.SITE_URL = live_server.url
    paths = paths_to_us(links_of(send_every_mail()), live_server.url)
    check_links(paths)
    before = everything()
    context = browser.new_context()
    context.route("**/*", lambda route: stay_here(route, site=live_server.url))
    page = context.new_page()
    opened = []
    page.on("framenavigated", lambda frame: opened.append(frame.url))
    for path in paths:
        for _ in range(2):
            open_and_look_around(page, f"{live_server.url}{path}")
    context.close()
    assert len(opened) >= 2 * len(paths)
    assert everything() == before

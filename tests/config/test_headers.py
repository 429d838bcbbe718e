"""Every answer of the site, whatever was asked and whoever answers, has the headers that keep it safe."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import URLResolver, get_resolver
from pytest_django import Settings

from digests.pages.caching import PAGES, PICTURES, PROGRAMS, kept
from subscriptions.tokens import Purpose, link
from tests.factories import TODAY, make_edition, make_paper, make_subscriber, make_topic

pytestmark = [pytest.mark.db, pytest.mark.django_db]

# What stands in addresses: of each kind something that is there, or could be.
SAMPLES = {
    "paper_id": "2509.02547",
    "date": f"{TODAY}",
    "week": "2026-W48",
    "month": "2026-11",
    "name": "Ada",
    "slug": "language",
    "form": "atom",
    "app_label": "papers",
}


MAILS = ("/view/1/", "/outbox/1/html", "/preview/")


def check(answer: Any, where: str) -> None:
    policy = answer.headers.get("Content-Security-Policy", "")
    assert "default-src 'none'" in policy, where
    # A mail is shown as it is sent, with its styles in it (docs/adr/0004); scripts run nowhere but from our own files.
    assert "unsafe" not in policy or where.endswith(MAILS), where
    assert "script-src" not in policy or "script-src 'self'" in policy, where
    assert "frame-ancestors" in policy, where
    assert answer["X-Content-Type-Options"] == "nosniff", where
    assert answer["Referrer-Policy"] in {"same-origin", "no-referrer"}, where
    # The form for other sites may stand in their frames, and nothing else may.
    assert (answer.headers.get("X-Frame-Options") in {"DENY", "SAMEORIGIN"}) != ("/embedded/" in where), where
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin", where
    assert answer["Cross-Origin-Resource-Policy"] in {"same-origin", "cross-origin"}, where
    assert "camera=()" in answer["Permissions-Policy"], where


def addresses(resolver: URLResolver, prefix: str = "/") -> Iterator[str]:
    """One address of every pattern, those of included apps too."""
    for name in resolver.reverse_dict:
        for possible, _, _, _ in resolver.reverse_dict.getlist(name):
            for text, parameters in possible:
                yield prefix + text % {one: SAMPLES.get(one, "1") for one in parameters}
    for inner, (path, sub) in resolver.namespace_dict.items():
        assert inner
        yield from addresses(sub, prefix + path)


@pytest.fixture
def paper() -> None:
    make_topic("language", name="Language")
    make_edition([make_paper(key="arxiv:2509.02547", topics=["language"])])


@pytest.mark.usefixtures("paper")
def test_the_answer_of_every_pattern_is_safe(settings: Settings):
    settings.ANYMAIL = {**settings.ANYMAIL, "WEBHOOK_SECRET": "user:password"}
    # Webhooks of services that are not set up fail, which is an answer like any other here.
    browser = Client(SERVER_NAME="127.0.0.1", enforce_csrf_checks=True, raise_request_exception=False)
    asked = sorted(set(addresses(get_resolver())))
    assert len(asked) > 100
    statuses = set()
    for address in asked:
        for answer in (browser.get(address), browser.head(address), browser.post(address)):
            statuses.add(answer.status_code)
            check(answer, f"{answer.request['REQUEST_METHOD']} {address}")
            # What others may keep is nobody's own.
            if "public" in answer.get("Cache-Control", ""):
                assert not answer.cookies, address
                assert b"csrfmiddlewaretoken" not in answer.content, address
                assert "Cookie" not in answer.get("Vary", ""), address
    assert {200, 302, 403, 404, 405} <= statuses


@pytest.mark.parametrize("purpose", [one for one in Purpose if one not in {Purpose.VIEW, Purpose.NEW_ADDRESS}])
def test_the_page_of_a_link_is_safe_and_nobody_keeps_or_lists_it(purpose: Purpose, settings: Settings):
    settings.PAGE_CACHE_SECONDS = 60
    browser = Client(SERVER_NAME="127.0.0.1")
    page = browser.get(link(purpose, make_subscriber().public_id).removeprefix(settings.SITE_URL))
    check(page, purpose)
    assert "no-store" in page["Cache-Control"]
    assert "private" in page["Cache-Control"]
    assert page.status_code == 302 or b'name="robots" content="noindex"' in page.content
    assert not page.has_header("ETag")
    assert [kept(shelf) for shelf in (PAGES, PICTURES, PROGRAMS)] == [0, 0, 0]


def test_files_refused_hosts_and_lost_pages_are_safe(client: Client):
    for path, host, status in (
        ("/static/site.css", "127.0.0.1", 200),
        ("/static/favicon.svg", "127.0.0.1", 200),
        ("/no-such-page", "127.0.0.1", 404),
        ("/", "evil.example", 400),
        ("/static/../config/settings.py", "127.0.0.1", 404),
    ):
        answer = client.get(path, SERVER_NAME=host)
        assert answer.status_code == status, path
        check(answer, f"{host} {path}")
        answer.close()


def test_the_way_to_https_is_safe_and_stays_so(settings: Settings):
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    browser = Client(SERVER_NAME="127.0.0.1")
    sent_on = browser.get("/about/")
    assert (sent_on.status_code, sent_on["Location"]) == (301, "https://127.0.0.1/about/")
    check(sent_on, "redirect")
    assert browser.get("/about/", secure=True)["Strict-Transport-Security"].startswith("max-age=31536000")
    assert browser.get("/no-such-page", secure=True)["Strict-Transport-Security"]


def test_a_page_that_fails_is_safe(monkeypatch: pytest.MonkeyPatch):
    def fail(*given: object, **more: object) -> HttpResponse:
        raise RuntimeError("as expected")

    monkeypatch.setattr("digests.pages.about.show", fail)
    browser = Client(SERVER_NAME="127.0.0.1", raise_request_exception=False)
    answer = browser.get("/about/")
    assert answer.status_code == 500
    check(answer, "error")

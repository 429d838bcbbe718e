"""What is kept of public pages, pictures and answers to programs, and what nobody can make us keep."""

import datetime as dt
import gzip
import io
from threading import BoundedSemaphore
from unittest.mock import patch

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from PIL import Image
from pytest_django import Settings

from digests.models import Edition, EditionState
from digests.pages import caching, cards
from digests.pages.caching import PAGES, PICTURES, PROGRAMS, kept
from papers.correcting import correct_paper
from papers.models import Paper
from tests.factories import NOW, TODAY, make_edition, make_paper, make_topic

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def paper(settings: Settings) -> Paper:
    settings.PAGE_CACHE_SECONDS = 60
    make_topic("language", name="Language")
    found = make_paper(key="arxiv:2509.02547", title="Folding chairs", topics=["language"])
    make_edition([found, *(make_paper() for _ in range(60))], published_at=NOW)
    return found


@pytest.mark.parametrize("value", ["999999", "0", "01", "-1", "x", "%00", "1%27--", "9" * 40, "%EF%BC%91", "1&page=zz"])
@pytest.mark.parametrize("path", ["/", "/topics/language", "/papers/trending", f"/papers/date/{TODAY}"])
def test_pages_that_do_not_exist_fill_no_memory(client: Client, path: str, value: str):
    answer = client.get(f"{path}?page={value}")
    assert answer.status_code in {200, 404}
    assert kept() == 0
    if answer.status_code == 200:
        assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("year", ["1999", "x", "20266", "%D9%A2%D9%A0%D9%A2%D9%A6"])
def test_nor_do_years_without_an_edition(client: Client, year: str):
    assert client.get(f"/archive?year={year}").status_code == 200
    assert kept() == 0


def test_a_second_page_is_kept_apart_from_the_first_in_whatever_order_one_asks(client: Client):
    first, second = client.get("/"), client.get("/?utm_source=x&page=2")
    assert first.content != second.content
    assert client.get("/?page=2&utm_medium=mail").content == second.content
    assert client.get("/?fbclid=1").content == first.content
    assert kept() == 2


def test_a_crawl_of_pictures_or_of_the_api_empties_no_page(client: Client, monkeypatch: pytest.MonkeyPatch):
    client.get("/")
    monkeypatch.setattr(caching, "MOST_PAGES", 2)
    for number in range(4):
        client.get(f"/api/daily_papers?limit={number + 1}")
        client.get("/card.png")
        client.get("/papers/2509.02547/card.png")
        client.get(f"/papers/date/{TODAY}/card.png")
    assert (kept(PAGES), kept(PICTURES), kept(PROGRAMS)) == (1, 2, 2)


def test_memory_is_counted_right_when_a_page_is_made_anew(client: Client, settings: Settings):
    with time_machine.travel(NOW, tick=False), patch("time.monotonic") as clock:
        for hour in range(5):
            clock.return_value = 3600.0 * hour
            client.get("/")
    shelf = caching._shelves[PAGES]
    assert shelf._octets == sum(page.octets for page in shelf.pages.values()) > 0


@pytest.mark.parametrize(
    ("accepts", "is_pressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("deflate,gzip , br", True),
        ("gzip;q=1", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("identity", False),
        ("notgzip", False),
        ("", False),
    ],
)
def test_a_page_is_pressed_for_who_takes_it_alone(client: Client, accepts: str, *, is_pressed: bool):
    answer = client.get("/", HTTP_ACCEPT_ENCODING=accepts)
    assert answer.has_header("Content-Encoding") is is_pressed
    page = gzip.decompress(answer.content) if is_pressed else answer.content
    assert page.endswith(b"</html>\n")


def test_a_picture_is_not_pressed_twice(client: Client):
    answer = client.get("/card.png", HTTP_ACCEPT_ENCODING="gzip")
    assert not answer.has_header("Content-Encoding")
    assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)


def test_what_was_kept_yesterday_is_fetched_anew_for_the_stamp_of_its_form(client: Client):
    with time_machine.travel(NOW, tick=False):
        etag = client.get("/")["ETag"]
    caching.forget()
    with time_machine.travel(NOW + dt.timedelta(hours=2), tick=False):
        assert client.get("/", HTTP_IF_NONE_MATCH=etag).status_code == 304
    caching.forget()
    with time_machine.travel(NOW + dt.timedelta(days=1), tick=False):
        assert client.get("/", HTTP_IF_NONE_MATCH=etag).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/api/daily_papers",
        f"/api/daily_papers?date={TODAY}&limit=5",
        "/api/papers/2509.02547",
        "/papers/2509.02547.md",
        "/feeds/today.atom",
        "/feeds/topic/language.json",
    ],
)
def test_programs_are_answered_304_without_the_work(client: Client, path: str):
    first = client.get(path)
    assert (first.status_code, bool(first.cookies)) == (200, False)
    with CaptureQueriesContext(connection) as queries:
        again = client.get(path, HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    assert not [one for one in queries if '"papers_paper"' in one["sql"]]
    # Browsers put the headers of the 304 over those they kept.
    assert first["Access-Control-Allow-Origin"] == again["Access-Control-Allow-Origin"] == "*"
    assert first["Cross-Origin-Resource-Policy"] == again["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_a_picture_that_somebody_has_stays_for_everybody(client: Client):
    first = client.get("/card.png")
    assert first["Cross-Origin-Resource-Policy"] == "cross-origin"
    again = client.get("/card.png", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (again.status_code, again.get("Cross-Origin-Resource-Policy")) == (304, None)


def test_what_a_program_reads_changes_with_the_edition(client: Client, paper: Paper):
    before = client.get("/api/daily_papers")
    edition = Edition.objects.get()
    Edition.objects.filter(pk=edition.pk).update(version=edition.version + 1)
    Paper.objects.filter(pk=paper.pk).update(title="Unfolding chairs")
    after = client.get("/api/daily_papers", HTTP_IF_NONE_MATCH=before["ETag"])
    assert after.status_code == 200
    assert "Unfolding chairs" in after.content.decode()


@pytest.mark.parametrize("state", [EditionState.PUBLISHED, EditionState.CLOSED])
def test_a_text_corrected_by_hand_is_on_every_page_at_once(client: Client, paper: Paper, state: EditionState):
    Edition.objects.update(state=state)
    paths = (
        "/papers/2509.02547",
        "/topics/language",
        f"/papers/month/{TODAY:%Y-%m}?page=2",
        "/feeds/topic/language.rss",
    )
    assert "Folding chairs" in "".join(client.get(path).content.decode() for path in paths)
    correct_paper(paper.pk, {"title": "Unfolding tables"}, revision=paper.revision)
    said = [client.get(path).content.decode() for path in paths]
    assert "Unfolding tables" in said[0]
    assert "Folding chairs" not in "".join(said)


def test_a_host_that_is_not_ours_stands_in_no_page(client: Client):
    ours = client.get("/", SERVER_NAME="localhost")
    assert client.get("/", SERVER_NAME="evil.example").status_code == 400
    forwarded = client.get("/", HTTP_X_FORWARDED_HOST="evil.example")
    assert forwarded.content == ours.content
    assert b"evil.example" not in forwarded.content
    assert client.get("/", SERVER_NAME="127.0.0.1").content == ours.content


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_other_methods_are_refused_and_keep_nothing(client: Client, method: str):
    assert getattr(client, method)("/").status_code == 405
    assert kept() == 0


def test_the_same_page_whatever_cookies_somebody_has(client: Client):
    client.cookies.load({"sessionid": "x", "django_language": "de", "csrftoken": "y"})
    page = client.get("/?lang=de", HTTP_ACCEPT_LANGUAGE="de")
    assert not page.cookies
    assert page.content == Client(SERVER_NAME="127.0.0.1").get("/").content
    assert b"csrfmiddlewaretoken" not in page.content


def test_the_thumbnail_of_the_api_is_the_picture_of_the_paper(client: Client, settings: Settings):
    items = {item["paper"]["id"]: item["thumbnail"] for item in client.get("/api/daily_papers").json()}
    assert items["2509.02547"] == f"{settings.SITE_URL}/papers/2509.02547/card.png"
    assert client.get("/papers/2509.02547/card.png")["Content-Type"] == "image/png"


def test_too_many_pictures_at_once_wait_for_nothing_and_are_not_kept(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cards, "_turns", BoundedSemaphore(1))
    monkeypatch.setattr(cards, "_PATIENCE", 0.01)
    assert cards._turns.acquire()
    busy = client.get("/card.png")
    assert (busy.status_code, busy["Retry-After"], busy["Cache-Control"]) == (503, "5", "no-store")
    cards._turns.release()
    assert client.get("/card.png").status_code == 200


@pytest.mark.parametrize("title", ["W" * 400, "𝓛ᵖ spaces", "a" + "\u0301" * 5000, "深" * 300, "תרגום", "", "w " * 500])
def test_no_title_is_drawn_over_the_edge(title: str):
    picture = Image.open(io.BytesIO(cards.draw_card(title=title, below="王小明 and 2 others", day=TODAY))).convert("L")
    beside = picture.crop((cards.WIDTH - cards.MARGIN // 2, 20, cards.WIDTH, cards.HEIGHT))
    assert min(beside.tobytes()) > 200
    drawn = picture.crop((cards.MARGIN, 130, cards.WIDTH - cards.MARGIN, 420))
    assert min(drawn.tobytes()) < 100, "there are words in the middle of every picture"

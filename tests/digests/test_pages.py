"""The public pages: what stands on them, what does not, and what they cost."""

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from digests.cards import cards_for
from digests.models import Choice, Edition, EditionPaper, EditionState
from papers.models import Announcement
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source

pytestmark = pytest.mark.django_db
PAGE = f"/papers/date/{TODAY}"


@pytest.fixture(autouse=True)
def monday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def titles(response: Any) -> list[str]:
    return re.findall(r"<h3>(?:<a [^>]*>)?(.*?)(?:</a>)?</h3>", response.content.decode())


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_healthz_answers_while_the_site_is_up(client: Client):
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok")


def test_before_the_first_edition_the_front_page_says_so_and_takes_sign_ups(client: Client):
    make_edition([make_paper()], state=EditionState.DRAFT)
    response = client.get("/")
    assert response.status_code == 200
    assert "The first edition is being made" in words(response)
    assert 'action="/subscribe/"' in response.content.decode()
    assert titles(response) == []


def test_the_front_page_shows_the_newest_edition_under_the_subscribe_box(client: Client):
    make_edition([make_paper(title="Of yesterday")], date=TODAY - dt.timedelta(days=1))
    paper = make_paper(title="Of today", topics=["language"], upvotes=3, pdf_link="https://arxiv.org/pdf/1")
    make_edition([paper])
    page = client.get("/")
    assert titles(page) == ["Of today"]
    shown = words(page)
    assert shown.index("Send me papers") < shown.index("Of today")
    assert "Monday, 23 November 2026" in shown
    for fact in ("Ada Lovelace, Alan Turing", "We ask a question.", "3 upvotes", "Language"):
        assert fact in shown
    assert 'href="https://arxiv.org/pdf/' in page.content.decode()
    assert 'href="https://arxiv.org/pdf/1"' in page.content.decode()


def test_picks_come_first_in_the_editors_order_with_the_note_then_the_most_upvoted(client: Client):
    loud, quiet = make_paper(title="Loud", upvotes=9), make_paper(title="Quiet")
    first, second = make_paper(title="First"), make_paper(title="Second")
    edition = make_edition([quiet, loud], picks=[first, second])
    EditionPaper.objects.filter(paper=second).update(position=0, note="Read this & enjoy")
    EditionPaper.objects.filter(paper=first).update(position=1)
    page = client.get("/")
    assert titles(page) == ["Second", "First", "Loud", "Quiet"]
    assert "Read this &amp; enjoy" in page.content.decode()
    assert edition.entries.count() == 4


def test_hidden_and_withdrawn_papers_are_on_no_page(client: Client):
    kept = make_paper(title="Kept")
    hidden, withdrawn = make_paper(title="Hidden"), make_paper(title="Withdrawn", withdrawn_at=NOW)
    make_edition([kept, hidden], picks=[withdrawn])
    EditionPaper.objects.filter(paper=hidden).update(choice=Choice.HIDDEN)
    for path in ("/", PAGE):
        page = client.get(path)
        assert titles(page) == ["Kept"]
        assert "1 paper" in words(page)


@pytest.mark.parametrize(
    ("state", "is_shown"),
    [
        (EditionState.DRAFT, False),
        (EditionState.HELD, False),
        (EditionState.CANCELLED, False),
        (EditionState.PUBLISHED, True),
        (EditionState.PAUSED, True),
        (EditionState.CLOSED, True),
    ],
)
def test_only_what_was_published_is_shown(client: Client, state: EditionState, is_shown: bool):
    make_edition([make_paper(title="A paper")], state=state)
    assert (titles(client.get("/")) == ["A paper"]) is is_shown
    assert (client.get(PAGE).status_code == 200) is is_shown


def test_a_day_without_an_edition_says_why_and_shows_the_way_to_the_nearest(client: Client):
    make_edition([make_paper()], date=dt.date(2026, 11, 20))
    make_edition([make_paper()])
    sunday = client.get("/papers/date/2026-11-22")
    assert sunday.status_code == 404
    assert "Nothing is announced at weekends" in words(sunday)
    assert 'href="/papers/date/2026-11-20"' in sunday.content.decode()
    assert f'href="{PAGE}"' in sunday.content.decode()
    assert "This day has not come yet." in words(client.get("/papers/date/2026-12-24"))
    assert "There is no edition of this day" in words(client.get("/papers/date/2026-11-19"))


@pytest.mark.parametrize(
    "date",
    [
        "2026-02-30",
        "2026-13-01",
        "tomorrow",
        "0000-00-00",
        "2026-11-23T00:00",
        "20261123",
        "2026-W48-1",
        "２０26-11-23",
    ],
)
def test_a_day_that_cannot_be_is_not_found(client: Client, date: str):
    make_edition([make_paper()])
    response = client.get(f"/papers/date/{date}")
    assert response.status_code == 404
    assert titles(response) == []


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days_without_an_edition(client: Client, date: str):
    make_edition([make_paper()])
    assert client.get(f"/papers/date/{date}").status_code == 404


def test_nothing_from_a_feed_or_a_curator_becomes_markup(client: Client):
    evil = "<script>alert(1)</script>"
    paper = make_paper(title=evil, abstract=evil, authors=[evil], code_link='https://x.example/"onclick="a')
    edition = make_edition(picks=[paper], title=evil, intro=f"{evil} **well** [x](javascript:alert(1))")
    EditionPaper.objects.update(note=evil)
    page = client.get("/").content.decode()
    assert evil not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4
    assert '"onclick="' not in page
    assert "javascript:" not in page.replace("(javascript:alert(1))", "")
    assert "<strong>well</strong>" in page
    assert edition.title == evil


def test_a_long_edition_has_pages_and_the_picks_are_on_the_first(client: Client):
    make_edition([make_paper() for _ in range(55)], picks=[make_paper(title="The pick")])
    first, second = client.get("/"), client.get("/?page=2")
    assert (len(titles(first)), len(titles(second))) == (51, 5)
    assert "The pick" in titles(first)
    assert "The pick" not in titles(second)
    assert set(titles(first)).isdisjoint(titles(second))
    assert "56 papers" in words(second)


@pytest.mark.parametrize("page", ["0", "-1", "99999999999999999999", "last", "", "\x00"])
def test_a_page_that_cannot_be_is_the_nearest_one(client: Client, page: str):
    make_edition([make_paper()])
    assert client.get("/", {"page": page}).status_code == 200


def test_a_page_costs_the_same_number_of_queries_however_many_papers_it_has(client: Client):
    def cost(count: int) -> int:
        Edition.objects.all().delete()
        make_edition(
            [make_paper(topics=["language", "agents"]) for _ in range(count)], picks=[make_paper(topics=["vision"])]
        )
        client.get("/")
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        return len(queries)

    few, many = cost(5), cost(50)
    assert few == many <= 19


def test_a_page_of_sample_papers_says_sample(client: Client):
    paper = make_paper(announced_in=make_source(is_sample=True))
    make_edition([paper])
    assert "Sample" in words(client.get("/"))
    Announcement.objects.update(source=make_source())
    assert "Sample" not in words(client.get("/"))


def test_a_real_paper_that_the_sample_shows_too_is_no_sample(client: Client):
    sample, real = make_source(is_sample=True), make_source()
    paper = make_paper(announced_in=sample)
    edition = make_edition([paper])
    Announcement.objects.create(paper=paper, source=real, date=TODAY, kind="new", seen_at=NOW)
    assert "Sample" not in words(client.get("/"))
    assert [card.is_sample for card in cards_for([paper.pk]).values()] == [False]
    hidden = make_paper(announced_in=sample)
    assert [card.is_sample for card in cards_for([hidden.pk]).values()] == [True]
    entry = EditionPaper.objects.create(edition=edition, paper=hidden, choice=Choice.HIDDEN)
    assert "Sample" not in words(client.get("/"))
    EditionPaper.objects.filter(pk=entry.pk).update(choice=Choice.CANDIDATE)
    assert "Sample" in words(client.get("/"))


def test_reading_writes_nothing_and_other_methods_are_not_answered(client: Client):
    make_edition([make_paper()])
    before = list(Edition.objects.values())
    for path in ("/", PAGE):
        client.head(path)
        client.get(path)
        assert client.post(path).status_code == 405
    assert list(Edition.objects.values()) == before


@pytest.mark.parametrize("path", ["/", PAGE, "/subscribe/", "/nowhere", "/admin/login/", "/outbox/"])
def test_every_page_has_a_strict_policy_and_no_style_or_script_of_its_own(client: Client, path: str):
    make_edition([make_paper()])
    response = client.get(path)
    policy = response["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert response["X-Frame-Options"] == "DENY"
    page = response.content.decode()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\bsrc=)", page)

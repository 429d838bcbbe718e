"""The public pages beside the day: one paper, a topic, a week, a month, a search, and all days."""

import datetime as dt
import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from digests.bibtex import bibtex
from digests.models import EditionState
from papers.models import Paper
from tests.factories import TODAY, make_edition, make_paper, make_topic
from tests.subscriptions.pages import words

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def paper() -> Paper:
    make_topic("language", name="Language", description="Texts.", categories=["cs.CL"])
    found = make_paper(
        key="arxiv:2509.02547",
        title="Folding <chairs>",
        abstract="We fold chairs. They stand.",
        topics=["language"],
        upvotes=7,
        authors=[f"Author {number}" for number in range(20)],
    )
    make_edition([make_paper(title="Other"), found])
    return found


def test_a_paper_has_a_page_with_all_that_is_known(paper: Paper, client: Client):
    page = client.get("/papers/2509.02547")
    said = words(page)
    for text in ("Folding &lt;chairs&gt;", "We fold chairs.", "Author 11", "8 more authors", "Language", "BibTeX"):
        assert text in said
    text = page.content.decode()
    assert 'href="https://huggingface.co/papers/2509.02547"' in text
    assert 'href="/papers/2509.02547.md"' in text
    assert '<link rel="canonical" href="' in text
    assert 'action="/papers/2509.02547/vote' in text or "vote" in text


@pytest.mark.parametrize("other", ["arxiv:2509.02547", "2509.02547v3", "https://arxiv.org/abs/2509.02547"])
def test_other_ways_to_write_its_id_lead_there(paper: Paper, client: Client, other: str):
    answer = client.get(f"/papers/{other}")
    assert (answer.status_code, answer["Location"]) == (301, "/papers/2509.02547")


@pytest.mark.parametrize(
    "path",
    [
        "/papers/2509.99999",
        "/papers/%00",
        "/papers/" + "x" * 390,
        "/papers/doi:10.1/%F0%9F%A6%86",
        "/papers/week/2026-W60",
        "/papers/week/2026-48",
        "/papers/month/2026-13",
        "/papers/month/0000-01",
        "/papers/month/2026-1",
        "/topics/no-such-topic",
        "/topics/language?page=0",
        "/topics/language?page=99999999999999999999",
        "/topics/language?page=x",
        "/topics/language?page=%D9%A1",
    ],
)
def test_what_there_is_not_is_a_404_and_no_error(paper: Paper, client: Client, path: str, caplog: Any):
    with caplog.at_level(logging.ERROR):
        assert client.get(path).status_code == 404
    assert not caplog.records


@pytest.mark.parametrize(
    "words_typed", ["' OR 1=1 --", "<script>alert(1)</script>", "\x00", "🦆", "%", "_", "a" * 5000]
)
def test_whatever_is_searched_for_the_page_stands(paper: Paper, client: Client, words_typed: str):
    page = client.get("/search", {"q": words_typed})
    assert page.status_code == 200
    assert "<script>alert" not in page.content.decode()


def test_a_search_finds_words_and_an_id_leads_to_its_paper(paper: Paper, client: Client):
    found = words(client.get("/search", {"q": "fold chairs"}))
    assert "1 paper." in found
    assert "Folding" in found
    for pasted in ("2509.02547", "https://arxiv.org/pdf/2509.02547v2"):
        assert client.get("/search", {"q": pasted})["Location"] == "/papers/2509.02547"
    assert "This paper is not here. Submit it" in words(client.get("/search", {"q": "2509.99999"}))
    assert "1 paper" not in words(client.get("/search"))


def test_a_topic_lists_its_papers_with_the_way_to_get_them(paper: Paper, client: Client):
    page = client.get("/topics/language")
    assert "Folding" in words(page)
    assert "Other" not in words(page)
    assert 'href="/subscribe/?topics=language"' in page.content.decode()


def test_weeks_and_months_hold_the_days_in_them(paper: Paper, client: Client):
    year, number, _ = TODAY.isocalendar()
    for path in (f"/papers/week/{year}-W{number:02}", f"/papers/month/{TODAY:%Y-%m}"):
        said = words(client.get(path))
        assert said.index("Folding") < said.index("Other")
    assert client.get("/papers/month/2001-01").status_code == 404


def test_all_days_are_listed_and_hidden_ones_are_not(paper: Paper, client: Client):
    make_edition(date=TODAY - dt.timedelta(days=40), state=EditionState.DRAFT)
    text = client.get("/archive").content.decode()
    assert f'href="/papers/date/{TODAY:%Y-%m-%d}"' in text
    assert text.count("/papers/date/") == 1


def test_a_paper_of_no_shown_edition_is_not_shown(client: Client):
    hidden = make_paper(key="arxiv:2601.00001")
    make_edition([hidden], state=EditionState.DRAFT)
    assert client.get("/papers/2601.00001").status_code == 404


@pytest.mark.parametrize("path", ["/papers/2509.02547", "/topics/language", "/search?q=fold", "/archive"])
def test_pages_are_the_same_for_everybody_and_answer_304(paper: Paper, client: Client, path: str):
    page = client.get(path)
    assert not page.cookies
    assert "Cookie" not in page.headers.get("Vary", "")
    assert page.headers["Cache-Control"].startswith("public, max-age=")
    assert client.get(path, HTTP_IF_NONE_MATCH=page.headers["ETag"]).status_code == 304


def test_many_papers_cost_as_many_queries_as_few(client: Client):
    make_topic("language", name="Language")
    counts = []
    for number in (2, 30):
        day = TODAY - dt.timedelta(days=number)
        make_edition([make_paper(topics=["language"]) for _ in range(number)], date=day)
        with CaptureQueriesContext(connection) as queries:
            client.get("/topics/language")
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_bibliography_gets_an_entry_that_nothing_breaks_out_of():
    made = bibtex(
        Paper(title="A } title {x", authors=["Ada Lovelace"], announced_date=TODAY, link="https://x.org/1"),
        arxiv_id="2509.02547",
    )
    assert made.startswith("@misc{lovelace2026title,\n")
    assert made.count("{") == made.count("}")
    assert "eprint = {2509.02547}" in made

"""The search page: what is found, in which order, narrowed by what; and searching by meaning."""

import datetime as dt
import logging
import time
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from digests import finding, near
from digests.dense import encode_papers
from digests.finding import Order, find_shown
from digests.models import Choice, EditionPaper, EditionState
from papers.models import Paper
from papers.search_query import read_query
from tests.factories import TODAY, make_edition, make_paper
from tests.subscriptions.pages import words

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ENCODER = "tests.encoder:encode"


def found(text: str, **more: Any) -> list[str]:
    """The titles that a search finds, in their order."""
    ids = find_shown(read_query(text), said=text, **more).ids
    titles = dict(Paper.objects.values_list("pk", "title"))
    return [titles[pk] for pk in ids]


def test_only_what_everybody_may_read_is_found():
    shown, hidden, draft, _nowhere, gone = (make_paper(title=f"Whale {n}") for n in range(5))
    Paper.objects.filter(pk=gone.pk).update(withdrawn_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    make_edition([shown, hidden, gone])
    EditionPaper.objects.filter(paper=hidden).update(choice=Choice.HIDDEN)
    make_edition([draft], date=TODAY - dt.timedelta(days=1), state=EditionState.DRAFT)
    assert found("whale") == ["Whale 0"]


def test_papers_shown_nowhere_do_not_hide_those_that_are():
    first = make_paper(title="Whale shown")
    for number in range(30):
        make_paper(title=f"Whale {number}")
    make_edition([first])
    original = finding.find_papers
    try:
        finding.find_papers = lambda query: original(query, window=10)  # type: ignore[assignment]
        assert found("whale") == ["Whale shown"]
    finally:
        finding.find_papers = original


def test_the_order_is_by_fit_or_by_day():
    old = make_paper(title="Whales of whales", abstract="Whale.")
    new = make_paper(title="Ships", abstract="A ship may meet a whale at times, far out on the sea.")
    make_edition([old], date=TODAY - dt.timedelta(days=3))
    make_edition([new])
    assert found("whale") == ["Whales of whales", "Ships"]
    assert found("whale", order=Order.DATE) == ["Ships", "Whales of whales"]


@pytest.mark.parametrize(
    ("asked", "fits"),
    [
        ("Yann LeCun", True),
        ("Y. LeCun", True),
        ("lecun", True),
        ("LeCun, Yann", True),
        ("Yolanda LeCun", False),
        ("Yann Bengio", False),
    ],
)
def test_an_author_is_found_as_one_who_is_followed(asked: str, fits: bool):
    make_edition([make_paper(title="Nets", authors=["Yann LeCun", "Ann Bengio"])])
    assert found(f'author:"{asked}"') == (["Nets"] if fits else [])


def test_a_page_marks_what_was_looked_for_and_escapes_the_rest(client: Client):
    paper = make_paper(title="Folding <b>chairs</b>", abstract="Nothing here. A <script>chair</script> folds. The end.")
    make_edition([paper])
    text = client.get("/search", {"q": "chair"}).content.decode()
    assert "Folding &lt;b&gt;<mark>chairs</mark>&lt;/b&gt;" in text
    assert "A &lt;script&gt;<mark>chair</mark>&lt;/script&gt; folds." in text
    assert "Nothing here." not in text


def test_filters_and_order_stay_in_the_form_and_in_the_feed(client: Client):
    make_edition([make_paper(title="Nets", authors=["Ann Lee"], categories=["cs.CL"])])
    asked = {"q": "nets", "author": "Ann Lee", "category": "cs.CL", "from": "2026-01-01", "to": "2027-01-01"}
    page = client.get("/search", {**asked, "order": "date"})
    text = page.content.decode()
    assert "1 paper, the newest first." in words(page)
    for value in ("Ann Lee", "cs.CL", "2026-01-01", "2027-01-01"):
        assert f'value="{value}"' in text
    assert '<option value="date" selected>' in text
    feed = text.split('">Follow this search as a feed')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert "Nets" in client.get(feed).content.decode()
    assert "Nets" not in client.get("/search", {**asked, "author": "Bob Lee"}).content.decode()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"from": "2026-02-30"}, "Please give a day there is"),
        ({"to": "yesterday"}, "Please give a day there is"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "This day is before the first one."),
    ],
)
def test_a_day_there_is_not_is_said_beside_its_field(client: Client, sent: dict[str, str], said: str):
    page = client.get("/search", {"q": "x", **sent})
    assert page.status_code == 400
    assert said in words(page)
    assert 'aria-invalid="true"' in page.content.decode()


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "51", "١"])
def test_a_page_there_is_not_is_the_first_one(client: Client, page: str):
    make_edition([make_paper(title="Nets")])
    assert "Nets" in words(client.get("/search", {"q": "nets", "page": page, "order": "x"}))


def test_many_are_found_in_pages_each_once_in_as_many_queries(client: Client):
    make_edition([make_paper(title="Lone whale", topics=[])])
    with CaptureQueriesContext(connection) as few:
        client.get("/search", {"q": "lone"})
    make_edition([make_paper(title=f"Whale {n}") for n in range(45)], date=TODAY - dt.timedelta(days=1))
    with CaptureQueriesContext(connection) as many:
        client.get("/search", {"q": "whale"})
    assert len(many) <= len(few)
    seen = "".join(words(client.get("/search", {"q": "whale", "page": page})) for page in ("1", "2", "3"))
    assert all(seen.count(f"Whale {n} ") == 1 for n in range(45))
    assert "46 papers." in seen


def test_while_somebody_types_the_beginning_of_a_word_is_enough(client: Client):
    make_edition([make_paper(title="Transformers")])
    answer = client.get("/search", {"q": "transfor", "fragment": "1"})
    assert "Transformers" in words(answer)
    assert "<html" not in answer.content.decode()
    assert "Transformers" not in words(client.get("/search", {"q": "transf"}))


def test_a_pasted_paper_that_no_edition_showed_is_not_given_away(client: Client):
    make_paper(key="arxiv:2601.00001", title="Secret")
    said = words(client.get("/search", {"q": "2601.00001"}))
    assert "no edition has shown it yet" in said
    assert "Secret" not in said


# --- by meaning -------------------------------------------------------------------------------------------------------


@pytest.fixture
def encoded(settings: Any) -> list[Paper]:
    settings.ENCODER = ENCODER
    near._held.cache_clear()
    papers = [make_paper(title=f"Steel bridge number {n}", abstract="Beams and rivets.") for n in range(30)]
    papers.append(make_paper(title="Speech at rest", abstract="On speech."))
    make_edition(papers)
    encode_papers([paper.pk for paper in papers])
    return papers


def test_an_encoder_finds_what_no_word_does(encoded: list[Paper], settings: Any):
    said = "utterance"
    assert found(said)[:1] == ["Speech at rest"]
    settings.ENCODER = ""
    assert found(said) == []


def test_filters_hold_for_what_an_encoder_finds(encoded: list[Paper]):
    assert found("utterance -cat") == []
    assert found("utterance after:2030-01-01") == []


@pytest.mark.parametrize("fault", ["raises", "hangs"])
def test_an_encoder_that_fails_or_hangs_leaves_the_words(
    encoded: list[Paper], monkeypatch: Any, caplog: Any, fault: str
):
    def fail(text: str) -> list[int]:
        if fault == "hangs":
            time.sleep(0.5)
        raise RuntimeError("no weights")

    monkeypatch.setattr(near, "encode_text", fail)
    monkeypatch.setattr(finding, "ENCODER_SECONDS", 0.1)
    with caplog.at_level(logging.WARNING):
        assert found("speech") == ["Speech at rest"]
    assert "search by meaning" in caplog.text

"""What the API answers: which papers, to whom, how often, and what it refuses."""

import datetime as dt
import json
import logging
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from pytest_django import Settings

from digests.models import Choice, EditionState
from papers.merging import merge_papers
from subscriptions.community import cast_vote
from tests.factories import NOW, TODAY, make_edition, make_paper, make_subscriber

pytestmark = pytest.mark.django_db
STRANGER = {"REMOTE_ADDR": "8.8.8.8"}


@pytest.fixture(autouse=True)
def monday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def ids(response: Any) -> list[str]:
    assert response.status_code == 200, response.content
    return [item["paper"]["id"] for item in response.json()]


def test_a_day_lists_its_picks_first_and_then_by_upvotes(client: Client):
    few, many, pick = make_paper(upvotes=1), make_paper(upvotes=7), make_paper()
    make_edition([few, many], picks=[pick], published_at=NOW)
    found = ids(client.get(f"/api/daily_papers?date={TODAY}"))
    assert found == [each.key.removeprefix("arxiv:") for each in (pick, many, few)]


def test_readers_votes_count_among_the_upvotes_and_in_the_order(client: Client):
    first, second = make_paper(upvotes=1), make_paper(upvotes=1)
    make_edition([first, second], published_at=NOW)
    cast_vote(subscriber=make_subscriber(), paper=second, now=NOW)
    listed = client.get("/api/daily_papers").json()
    assert [item["paper"]["upvotes"] for item in listed] == [2, 1]
    assert listed[0]["paper"]["id"] == second.key.removeprefix("arxiv:")


def test_weeks_and_months_hold_the_days_between_and_no_other(client: Client):
    days = [dt.date(2026, 11, 15), dt.date(2026, 11, 16), dt.date(2026, 11, 22), dt.date(2026, 11, 23)]
    papers = {day: make_paper() for day in days}
    for day, paper in papers.items():
        make_edition([paper], date=day, published_at=NOW)
    of = {day: paper.key.removeprefix("arxiv:") for day, paper in papers.items()}
    assert ids(client.get("/api/daily_papers?week=2026-W47")) == [of[days[2]], of[days[1]]]
    assert ids(client.get("/api/daily_papers?month=2026-11")) == [of[day] for day in reversed(days)]
    assert ids(client.get("/api/daily_papers?month=2026-12")) == []


def test_pages_begin_at_nought_and_follow_one_another(client: Client):
    make_edition([make_paper(upvotes=count) for count in range(5)], published_at=NOW)
    whole = ids(client.get("/api/daily_papers?limit=5"))
    parts = [ids(client.get(f"/api/daily_papers?limit=2&p={page}")) for page in range(4)]
    assert parts == [whole[:2], whole[2:4], whole[4:], []]


def test_the_newest_papers_reach_back_as_far_as_are_wanted(client: Client):
    for number in range(7):
        make_edition([make_paper()], date=TODAY - dt.timedelta(days=30 * number), published_at=NOW)
    assert len(ids(client.get("/api/daily_papers?limit=3"))) == 3
    assert len(ids(client.get("/api/daily_papers?limit=3&p=1"))) == 3
    assert len(ids(client.get("/api/daily_papers?limit=3&p=2"))) == 1
    assert len(ids(client.get("/api/daily_papers"))) == 7
    assert len(ids(client.get("/api/daily_papers?sort=trending"))) == 2, "of the last thirty days"


def test_trending_goes_by_upvotes_and_not_by_days(client: Client):
    old, new = make_paper(upvotes=50), make_paper(upvotes=2)
    make_edition([old], date=TODAY - dt.timedelta(days=1), published_at=NOW)
    make_edition([new], published_at=NOW)
    first = [ids(client.get(f"/api/daily_papers?sort={sort}"))[0] for sort in ("trending", "publishedAt")]
    assert first == [old.key.removeprefix("arxiv:"), new.key.removeprefix("arxiv:")]


def test_drafts_hidden_and_withdrawn_papers_are_in_no_answer(client: Client):
    hidden, withdrawn, draft = make_paper(), make_paper(withdrawn_at=NOW), make_paper()
    edition = make_edition([hidden, withdrawn], published_at=NOW)
    edition.entries.filter(paper=hidden).update(choice=Choice.HIDDEN)
    make_edition([draft], date=TODAY + dt.timedelta(days=1), state=EditionState.DRAFT)
    assert ids(client.get("/api/daily_papers")) == []
    assert ids(client.get("/api/papers/search?q=paper")) == []
    for paper in (hidden, withdrawn, draft):
        assert client.get(f"/api/papers/{paper.key.removeprefix('arxiv:')}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "date=2026-02-30",
        "date=20261123",
        "date=yesterday",
        "date=2026-11-23%00",
        "date=0000-01-01",
        "week=2026-W54",
        "week=9999-W60",
        "month=2026-13",
        "month=0000-00",
        "date=2026-11-23&week=2026-W48",
        "sort=rank",
        "p=-1",
        "p=99999999999999999999",
        "p=%D9%A1",
        "limit=0",
        "limit=101",
        "limit=many",
    ],
)
def test_what_cannot_be_understood_is_a_400_that_says_why(client: Client, query: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        response = client.get(f"/api/daily_papers?{query}")
    assert response.status_code == 400
    assert response.json()["error"] == response["X-Error-Message"]
    assert caplog.records == []


@pytest.mark.parametrize("month", ["9999-12", "9999-11", "0001-01"])
def test_the_ends_of_the_calendar_are_months_like_others(client: Client, month: str):
    assert client.get(f"/api/daily_papers?month={month}").status_code == 200


@pytest.mark.parametrize("name", ["2609.99999", "nothing", "%00", "..%2f..%2fetc", "a" * 3000, "doi:10.1/%F0%9F%92%A9"])
def test_an_unknown_id_is_a_404_in_json(client: Client, name: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        response = client.get(f"/api/papers/{name}")
    assert (response.status_code, response.json()) == (404, {"error": "There is no such paper here."})
    assert caplog.records == []


def test_a_paper_answers_to_its_id_with_a_version_its_address_and_the_key_of_a_paper_merged_into_it(client: Client):
    paper, twin = make_paper(), make_paper(key="doi:10.1101/287961")
    make_edition([paper], published_at=NOW)
    merge_papers(one_id=paper.pk, other_id=twin.pk)
    arxiv_id = paper.key.removeprefix("arxiv:")
    for name in (arxiv_id, f"{arxiv_id}v2", paper.key, "doi:10.1101/287961", "10.1101/287961"):
        assert client.get(f"/api/papers/{name}").json()["id"] == arxiv_id, name


def test_a_search_wants_all_words_in_title_or_abstract(client: Client):
    both = make_paper(title="Clocks for Models", abstract="Measured with care.")
    one = make_paper(title="Clocks", abstract="Nothing more.")
    make_edition([both, one], published_at=NOW)
    assert ids(client.get("/api/papers/search?q=clocks+MEASURED")) == [both.key.removeprefix("arxiv:")]
    assert len(ids(client.get("/api/papers/search?q=clocks"))) == 2
    assert ids(client.get("/api/papers/search?q=100%25")) == []
    assert ids(client.get(f"/api/papers/search?q=https://arxiv.org/abs/{one.key[6:]}v3")) == [one.key[6:]]


@pytest.mark.parametrize("query", ["%00", "'%3B+DROP+TABLE", "<script>", "%F0%9F%92%A9", "%ED%A0%80", "a+" * 2000, ""])
def test_odd_searches_are_answered(client: Client, query: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert client.get(f"/api/papers/search?q={query}").status_code == 200
    assert caplog.records == []


def test_an_unchanged_answer_is_a_304_and_a_vote_changes_it(client: Client):
    paper = make_paper()
    make_edition([paper], published_at=NOW)
    first = client.get("/api/daily_papers")
    again = {"HTTP_IF_NONE_MATCH": first["ETag"]}
    unchanged = client.get("/api/daily_papers", **again)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert "RateLimit" in unchanged
    assert "Set-Cookie" not in first
    cast_vote(subscriber=make_subscriber(), paper=paper, now=NOW)
    assert client.get("/api/daily_papers", **again).status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_nothing_can_be_written_by_the_api(client: Client, method: str):
    assert getattr(client, method)("/api/daily_papers").status_code == 405


def test_the_limit_is_told_and_kept_for_each_network_by_itself(client: Client, settings: Settings):
    settings.API_RATE = 3
    answers = [client.get("/api/daily_papers", **STRANGER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"api";q=3;w=300'
    assert [answer["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert 1 <= int(answers[3]["Retry-After"]) <= 100
    assert client.get("/api/daily_papers", REMOTE_ADDR="9.9.9.9").status_code == 200


def test_where_an_address_asked_from_is_written_nowhere(client: Client):
    from limits.models import Bucket

    client.get("/api/daily_papers", **STRANGER)
    assert Bucket.objects.filter(name__startswith="api:").count() == 1
    assert not Bucket.objects.filter(name__contains="8.8.8.8").exists()


def test_a_longer_list_asks_the_database_no_more_often(client: Client):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as counted:
            client.get("/api/daily_papers")
        return len(counted)

    edition = make_edition([make_paper()], published_at=NOW)
    few = queries()
    for _ in range(20):
        edition.entries.create(paper=make_paper())
    assert queries() == few


def test_the_description_is_valid_and_every_answer_is_as_it_says(client: Client):
    paper = make_paper(upvotes=5, github_stars=3, code_link="https://github.com/a/b")
    make_edition([paper], published_at=NOW)
    description = client.get("/api/openapi.json").json()
    validate(description)
    for address, schema in {
        "/api/daily_papers": {"type": "array", "minItems": 1, "items": {"$ref": "#/components/schemas/DailyPaper"}},
        f"/api/papers/{paper.key[6:]}": {"$ref": "#/components/schemas/Paper"},
        "/api/papers/search?limit=x": {"$ref": "#/components/schemas/Error"},
    }.items():
        checker = Draft202012Validator({**schema, "components": description["components"]})
        checker.validate(json.loads(client.get(address).content))


def test_the_markdown_of_a_paper_escapes_what_would_be_markup(client: Client):
    paper = make_paper(title="Of *stars* and [links](javascript:1)", abstract="# no heading <b>")
    make_edition([paper], published_at=NOW)
    text = client.get(f"/papers/{paper.key[6:]}.md").content.decode()
    assert r"# Of \*stars\* and \[links\]" in text
    assert r"\# no heading \<b\>" in text
    assert client.get("/papers/2609.99999.md").status_code == 404

"""Sources whose lists come in pages, over real HTTP: paged past silent limits, and never without an end."""

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

import pytest
from pytest_django import Settings

from papers.ingest import MOST_PAGES_OF, visit_source
from papers.models import DailySignal, Fetch, FetchStatus, Paper, Source, SourceState
from tests.factories import make_source
from tests.servers import LocalServer, Received, Reply, json_reply, serve

pytestmark = [pytest.mark.db, pytest.mark.django_db]
NOW = dt.datetime(2026, 5, 5, 18, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ATOM = 'xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"'


@pytest.fixture
def server(settings: Settings) -> Iterator[LocalServer]:
    with serve({}) as running:
        settings.FETCH_ALLOW = frozenset({running.pair})
        yield running


def fresh(source: Source) -> Source:
    return Source.objects.get(pk=source.pk)


def asked(server: LocalServer, name: str, default: str = "0") -> list[int]:
    """What each request asked for by this name."""
    return [int(request.query.get(name, [default])[0]) for request in server.requests]


def hf_item(number: int, *, upvotes: int = 1) -> dict[str, Any]:
    paper = {
        "id": f"2605.{number:05}",
        "title": f"Paper number {number}",
        "summary": "It is short.",
        "authors": [{"name": "Ada Lovelace"}],
        "upvotes": upvotes,
        "githubStars": 7,
        "submittedOnDailyAt": "2026-05-05T02:00:00.000Z",
    }
    return {"paper": paper, "title": paper["title"], "numComments": 2}


def hf_list(count: int, *, most: int = 100, upvotes: int = 1):
    """Daily Papers as the service gives it: fifty unless asked for more, and never more than a hundred."""

    def answer(request: Received) -> Reply:
        limit = min(int(request.query.get("limit", ["50"])[0]), most)
        start = int(request.query.get("p", ["0"])[0]) * limit
        return json_reply([hf_item(number, upvotes=upvotes) for number in range(count)[start : start + limit]])

    return answer


def api_page(request: Received, *, total: int, empty_at: set[int] | None = None, size: int = 40) -> Reply:
    start = int(request.query.get("start", ["0"])[0])
    numbers = [] if start in (empty_at or set()) else list(range(start, min(start + size, total)))
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/2605.{number:05}v1</id><title>{escape(f'Paper <{number}> & more')}</title>"
        f"<summary>Short.</summary><published>2026-05-04T10:00:00Z</published><updated>2026-05-04T10:00:00Z</updated>"
        f"<author><name>Ada Lovelace</name></author></entry>"
        for number in numbers
    )
    head = f"<id>http://arxiv.org/api/x</id><opensearch:totalResults>{total}</opensearch:totalResults>"
    return Reply(body=f'<?xml version="1.0" encoding="UTF-8"?><feed {ATOM}>{head}{entries}</feed>')


def test_daily_papers_are_paged_past_the_silent_limit(server: LocalServer):
    server.routes["/api/daily_papers"] = hf_list(230)
    source = make_source(kind="hf", url=server.url("/api/daily_papers"))
    visit = visit_source(source_id=source.pk, now=NOW)
    assert (visit.status, visit.report.entries, visit.report.new) == (FetchStatus.STORED, 230, 230)
    assert asked(server, "p") == [0, 1, 2]
    assert set(asked(server, "limit")) == {100}
    # One visit, one line in the book.
    assert Fetch.objects.get().new == 230


def test_counts_are_kept_for_each_day(server: LocalServer):
    source = make_source(kind="hf", url=server.url("/api/daily_papers"))
    for day, upvotes in enumerate((3, 5)):
        server.routes["/api/daily_papers"] = hf_list(2, upvotes=upvotes)
        for hour in range(2):
            visit_source(source_id=source.pk, now=NOW + (24 * day + hour) * HOUR)
    paper = Paper.objects.get(key="arxiv:2605.00000")
    series = DailySignal.objects.filter(paper=paper).order_by("date").values_list("date__day", "upvotes", "comments")
    assert list(series) == [(5, 3, 2), (6, 5, 2)]
    assert (paper.upvotes, paper.github_stars) == (5, 7)


def test_a_list_of_several_pages_is_not_asked_for_conditionally(server: LocalServer):
    server.routes["/api/daily_papers"] = lambda request: hf_page_with_tag(request)
    source = make_source(kind="hf", url=server.url("/api/daily_papers"))
    visit_source(source_id=source.pk, now=NOW)
    assert fresh(source).etag == ""


def hf_page_with_tag(request: Received) -> Reply:
    reply = hf_list(120)(request)
    return Reply(headers={**reply.headers, "ETag": '"first"'}, body=reply.body)


def test_a_search_of_arxiv_is_paged_until_all_is_known(server: LocalServer):
    server.routes["/api/query"] = lambda request: api_page(request, total=100)
    source = make_source(kind="arxiv_api", url=server.url("/api/query?search_query=cat:cs.CL"))
    assert visit_source(source_id=source.pk, now=NOW).report.new == 100
    assert asked(server, "start") == [0, 40, 80]
    server.requests.clear()
    assert visit_source(source_id=source.pk, now=NOW + 6 * HOUR).report.known == 40
    assert asked(server, "start") == [0]


def test_a_search_without_an_end_is_given_up_at_some_page(server: LocalServer):
    server.routes["/api/query"] = lambda request: api_page(request, total=90_000)
    source = make_source(kind="arxiv_api", url=server.url("/api/query?search_query=all:x"))
    assert visit_source(source_id=source.pk, now=NOW).report.new == 400
    assert len(server.requests) == MOST_PAGES_OF["arxiv_api"]


def test_an_empty_page_in_the_middle_is_asked_for_again(server: LocalServer):
    empty = {40}

    def answer(request: Received) -> Reply:
        reply = api_page(request, total=100, empty_at=empty)
        if request.query.get("start") == ["40"]:
            empty.clear()
        return reply

    server.routes["/api/query"] = answer
    source = make_source(kind="arxiv_api", url=server.url("/api/query?search_query=all:x"))
    assert visit_source(source_id=source.pk, now=NOW).report.new == 100
    assert asked(server, "start") == [0, 40, 40, 80]


def test_a_page_that_stays_empty_is_told_and_what_came_before_is_kept(server: LocalServer):
    server.routes["/api/query"] = lambda request: api_page(request, total=100, empty_at={40})
    source = make_source(kind="arxiv_api", url=server.url("/api/query?search_query=all:x"))
    visit = visit_source(source_id=source.pk, now=NOW)
    assert (visit.report.new, visit.status) == (40, FetchStatus.UNREACHABLE)
    assert "came short 3 times" in fresh(source).last_error
    assert asked(server, "start") == [0, 40, 40, 40]
    # The list did not end there: the next visit goes past what it knows.
    server.routes["/api/query"] = lambda request: api_page(request, total=100)
    assert visit_source(source_id=source.pk, now=NOW + HOUR).report.new == 60


def test_a_visit_that_breaks_off_keeps_its_pages_and_begins_anew(server: LocalServer):
    def answer(request: Received) -> Reply:
        if request.query.get("start") == ["40"] and len(server.requests) < 4:
            return Reply(status=500)
        return api_page(request, total=100)

    server.routes["/api/query"] = answer
    source = make_source(kind="arxiv_api", url=server.url("/api/query?search_query=all:x"))
    visit = visit_source(source_id=source.pk, now=NOW)
    assert (visit.status, visit.report.new, Paper.objects.count()) == (FetchStatus.UNREACHABLE, 40, 40)
    assert (fresh(source).state, Fetch.objects.get().new) == (SourceState.FAILING, 40)
    server.routes["/api/query"] = lambda request: api_page(request, total=100)
    server.requests.clear()
    assert visit_source(source_id=source.pk, now=NOW + HOUR).report.new == 60
    assert asked(server, "start") == [0, 40, 80]


def test_a_list_of_ids_is_read_to_its_end_every_time(server: LocalServer):
    server.routes["/api/query"] = lambda request: api_page(request, total=100)
    source = make_source(kind="arxiv_api", url=server.url("/api/query?id_list=2605.00001"))
    for _ in range(2):
        server.requests.clear()
        visit_source(source_id=source.pk, now=NOW)
        assert asked(server, "start") == [0, 40, 80]


def test_biorxivs_api_is_asked_for_the_days_since_the_last_visit(server: LocalServer):
    def answer(request: Received) -> Reply:
        cursor = int(request.path.rpartition("/")[2])
        found = [
            {
                "doi": f"10.1101/2026.05.{number:06}",
                "title": f"Cells number {number}",
                "authors": "Kukla, D.; Crampton, A.",
                "date": "2026-5-4",
                "version": "1",
                "category": "cell biology",
                "abstract": "Cells do things.",
                "published": "NA",
                "server": "bioRxiv",
            }
            for number in range(cursor, min(cursor + 100, 130))
        ]
        told = {"status": "ok", "cursor": cursor, "count": len(found), "total": "130"}
        return json_reply({"messages": [told], "collection": found})

    for days in ("2026-05-02/2026-05-05", "2026-05-03/2026-05-06"):
        for cursor in (0, 100):
            server.routes[f"/details/biorxiv/{days}/{cursor}"] = answer
    source = make_source(kind="biorxiv", url=server.url("/details/biorxiv/{from}/{to}"))
    assert visit_source(source_id=source.pk, now=NOW).report.new == 130
    assert visit_source(source_id=source.pk, now=NOW + 24 * HOUR).report.known == 130
    assert [request.path for request in server.requests[:2]] == [
        "/details/biorxiv/2026-05-02/2026-05-05/0",
        "/details/biorxiv/2026-05-02/2026-05-05/100",
    ]


def test_openreview_is_paged_by_its_count(server: LocalServer):
    def answer(request: Received) -> Reply:
        start = int(request.query.get("offset", ["0"])[0])
        notes = [
            {
                "id": f"note{number}",
                "forum": f"note{number}",
                "cdate": 1777900000000,
                "content": {
                    "title": {"value": f"A submission numbered {number}"},
                    "abstract": {"value": "We submit."},
                    "authors": {"value": ["Ada Lovelace"]},
                },
            }
            for number in range(start, min(start + 25, 60))
        ]
        return json_reply({"notes": notes, "count": 60})

    server.routes["/notes"] = answer
    source = make_source(kind="openreview", url=server.url("/notes?invitation=Conf/-/Submission"))
    assert visit_source(source_id=source.pk, now=NOW).report.new == 60
    assert asked(server, "offset") == [0, 25, 50]


def test_what_a_document_says_never_leads_to_another_host(server: LocalServer):
    body = {"notes": [], "count": 5, "next": "http://192.0.2.1/notes?offset=1"}
    server.routes["/notes"] = Reply(body=json.dumps(body))
    source = make_source(kind="openreview", url=server.url("/notes"))
    visit_source(source_id=source.pk, now=NOW)
    assert {request.headers["Host"] for request in server.requests} == {server.pair}

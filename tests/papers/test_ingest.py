"""One visit to a source over real HTTP: what comes in, what is written down, and when it is tried again."""

import contextlib
import datetime as dt
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from limits.buckets import hold, release
from limits.models import Bucket
from papers import ingest
from papers.ingest import announcement_today, claim_due_sources, take_document, visit_source
from papers.models import Fetch, FetchStatus, Paper, Source, SourceDay, SourceState
from papers.storing import StoreReport
from papers.tasks import fetch_due_sources
from tests.factories import make_paper, make_source
from tests.servers import LocalServer, Reply, conditional, json_reply, redirect, serve

pytestmark = [pytest.mark.db, pytest.mark.django_db]
FEEDS = Path(__file__).resolve().parents[1] / "data" / "feeds"
ARXIV = (FEEDS / "arxiv_rss.xml").read_bytes()
HF = (FEEDS / "hf_2025.json").read_bytes()
# The day the feed speaks of, a Tuesday, in the afternoon.
NOW = dt.datetime(2026, 5, 5, 18, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def server(settings: Settings) -> Iterator[LocalServer]:
    with serve({"/feed": conditional(ARXIV, etag='"one"')}) as running:
        settings.FETCH_ALLOW = frozenset({running.pair})
        yield running


@pytest.fixture
def source(server: LocalServer) -> Source:
    return make_source(url=server.url("/feed"), next_fetch_at=NOW)


def fresh(source: Source) -> Source:
    return Source.objects.get(pk=source.pk)


def test_a_visit_brings_the_papers_in_and_is_written_down(source: Source, server: LocalServer):
    visit = visit_source(source_id=source.pk, now=NOW)
    assert (visit.status, visit.error) == (FetchStatus.STORED, "")
    assert visit.report.new == Paper.objects.count() > 2
    row = fresh(source)
    assert (row.state, row.failures, row.etag) == (SourceState.FRESH, 0, '"one"')
    assert (row.last_success_at, row.last_new_at, row.next_fetch_at) == (NOW, NOW, NOW + 45 * MINUTE)
    fetch = Fetch.objects.get()
    assert (fetch.status, fetch.new, fetch.fetched_at) == ("stored", visit.report.new, NOW)
    assert server.requests[0].headers["User-Agent"].startswith("DailyPapers/")


def test_the_next_visit_asks_conditionally_and_nothing_changes(source: Source, server: LocalServer):
    visit_source(source_id=source.pk, now=NOW)
    papers = list(Paper.objects.values())
    visit = visit_source(source_id=source.pk, now=NOW + 45 * MINUTE)
    assert server.requests[1].headers["If-None-Match"] == '"one"'
    assert visit.status == FetchStatus.NOT_MODIFIED
    assert (fresh(source).state, fresh(source).etag) == (SourceState.FRESH, '"one"')
    assert list(Paper.objects.values()) == papers


def test_the_same_document_twice_from_a_server_without_etags_changes_nothing(source: Source, server: LocalServer):
    server.routes["/feed"] = Reply(body=ARXIV)
    first = visit_source(source_id=source.pk, now=NOW).report
    papers = list(Paper.objects.values())
    second = visit_source(source_id=source.pk, now=NOW + 45 * MINUTE).report
    assert (second.new, second.changed, second.known) == (0, 0, first.new + first.known)
    assert list(Paper.objects.values()) == papers


def test_arxivs_words_win_over_the_listings_whichever_came_first(source: Source, server: LocalServer):
    item = {"id": "2605.01002", "title": "Ears for Robot", "summary": "It hears 20times.", "upvotes": 31, "authors": []}
    listing = [{"paper": {**item, "submittedOnDailyAt": "2026-05-05T02:00:00.000Z"}, "numComments": 4}]
    server.routes["/hf"] = json_reply(listing)
    hf = make_source(kind="hf", url=server.url("/hf"))
    assert visit_source(source_id=hf.pk, now=NOW).report.new == 1
    for visited in (source, hf):
        visit_source(source_id=visited.pk, now=NOW)
    paper = Paper.objects.get(key="arxiv:2605.01002")
    assert (paper.title, paper.abstract) == ("Ears for Robots", "A robot that hears rain turns round.")
    assert (paper.upvotes, paper.comments, paper.announcements.count()) == (31, 4, 2)


def test_a_cut_off_document_brings_its_whole_entries_in_and_reports_the_rest(source: Source, server: LocalServer):
    server.routes["/feed"] = Reply(body=(FEEDS / "arxiv_atom_cut_off.xml").read_bytes())
    visit = visit_source(source_id=source.pk, now=NOW)
    assert visit.status == FetchStatus.STORED
    assert visit.report.new == Paper.objects.count() > 0
    assert visit.report.rejected > 0
    assert Fetch.objects.get().problems == visit.report.problems
    assert visit.report.problems[0]["reason"] in fresh(source).last_error


@pytest.mark.parametrize(
    "body", [b"<!doctype html><title>Down for maintenance</title>", b"", b"{}", b"\x00\xff\xfe", b"<rss"]
)
def test_a_document_of_another_kind_is_refused_once_in_the_log_and_changes_no_paper(
    body: bytes, source: Source, server: LocalServer, caplog: pytest.LogCaptureFixture
):
    known = make_paper()
    server.routes["/feed"] = Reply(body=body, headers={"ETag": '"bad"'})
    with caplog.at_level(logging.INFO, "papers"):
        visit = visit_source(source_id=source.pk, now=NOW)
    assert visit.status == FetchStatus.REFUSED
    assert visit.error
    assert [(record.levelname, visit.error in record.message) for record in caplog.records] == [("WARNING", True)]
    row = fresh(source)
    assert (row.state, row.failures, row.last_error) == (SourceState.FAILING, 1, visit.error)
    # The validators of what was refused are not kept: a mended document under the same tag must come in.
    assert row.etag == ""
    assert list(Paper.objects.all()) == [known]


@pytest.mark.parametrize("step", ["fetch", "parse_feed", "store_feed"])
def test_what_nobody_expected_is_told_to_the_owner_and_tried_less_and_less(
    step: str, source: Source, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def surprise(*args: object, **kwargs: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(f"papers.ingest.{step}", surprise)
    waits = []
    for failures in (1, 2, 3):
        visit = visit_source(source_id=source.pk, now=NOW)
        assert (visit.status, fresh(source).failures) == (FetchStatus.REFUSED, failures)
        waits.append(fresh(source).next_fetch_at - NOW)
    row = fresh(source)
    assert (row.state, row.etag) == (SourceState.FAILING, "")
    assert "could not be read: RecursionError" in row.last_error == visit.error
    assert waits[0] < 7 * MINUTE < waits[1] < 13 * MINUTE < waits[2]
    assert Fetch.objects.count() == 3
    assert {record.levelname for record in caplog.records} == {"ERROR"}
    assert "too deep" in caplog.text


def test_an_error_page_that_surprises_the_parser_is_still_an_error_page(
    source: Source, server: LocalServer, monkeypatch: pytest.MonkeyPatch
):
    def surprise(**kwargs: object) -> None:
        raise RecursionError

    monkeypatch.setattr("papers.ingest.parse_feed", surprise)
    server.routes["/feed"] = Reply(status=500, body=b"<oops>")
    visit = visit_source(source_id=source.pk, now=NOW)
    assert visit.status == FetchStatus.UNREACHABLE
    assert "500" in visit.error


def test_a_visit_to_an_address_the_owner_changed_meanwhile_says_nothing_of_the_new_one(
    source: Source, monkeypatch: pytest.MonkeyPatch
):
    real = ingest.store_feed

    def store_while_the_owner_types(**kwargs: Any) -> StoreReport:
        Source.objects.filter(pk=source.pk).update(url="http://127.0.0.1/another", etag="")
        return real(**kwargs)

    monkeypatch.setattr("papers.ingest.store_feed", store_while_the_owner_types)
    assert visit_source(source_id=source.pk, now=NOW).report.new > 0
    assert (fresh(source).etag, fresh(source).last_success_at) == ("", None)
    assert Fetch.objects.get().status == "stored"


def test_arxivs_own_error_message_reaches_the_owner(source: Source, server: LocalServer):
    server.routes["/feed"] = Reply(body=(FEEDS / "arxiv_feed_error.xml").read_bytes())
    assert "Bad subject class 'XYZ'" in visit_source(source_id=source.pk, now=NOW).error


def test_arxivs_own_words_behind_a_bad_status_reach_the_owner(source: Source, server: LocalServer):
    server.routes["/feed"] = Reply(status=400, body=(FEEDS / "arxiv_api_error.xml").read_bytes())
    visit = visit_source(source_id=source.pk, now=NOW)
    assert visit.status == FetchStatus.UNREACHABLE
    assert "400" in visit.error
    assert len(visit.error) > len("127.0.0.1 answered with 400.") + 10


def test_an_unreachable_host_is_said_once_and_tried_again_later_each_time(
    source: Source, settings: Settings, caplog: pytest.LogCaptureFixture
):
    with serve() as gone:
        pass
    settings.FETCH_ALLOW = frozenset({gone.pair})
    Source.objects.filter(pk=source.pk).update(url=gone.url("/feed"))
    waits = []
    for failures in range(1, 10):
        caplog.clear()
        visit = visit_source(source_id=source.pk, now=NOW)
        assert visit.status == FetchStatus.UNREACHABLE
        assert gone.pair in visit.error
        assert [record.levelname for record in caplog.records if record.name == "papers.recording"] == ["WARNING"]
        assert (fresh(source).state, fresh(source).failures) == (SourceState.FAILING, failures)
        waits.append(fresh(source).next_fetch_at - NOW)
    assert 4 * MINUTE <= waits[0] <= 6 * MINUTE
    assert 8 * MINUTE <= waits[1] <= 12 * MINUTE
    assert 288 * MINUTE <= waits[-1] <= 432 * MINUTE


def test_a_source_that_recovers_forgets_its_failures(source: Source, server: LocalServer):
    server.routes["/feed"] = [Reply(status=500), Reply(body=ARXIV)]
    visit_source(source_id=source.pk, now=NOW)
    assert "500" in fresh(source).last_error
    visit_source(source_id=source.pk, now=NOW)
    assert (fresh(source).state, fresh(source).failures) == (SourceState.FRESH, 0)
    assert "500" not in fresh(source).last_error


@pytest.mark.parametrize(
    ("headers", "at_least"),
    [({"Retry-After": "3600"}, 60 * MINUTE), ({}, 10 * MINUTE), ({"Retry-After": "1"}, 10 * MINUTE)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_host_that_asks_for_silence_gets_it_from_all_of_us(
    status: int, headers: dict[str, str], at_least: dt.timedelta, source: Source, server: LocalServer
):
    server.routes["/feed"] = Reply(status=status, headers=headers)
    visit_source(source_id=source.pk, now=NOW)
    assert fresh(source).next_fetch_at >= NOW + at_least
    closed_until = Bucket.objects.get(name=f"fetch:{server.pair}").closed_until
    assert closed_until >= dt.datetime.now(dt.UTC) + at_least - MINUTE


def test_a_host_that_a_redirect_leads_to_has_terms_of_its_own(source: Source, server: LocalServer, settings: Settings):
    with serve({"/moved": Reply(status=429, headers={"Retry-After": "900"})}) as other:
        settings.FETCH_ALLOW = frozenset({server.pair, other.pair})
        server.routes["/feed"] = redirect(other.url("/moved"))
        visit_source(source_id=source.pk, now=NOW)
    closed = dict(Bucket.objects.filter(closed_until__isnull=False).values_list("name", "closed_until"))
    assert list(closed) == [f"fetch:{other.pair}"]


def test_each_hop_waits_for_its_turn(source: Source, server: LocalServer, monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    @contextlib.contextmanager
    def watched(*, host: str, now: dt.datetime, patience: float) -> Iterator[None]:
        asked.append(host)
        yield

    monkeypatch.setattr(ingest, "turn", watched)
    server.routes["/feed"] = redirect(server.url("/there"))
    server.routes["/there"] = Reply(body=ARXIV)
    visit_source(source_id=source.pk, now=NOW)
    assert asked == [server.pair, server.pair]


def test_two_workers_do_not_visit_a_source_at_once(source: Source, server: LocalServer):
    token = hold(f"visit:{source.pk}", seconds=60)
    visit = visit_source(source_id=source.pk, now=NOW)
    assert (visit.status, server.requests) == (FetchStatus.POSTPONED, [])
    assert "another worker" in visit.error
    release(f"visit:{source.pk}", token=token)
    assert visit_source(source_id=source.pk, now=NOW).status == FetchStatus.STORED
    # The turn is given back, so that the next visit gets it.
    assert visit_source(source_id=source.pk, now=NOW).status == FetchStatus.NOT_MODIFIED


def test_a_redirect_into_the_private_network_is_not_followed(source: Source, server: LocalServer):
    with serve({"/secret": Reply(body=ARXIV)}) as inner:
        server.routes["/feed"] = redirect(inner.url("/secret"))
        visit = visit_source(source_id=source.pk, now=NOW)
        assert visit.status == FetchStatus.UNREACHABLE
        assert inner.requests == []
    assert not Paper.objects.exists()


def test_when_offline_nothing_outside_this_machine_is_asked(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    def never(*args: object, **kwargs: object) -> None:
        pytest.fail("something was fetched")

    monkeypatch.setattr("papers.ingest.fetch", never)
    settings.OFFLINE = True
    visit = visit_source(source_id=make_source(url="https://rss.arxiv.org/rss/cs.CL").pk, now=NOW)
    assert "OFFLINE" in visit.error


def test_a_source_switched_off_during_a_visit_stays_off(source: Source):
    Source.objects.filter(pk=source.pk).update(state=SourceState.OFF)
    visit_source(source_id=source.pk, now=NOW)
    assert fresh(source).state == SourceState.OFF


def test_a_due_source_is_taken_once_and_comes_back_if_the_worker_died(source: Source, settings: Settings):
    settings.OFFLINE = False
    Source.objects.exclude(pk=source.pk).update(state=SourceState.OFF)
    assert claim_due_sources(now=NOW) == [source.pk]
    assert claim_due_sources(now=NOW) == []
    assert claim_due_sources(now=NOW + 10 * MINUTE) == [source.pk]


def test_offline_only_the_sample_is_due(settings: Settings):
    settings.OFFLINE = True
    sample = make_source(is_sample=True, next_fetch_at=NOW)
    assert claim_due_sources(now=dt.datetime.now(dt.UTC)) == [sample.pk]


def test_the_tick_rings_once_for_each_source_that_is_due(
    settings: Settings, silent_bell: list[tuple[str, tuple[object, ...]]]
):
    settings.OFFLINE = True
    sample = make_source(is_sample=True)
    fetch_due_sources()
    fetch_due_sources()
    assert silent_bell == [("papers.tasks.fetch_source", (sample.pk,))]


@pytest.mark.parametrize(
    ("now", "last_day", "state"),
    [
        (dt.datetime(2026, 5, 10, 12, tzinfo=dt.UTC), dt.date(2026, 5, 8), SourceState.QUIET),  # a Sunday
        (dt.datetime(2026, 5, 6, 12, tzinfo=dt.UTC), dt.date(2026, 5, 5), SourceState.WAITING),
        (dt.datetime(2026, 5, 6, 20, tzinfo=dt.UTC), dt.date(2026, 5, 5), SourceState.STALLED),
        (dt.datetime(2026, 5, 6, 12, tzinfo=dt.UTC), dt.date(2026, 5, 6), SourceState.FRESH),
    ],
)
def test_a_source_without_news_says_whether_that_is_as_it_should_be(
    now: dt.datetime, last_day: dt.date, state: SourceState
):
    source = make_source(created_at=now - dt.timedelta(days=29))
    for offset in range(30):
        SourceDay.objects.create(source=source, date=last_day - dt.timedelta(days=offset), unseen=100)
    empty = (FEEDS / "arxiv_atom_weekend.xml").read_bytes()
    visit = take_document(source=source, body=empty, now=now)
    assert (visit.status, visit.report.entries, visit.error) == (FetchStatus.STORED, 0, "")
    assert fresh(source).state == state


def test_the_announcement_day_is_arxivs_own_which_is_us_eastern():
    assert announcement_today(dt.datetime(2026, 11, 24, 4, 59, tzinfo=dt.UTC)) == dt.date(2026, 11, 23)
    assert announcement_today(dt.datetime(2026, 11, 24, 5, 0, tzinfo=dt.UTC)) == dt.date(2026, 11, 24)


def test_every_entry_of_a_real_list_is_counted_once(source: Source, server: LocalServer):
    server.routes["/hf"] = Reply(body=HF)
    report = visit_source(source_id=make_source(kind="hf", url=server.url("/hf")).pk, now=NOW).report
    assert report.entries == len(json.loads(HF))
    assert report.entries == report.new + report.changed + report.known + report.rejected

"""Making good the days that went missing, over real HTTP, from a repository that also misbehaves."""

import datetime as dt
import io
import json
from collections.abc import Iterator

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from digests.alerts import tell_about_sources
from digests.editions import publish_now
from digests.models import EditionPaper
from mailer.outbox import list_mails
from papers.backfilling import (
    MOST_FAILURES,
    NoBackfillError,
    continue_backfill,
    due_backfills,
    plan_backfills,
    start_backfill,
)
from papers.ingest import visit_source
from papers.models import Announcement, Backfill, BackfillState, Paper, Source, SourceDay, SourceState
from papers.recording import judge_all, switch
from papers.tasks import backfill as backfill_task
from papers.tasks import fetch_due_sources
from subscriptions.models import Notice, NoticeKind
from subscriptions.notices import send_notices
from tests.factories import make_source
from tests.oai import OaiServer, records_of
from tests.servers import LocalServer, Received, Reply, serve

pytestmark = [pytest.mark.db, pytest.mark.django_db]
MONDAY, TUESDAY, WEDNESDAY = (dt.date(2026, 5, day) for day in (4, 5, 6))
NOW = dt.datetime(2026, 5, 6, 18, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def oai() -> OaiServer:
    return OaiServer([*records_of(MONDAY, 60), *records_of(TUESDAY, 70), *records_of(WEDNESDAY, 20)])


@pytest.fixture
def server(settings: Settings, oai: OaiServer) -> Iterator[LocalServer]:
    with serve({"/oai": oai}) as running:
        settings.FETCH_ALLOW = frozenset({running.pair})
        settings.OFFLINE = False
        Source.objects.update(state=SourceState.OFF)
        yield running


@pytest.fixture
def source(server: LocalServer) -> Source:
    """A feed that was steady until Monday, and has left out Tuesday."""
    url = server.url("/oai?set=cs:cs:CL")
    made = make_source(
        url=server.url("/rss"), backfill_url=url, created_at=NOW - dt.timedelta(days=40), next_fetch_at=NOW
    )
    for offset in range(2, 40):
        day = WEDNESDAY - dt.timedelta(days=offset)
        if day.weekday() < 5:
            SourceDay.objects.create(source=made, date=day, unseen=60)
    return made


def rss(day: dt.date, count: int, *, first: int = 1) -> Reply:
    """arXiv's feed of a day."""
    items = "".join(
        f"<item><title>{record.title}</title><link>https://arxiv.org/abs/{record.id}</link>"
        f"<description>arXiv:{record.id}v1 Announce Type: new\nAbstract: It says little.</description>"
        f"<guid>oai:arXiv.org:{record.id}v1</guid><category>cs.CL</category>"
        f"<arxiv:announce_type>new</arxiv:announce_type><dc:creator>Ada Lovelace</dc:creator></item>"
        for record in records_of(day, count, first=first)
    )
    date = f"{day:%a, %d %b %Y} 00:00:00 -0400"
    return Reply(
        body=f'<rss version="2.0" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<channel><title>cs.CL updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.CL</link>"
        f"<pubDate>{date}</pubDate>{items}</channel></rss>"
    )


def run(backfill: Backfill, *, now: dt.datetime = NOW, most: int = 30) -> Backfill:
    """Page after page, until there is none or it has to wait."""
    for _ in range(most):
        if not continue_backfill(backfill_id=backfill.pk, now=now).is_asked:
            break
    backfill.refresh_from_db()
    return backfill


def begin(source: Source, since: dt.date = MONDAY, until: dt.date = WEDNESDAY) -> Backfill:
    return start_backfill(source=source, since=since, until=until, why="by hand", now=NOW)


def test_a_span_of_days_comes_in_page_by_page(source: Source, oai: OaiServer):
    backfill = run(begin(source))
    assert (backfill.state, backfill.entries, backfill.new, backfill.total) == (BackfillState.DONE, 150, 150, 150)
    assert oai.spans == [("2026-05-04", "2026-05-06")]
    assert Announcement.objects.filter(source=source, date=TUESDAY, kind="new").count() == 70


def test_it_goes_on_where_it_was_after_any_end(source: Source, server: LocalServer):
    backfill = begin(source)
    assert continue_backfill(backfill_id=backfill.pk, now=NOW).is_asked
    # The worker is gone; another begins with the row alone.
    before = len(server.requests)
    done = run(Backfill.objects.get(pk=backfill.pk))
    assert (done.state, done.entries, len(server.requests) - before) == (BackfillState.DONE, 150, 2)


def test_a_page_asked_for_by_a_worker_that_died_is_asked_for_again_later(source: Source):
    backfill = begin(source)
    Backfill.objects.filter(pk=backfill.pk).update(next_page_at=NOW + 10 * MINUTE)  # as its claim left it
    assert not continue_backfill(backfill_id=backfill.pk, now=NOW).is_asked
    assert due_backfills(now=NOW + 9 * MINUTE) == []
    assert due_backfills(now=NOW + 10 * MINUTE) == [backfill.pk]


def test_two_workers_ask_for_a_page_once(source: Source, server: LocalServer):
    backfill = begin(source)
    Backfill.objects.filter(pk=backfill.pk).update(next_page_at=NOW)
    assert continue_backfill(backfill_id=backfill.pk, now=NOW - MINUTE).is_asked is False
    assert server.requests == []


def test_asking_for_the_same_days_twice_changes_nothing(source: Source):
    run(begin(source))
    papers = list(Paper.objects.values())
    again = run(begin(source))
    assert (again.new, again.changed, list(Paper.objects.values())) == (0, 0, papers)


def test_the_same_span_under_way_is_not_begun_twice(source: Source):
    assert begin(source) == begin(source)


def test_a_token_that_ran_out_begins_its_list_anew(source: Source, oai: OaiServer):
    backfill = begin(source)
    continue_backfill(backfill_id=backfill.pk, now=NOW)
    oai.tokens_end()
    step = continue_backfill(backfill_id=backfill.pk, now=NOW)
    assert "run out" in step.error
    done = run(backfill, now=NOW + 60 * MINUTE)
    assert (done.state, done.new, Paper.objects.count()) == (BackfillState.DONE, 150, 150)
    assert len(oai.spans) == 2


def test_a_token_that_is_never_good_is_given_up_and_counts_each_paper_once(source: Source, oai: OaiServer):
    backfill, now = begin(source), NOW
    for _ in range(60):
        oai.tokens_end()
        continue_backfill(backfill_id=backfill.pk, now=now)
        backfill.refresh_from_db()
        if backfill.state != BackfillState.RUNNING:
            break
        now = backfill.next_page_at
    assert (backfill.state, backfill.entries, backfill.new) == (BackfillState.FAILED, 50, 50)


def test_a_page_that_is_always_cut_off_is_no_end(source: Source, server: LocalServer, oai: OaiServer):
    def cut(request: Received) -> Reply:
        body = oai(request).body
        assert isinstance(body, str)
        return Reply(body=body[: len(body) // 2], headers={"Content-Type": "text/xml"})

    server.routes["/oai"] = cut
    backfill = begin(source)
    step = continue_backfill(backfill_id=backfill.pk, now=NOW)
    backfill.refresh_from_db()
    assert (backfill.state, step.is_asked, backfill.failures) == (BackfillState.RUNNING, False, 1)
    assert "cut off" in backfill.error
    # What came is kept all the same.
    assert 0 < Paper.objects.count() < 50


def test_what_nobody_expected_is_counted_told_and_given_up(source: Source, monkeypatch: pytest.MonkeyPatch):
    def surprise(*args: object, **kwargs: object) -> None:
        raise RuntimeError("odd")

    monkeypatch.setattr("papers.backfilling.read_page", surprise)
    backfill, now = begin(source), NOW
    for _ in range(MOST_FAILURES):
        continue_backfill(backfill_id=backfill.pk, now=now)
        backfill.refresh_from_db()
        now = backfill.next_page_at
    assert (backfill.state, "RuntimeError" in backfill.error) == (BackfillState.FAILED, True)


def test_one_span_of_a_source_at_a_time(source: Source):
    begin(source)
    with pytest.raises(NoBackfillError, match="just now"):
        begin(source, TUESDAY, WEDNESDAY)
    Source.objects.filter(pk=source.pk).update(missing_dates=["2026-05-05"])
    assert plan_backfills(now=NOW + dt.timedelta(days=2)) == []


def test_a_source_that_was_switched_off_is_left_alone(source: Source):
    backfill = begin(source)
    assert due_backfills(now=NOW) == [backfill.pk]
    assert switch(source, on=False, now=NOW)
    assert due_backfills(now=NOW) == []


def test_days_without_records_are_a_back_fill_of_nothing(source: Source):
    done = run(begin(source, dt.date(2026, 4, 4), dt.date(2026, 4, 5)))
    assert (done.state, done.entries) == (BackfillState.DONE, 0)


def test_errors_are_waited_out_and_in_the_end_told(source: Source, server: LocalServer):
    server.routes["/oai"] = Reply(status=500)
    backfill, now = begin(source), NOW
    for failures in range(1, MOST_FAILURES):
        step = continue_backfill(backfill_id=backfill.pk, now=now)
        assert step.again_after >= 4 * MINUTE
        backfill.refresh_from_db()
        assert (backfill.failures, backfill.state) == (failures, BackfillState.RUNNING)
        now = backfill.next_page_at
    continue_backfill(backfill_id=backfill.pk, now=now)
    backfill.refresh_from_db()
    assert backfill.state == BackfillState.FAILED
    assert "500" in backfill.error


def test_a_service_that_asks_to_wait_is_waited_for(source: Source, server: LocalServer):
    server.routes["/oai"] = Reply(status=503, headers={"Retry-After": "1800"})
    step = continue_backfill(backfill_id=begin(source).pk, now=NOW)
    assert step.again_after == 30 * MINUTE


def test_a_feed_without_a_back_fill_address_says_what_would_help(server: LocalServer):
    plain = make_source(kind="rss", url=server.url("/rss"))
    with pytest.raises(NoBackfillError, match="back-fill address"):
        begin(plain)


@pytest.mark.parametrize(("since", "until"), [(WEDNESDAY, MONDAY), (dt.date(2010, 1, 1), MONDAY)])
def test_spans_that_make_no_sense_are_refused(since: dt.date, until: dt.date, source: Source):
    with pytest.raises(ValueError, match=r"first day|three years"):
        begin(source, since, until)
    assert not Backfill.objects.exists()


def test_hugging_face_is_asked_day_by_day(server: LocalServer):
    server.routes["/api/daily_papers"] = Reply(body="[]")
    source = make_source(kind="hf", url=server.url("/api/daily_papers"))
    assert run(begin(source)).state == BackfillState.DONE
    days = [request.query["date"][0] for request in server.requests]
    assert days == ["2026-05-04", "2026-05-05", "2026-05-06"]


def test_a_day_that_went_missing_is_noticed_told_once_made_good_and_mailed(
    source: Source, server: LocalServer, oai: OaiServer, settings: Settings
):
    settings.OWNER_EMAIL = "owner@example.org"
    # Wednesday noon: the feed serves Monday's batch under Wednesday's date, and every fetch succeeds.
    run(begin(source, MONDAY, MONDAY))
    server.routes["/rss"] = rss(WEDNESDAY, 0)
    visit = visit_source(source_id=source.pk, now=NOW)
    assert visit.error == ""
    source.refresh_from_db()
    assert (source.state, source.missing_dates) == (SourceState.STALLED, ["2026-05-05", "2026-05-06"])
    for _ in range(3):
        tell_about_sources(now=NOW)
    notice = Notice.objects.get()
    assert notice.kind == NoticeKind.SOURCE_STALLED

    # It is made good by itself, and what came in is in the next edition.
    Backfill.objects.all().delete()
    [backfill] = plan_backfills(now=NOW)
    assert (backfill.since, backfill.until, backfill.why) == (TUESDAY, WEDNESDAY, "days were missing")
    run(backfill)
    source.refresh_from_db()
    assert (source.state, source.missing_dates) == (SourceState.FRESH, [])
    tell_about_sources(now=NOW)
    assert [told.kind for told in Notice.objects.order_by("pk")] == [NoticeKind.SOURCE_STALLED, NoticeKind.SOURCE_BACK]
    edition = publish_now(date=WEDNESDAY, now=NOW + MINUTE).edition
    tuesdays = EditionPaper.objects.filter(edition=edition, paper__announced_date=TUESDAY)
    assert tuesdays.shown().count() == 70


def test_the_owner_reads_in_plain_words_what_happened(source: Source, server: LocalServer, settings: Settings):
    settings.OWNER_EMAIL = "owner@example.org"
    server.routes["/rss"] = rss(WEDNESDAY, 0)
    visit_source(source_id=source.pk, now=NOW)
    tell_about_sources(now=NOW)
    assert send_notices(Notice.objects.values_list("pk", flat=True), now=NOW) == 1
    [mail] = list_mails(directory=settings.OUTBOX_DIR)
    assert mail.subject == f"{source.name} has stalled"
    assert mail.to == "owner@example.org"


def test_without_an_owner_the_notice_says_why_it_was_not_sent(source: Source, settings: Settings):
    settings.OWNER_EMAIL = ""
    Source.objects.filter(pk=source.pk).update(missing_dates=["2026-05-05"])
    tell_about_sources(now=NOW)
    notice = Notice.objects.get()
    assert send_notices([notice.pk], now=NOW) == 0
    notice.refresh_from_db()
    assert (notice.kind, notice.state, notice.reason) == ("days_missing", "skipped", "No OWNER_EMAIL is set.")


def test_a_source_that_is_only_ever_put_off_does_not_go_on_looking_fresh(source: Source):
    """Its host asked for silence, say, or no worker comes to it: no visit, and yet days go by."""
    Source.objects.filter(pk=source.pk).update(state=SourceState.FRESH)
    judge_all(now=NOW)
    source.refresh_from_db()
    assert (source.state, source.missing_dates) == (SourceState.STALLED, ["2026-05-05", "2026-05-06"])
    assert tell_about_sources(now=NOW) == 1


def test_a_source_that_was_off_is_judged_from_the_day_it_is_on_again(source: Source):
    saturday = NOW + dt.timedelta(days=10)
    assert switch(source, on=False, now=NOW)
    assert not switch(source, on=False, now=NOW)
    assert switch(Source.objects.get(pk=source.pk), on=True, now=saturday)
    judge_all(now=saturday + MINUTE)
    source.refresh_from_db()
    assert (source.state, source.missing_dates) == (SourceState.QUIET, [])
    trail = [(change.before, change.after) for change in source.changes.order_by("pk")]
    assert trail == [("waiting", "off"), ("off", "waiting"), ("waiting", "quiet")]
    assert tell_about_sources(now=saturday + MINUTE) == 0


def test_a_day_found_missing_later_is_told_too_and_a_told_one_only_once(source: Source):
    rows = Source.objects.filter(pk=source.pk)
    rows.update(missing_dates=["2026-05-06"])
    assert tell_about_sources(now=NOW) == 1
    rows.update(missing_dates=["2026-05-05", "2026-05-06"])
    assert tell_about_sources(now=NOW) == 1
    rows.update(missing_dates=["2026-05-05"])
    assert tell_about_sources(now=NOW) == 0


def test_a_hole_left_while_the_machine_was_off_is_told_though_the_source_is_fresh(source: Source, server: LocalServer):
    server.routes["/rss"] = rss(WEDNESDAY, 60)
    visit_source(source_id=source.pk, now=NOW)
    source.refresh_from_db()
    assert (source.state, source.missing_dates) == (SourceState.FRESH, ["2026-05-05"])
    assert tell_about_sources(now=NOW) == 1
    assert tell_about_sources(now=NOW) == 0
    assert Notice.objects.get().details["days"] == "Tuesday, 5 May"


def test_missing_days_are_asked_for_at_once_and_again_only_hours_later(source: Source):
    Source.objects.filter(pk=source.pk).update(missing_dates=["2026-05-05"])
    Backfill.objects.all().delete()
    assert len(plan_backfills(now=dt.datetime.now(dt.UTC))) == 1
    assert plan_backfills(now=dt.datetime.now(dt.UTC)) == []


def test_every_night_the_last_days_are_asked_for_once(source: Source):
    night = dt.datetime.now(dt.UTC).replace(hour=4, minute=0) + dt.timedelta(days=1)
    [backfill] = plan_backfills(now=night)
    assert (backfill.why, (backfill.until - backfill.since).days) == ("nightly reconciliation", 4)
    Backfill.objects.update(created_at=night, state=BackfillState.DONE)
    assert plan_backfills(now=night + dt.timedelta(hours=2)) == []
    assert len(plan_backfills(now=night + dt.timedelta(days=1))) == 1


def test_the_worker_rings_for_back_fills_and_goes_on_with_them(
    source: Source, silent_bell: list[tuple[str, tuple[object, ...]]]
):
    backfill = begin(source)
    Source.objects.filter(pk=source.pk).update(next_fetch_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    Backfill.objects.update(next_page_at=dt.datetime.now(dt.UTC))
    fetch_due_sources()
    assert ("papers.tasks.backfill", (backfill.pk,)) in silent_bell
    backfill_task(backfill.pk)
    backfill.refresh_from_db()
    assert backfill.state == BackfillState.DONE


def command(*words: str) -> str:
    out = io.StringIO()
    call_command("backfill_papers", *words, stdout=out)
    return out.getvalue()


def test_the_command_does_it_all_and_answers_in_json(source: Source):
    told = json.loads(command("--source", source.slug, "--since", "2026-05-04", "--until", "2026-05-06", "--json"))
    assert (told["entries"], told["new"], told["rejected"]) == (150, 150, 0)


def test_the_command_tries_nothing_on_a_dry_run(source: Source, server: LocalServer):
    said = command("--source", source.slug, "--since", "2026-05-04", "--until", "2026-05-06", "--dry-run")
    assert "Would ask" in said
    assert (server.requests, Backfill.objects.count()) == ([], 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--source", "nobody", "--since", "2026-05-04"], "no source 'nobody'"),
        (["--source", "SLUG", "--since", "2026-05-04", "--until", "2026-05-01"], "first day"),
    ],
)
def test_the_command_refuses_with_two(words: list[str], says: str, source: Source):
    with pytest.raises(CommandError, match=says) as refused:
        command(*[source.slug if word == "SLUG" else word for word in words])
    assert refused.value.returncode == 2

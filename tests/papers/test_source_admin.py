"""The list of sources in the admin, and trying an address before it becomes one, as a signed-in owner uses them."""

import datetime as dt
import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from limits.models import Bucket
from papers.ingest import announcement_today
from papers.merging import merge_papers
from papers.models import Backfill, Fetch, Paper, Source, SourceChange, SourceDay, SourceState
from papers.probing import guess_kind
from tests.factories import make_paper, make_source
from tests.servers import LocalServer, Reply, serve

pytestmark = pytest.mark.django_db
FEEDS = Path(__file__).resolve().parents[1] / "data" / "feeds"
LIST = "/admin/papers/source/"
TRY = f"{LIST}try/"


@pytest.fixture
def owner(settings: Settings) -> Client:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client = Client()
    client.force_login(User.objects.create_superuser("owner", password="for-tests"))
    return client


@pytest.fixture
def server(settings: Settings) -> Iterator[LocalServer]:
    with serve({}) as running:
        settings.FETCH_ALLOW = frozenset({running.pair})
        yield running


def words(page: Any) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split()))


def test_the_list_says_how_each_source_is_doing(owner: Client):
    Source.objects.all().delete()
    now = dt.datetime.now(dt.UTC)
    source = make_source(
        name="arXiv cs.CL",
        state=SourceState.STALLED,
        state_reason="nothing new on Monday 04 May; usually 100 papers a day",
        last_success_at=now - dt.timedelta(hours=3, minutes=1),
        next_fetch_at=now + dt.timedelta(minutes=41),
        last_error="example.org answered 500",
        missing_dates=[(announcement_today(now) - dt.timedelta(days=1)).isoformat()],
    )
    SourceDay.objects.create(source=source, date=announcement_today(now), unseen=48)
    page = owner.get(LIST)
    said = words(page)
    assert "Stalled" in said
    assert "3 hours" in said
    assert "in 40 minutes" in said
    assert "example.org answered 500" in said
    body = page.content.decode()
    assert f"New papers a day: 48 on {announcement_today(now):%d %b}" in body
    assert body.count('class="desk-missing"') == 1
    assert body.count('class="desk-bar"') == 13
    # The content policy allows no styles in attributes.
    assert "style=" not in re.search(r"<svg.*?</svg>", body, re.DOTALL)[0]


def test_the_charts_of_many_sources_cost_one_query(owner: Client, django_assert_max_num_queries: Any):
    for _ in range(20):
        SourceDay.objects.create(source=make_source(), date=announcement_today(dt.datetime.now(dt.UTC)), unseen=3)
    with django_assert_max_num_queries(8):
        owner.get(LIST)


def test_the_page_of_a_source_shows_visits_changes_and_past_days(owner: Client):
    source, now = make_source(backfill_url="https://example.org/oai"), dt.datetime.now(dt.UTC)
    Fetch.objects.create(source=source, fetched_at=now, status="failed", error="It was silent.")
    SourceChange.objects.create(source=source, at=now, before="fresh", after="stalled", reason="nothing new")
    Backfill.objects.create(source=source, since=now.date(), until=now.date(), why="days were missing")
    page = owner.get(reverse("admin:papers_source_change", args=[source.pk]))
    for expected in ("It was silent.", "nothing new", "days were missing"):
        assert expected in words(page)
    assert 'value="Try this address, save nothing"' in page.content.decode()


def test_a_new_source_is_asked_for_no_more_than_it_needs(owner: Client):
    page = owner.get(reverse("admin:papers_source_add") + "?url=https://example.org/feed&kind=rss&name=A+lab")
    body = page.content.decode()
    assert 'value="https://example.org/feed"' in body
    assert 'value="A lab"' in body
    assert "How it is doing" not in body


def test_trying_an_address_shows_what_would_come_in_and_keeps_nothing(owner: Client, server: LocalServer):
    server.routes["/feed"] = Reply(body=(FEEDS / "arxiv_rss.xml").read_bytes())
    sources = Source.objects.count()
    page = owner.post(TRY, {"url": server.url("/feed"), "kind": "arxiv"})
    said = words(page)
    assert "papers would come in" in said
    assert "arxiv:2605.01002" in said
    assert "Add it as a source" in said
    assert (Paper.objects.count(), Fetch.objects.count(), Source.objects.count()) == (0, 0, sources)
    assert len(server.requests) == 1


def test_looking_at_the_page_fetches_nothing(owner: Client, server: LocalServer):
    page = owner.get(TRY, {"url": server.url("/feed")})
    assert page.status_code == 200
    assert server.requests == []


def test_a_page_instead_of_a_feed_says_which_feeds_it_names(owner: Client, server: LocalServer):
    server.routes["/blog"] = Reply(
        body='<!doctype html><title>A lab</title><link rel="alternate" type="application/rss+xml" title="All posts" '
        'href="/feed.xml">',
        headers={"Content-Type": "text/html"},
    )
    said = words(owner.post(TRY, {"url": server.url("/blog")}))
    assert "Nothing would come in" in said
    assert "Try All posts" in said
    assert server.url("/feed.xml") in said


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(status=404), "answered 404"),
        (Reply(body=b""), "The document is empty"),
        (Reply(body="<rss><channel></channel></rss>"), "0 papers would come in"),
    ],
)
def test_an_address_that_gives_nothing_says_why(owner: Client, server: LocalServer, reply: Reply, says: str):
    server.routes["/feed"] = reply
    assert says in words(owner.post(TRY, {"url": server.url("/feed")}))


def test_a_host_that_asks_for_silence_when_it_is_tried_gets_it(owner: Client, server: LocalServer):
    server.routes["/feed"] = Reply(status=429, headers={"Retry-After": "900"})
    assert "asks us to wait 900 seconds" in words(owner.post(TRY, {"url": server.url("/feed")}))
    assert Bucket.objects.get(name=f"fetch:{server.pair}").closed_until


def test_another_address_means_other_habits(owner: Client):
    source = make_source()
    data = {"name": source.name, "slug": source.slug, "kind": "rss", "url": "https://example.org/feed"}
    empty = {
        f"{name}-{part}": "0"
        for name in ("fetches", "changes", "backfills")
        for part in ("TOTAL_FORMS", "INITIAL_FORMS")
    }
    when = {"next_fetch_at_0": "2026-11-25", "next_fetch_at_1": "12:00:00"}
    owner.post(f"{LIST}{source.pk}/change/", {**data, **empty, **when, "backfill_url": ""})
    changed = Source.objects.get(pk=source.pk)
    assert (changed.kind, changed.url) == ("rss", "https://example.org/feed")
    assert changed.watched_since


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/feed", "http://10.0.0.1/feed", "http://[::1]/feed"])
def test_private_addresses_are_not_tried(owner: Client, settings: Settings, url: str):
    settings.OFFLINE = False
    said = words(owner.post(TRY, {"url": url}))
    assert "Nothing would come in" in said
    assert "private" in said or "public" in said


def test_titles_of_a_tried_feed_cannot_run_anything(owner: Client, server: LocalServer):
    evil = "<rss><channel><item><title>&lt;script&gt;alert(1)&lt;/script&gt; x</title><link>https://e.org/1</link></item></channel></rss>"
    server.routes["/feed"] = Reply(body=evil)
    assert b"<script>alert" not in owner.post(TRY, {"url": server.url("/feed"), "kind": "rss"}).content


def test_who_may_only_look_may_not_make_us_fetch(settings: Settings, server: LocalServer):
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_source"))
    client = Client()
    client.force_login(user)
    assert client.post(TRY, {"url": server.url("/feed")}).status_code == 403
    assert server.requests == []


def test_past_days_are_asked_for_again_at_the_press_of_a_button(
    owner: Client, silent_bell: list[tuple[str, tuple[Any, ...]]], django_capture_on_commit_callbacks: Any
):
    good, plain = make_source(backfill_url="https://oai.example.org/oai"), make_source(kind="rss")
    with django_capture_on_commit_callbacks(execute=True):
        page = owner.post(
            LIST, {"action": "ask_again", "_selected_action": [good.pk, plain.pk], "index": "0"}, follow=True
        )
    said = words(page)
    assert "are being asked for again" in said
    assert "Give it a back-fill address" in said
    backfill = Backfill.objects.get()
    assert (backfill.source, (backfill.until - backfill.since).days) == (good, 7)
    assert silent_bell == [("papers.tasks.backfill", (backfill.pk,))]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://rss.arxiv.org/rss/cs.CL", "arxiv"),
        ("https://export.arxiv.org/api/query?id_list=1", "arxiv_api"),
        ("https://oaipmh.arxiv.org/oai", "arxiv_oai"),
        ("https://export.arxiv.org/oai2?verb=ListRecords", "arxiv_oai"),
        ("https://huggingface.co/api/daily_papers", "hf"),
        ("https://huggingface.co/blog/feed.xml", "rss"),
        ("https://api.biorxiv.org/details/biorxiv/2026-05-01/2026-05-02/0", "biorxiv"),
        ("https://connect.biorxiv.org/biorxiv_xml.php?subject=all", "biorxiv"),
        ("https://api2.openreview.net/notes?invitation=x", "openreview"),
        ("https://lab.example.org/feed.xml", "rss"),
        ("not an address", "rss"),
    ],
)
def test_the_kind_is_guessed_by_the_address(url: str, kind: str):
    assert guess_kind(url) == kind


def test_the_list_of_papers_shows_each_work_once(owner: Client):
    kept, other = make_paper(title="The one that stays"), make_paper(key="doi:10.1/a", title="Another id of it")
    merge_papers(one_id=kept.pk, other_id=other.pk)
    said = words(owner.get("/admin/papers/paper/"))
    assert "The one that stays" in said
    assert "Another id of it" not in said

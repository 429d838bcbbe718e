"""Our feeds, read by a reader of feeds, and held to what their formats demand."""

import datetime as dt
import json
import logging
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import feedparser
import pytest
import time_machine
from django.test import Client

from tests.factories import NOW, TODAY, make_edition, make_paper, make_topic

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"
SITE = "http://127.0.0.1:8000"


@pytest.fixture(autouse=True)
def monday(settings: Any) -> Any:
    settings.SITE_URL, settings.SITE_DOMAIN = SITE, "127.0.0.1"
    with time_machine.travel(NOW, tick=False):
        yield


def addresses() -> list[str]:
    make_topic("clocks", is_active=True)
    return ["/feeds/today", "/feeds/topic/clocks", "/feeds/search"]


@pytest.mark.parametrize("form", ["atom", "rss"])
def test_a_feed_reader_finds_every_fact_in_atom_and_rss(client: Client, form: str):
    make_topic("clocks", is_active=True)
    paper = make_paper(title="Of <b>AT&T</b> & clocks", abstract="If $a<b$, then & so.", topics=["clocks"])
    make_edition([paper], published_at=NOW)
    response = client.get(f"/feeds/today.{form}")
    feed = feedparser.parse(response.content, response_headers={"content-type": response["Content-Type"]})
    assert not feed.bozo, feed.bozo_exception
    (entry,) = feed.entries
    assert entry.link == f"{SITE}/papers/{paper.key[6:]}"
    assert entry.id == f"tag:127.0.0.1,2026:paper/{paper.key}"
    assert dt.datetime(*entry.published_parsed[:6], tzinfo=dt.UTC) == NOW
    assert [tag.term for tag in entry.tags] == ["Clocks"]
    assert "Ada Lovelace" in str(entry.authors)
    assert "AT&T" in entry.title.replace("&amp;", "&")
    assert any(link.rel == "self" and link.href == f"{SITE}/feeds/today.{form}" for link in feed.feed.links)


@pytest.mark.parametrize("empty", [True, False])
def test_atom_has_all_that_rfc_4287_demands(client: Client, empty: bool):
    if not empty:
        make_edition([make_paper(authors=[]), make_paper()], published_at=NOW)
    for address in addresses():
        root = ElementTree.fromstring(client.get(f"{address}.atom?q=paper").content)  # noqa: S314 - our own
        # 4.1.1: exactly one id, title and updated; an author, unless every entry has one.
        for feed_or_entry in [root, *root.findall(f"{ATOM}entry")]:
            for name in ("id", "title", "updated"):
                assert len(feed_or_entry.findall(f"{ATOM}{name}")) == 1, (address, name)
            moment = dt.datetime.fromisoformat(feed_or_entry.findtext(f"{ATOM}updated") or "")
            assert moment.tzinfo is not None
            assert (feed_or_entry.findtext(f"{ATOM}id") or "").startswith(("http", "tag:"))
        assert root.findtext(f"{ATOM}author/{ATOM}name")
        assert [link.get("rel") for link in root.findall(f"{ATOM}link")].count("self") == 1
        for entry in root.findall(f"{ATOM}entry"):
            links = [link for link in entry.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
            assert len(links) == 1
            assert str(links[0].get("href")).startswith("http")
        ids = [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
        assert len(ids) == len(set(ids))


def test_json_feed_has_what_version_1_1_demands(client: Client):
    make_edition([make_paper(abstract="")], published_at=NOW)
    response = client.get("/feeds/today.json")
    assert response["Content-Type"].startswith("application/feed+json")
    feed = json.loads(response.content)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == f"{SITE}/feeds/today.json"
    (item,) = feed["items"]
    assert item["id"]
    assert item["content_text"]
    assert dt.datetime.fromisoformat(item["date_published"]) == NOW


def test_a_topics_feed_holds_its_papers_alone_and_an_unknown_topic_has_none(client: Client):
    make_topic("clocks", is_active=True)
    mine = make_paper(topics=["clocks"])
    make_edition([mine, make_paper()], published_at=NOW)
    feed = json.loads(client.get("/feeds/topic/clocks.json").content)
    assert [item["url"] for item in feed["items"]] == [f"{SITE}/papers/{mine.key[6:]}"]
    make_topic("gone", is_active=False)
    assert client.get("/feeds/topic/gone.atom").status_code == 404
    assert client.get("/feeds/topic/nothing.atom").status_code == 404
    assert client.get("/feeds/today.pdf").status_code == 404


@pytest.mark.parametrize("form", ["atom", "rss", "json"])
def test_a_feed_is_the_same_octets_until_something_new_is_shown(client: Client, form: str):
    make_edition([make_paper()], published_at=NOW)
    first = client.get(f"/feeds/today.{form}")
    with time_machine.travel(NOW + dt.timedelta(hours=3), tick=False):
        again = client.get(f"/feeds/today.{form}")
        assert again.content == first.content
        assert client.get(f"/feeds/today.{form}", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
        since = client.get(f"/feeds/today.{form}", HTTP_IF_MODIFIED_SINCE=first["Last-Modified"])
        assert since.status_code == 304
        make_edition([make_paper()], date=TODAY + dt.timedelta(days=1), published_at=NOW + dt.timedelta(hours=3))
        assert client.get(f"/feeds/today.{form}", HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 200
    assert "max-age" in first["Cache-Control"]


@pytest.mark.parametrize("words", ["\x00\x01", "<script>&\"'", "💩", "\ufffe", "\u202e", "x" * 5000])
def test_odd_searches_make_good_feeds(client: Client, words: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        for form in ("atom", "rss"):
            response = client.get(f"/feeds/search.{form}?q={quote(words)}")
            assert response.status_code == 200
            assert not feedparser.parse(response.content).bozo
    assert caplog.records == []

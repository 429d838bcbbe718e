"""What the migrations do to the rows of an installation that grew before them."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps

from papers.entries import Entry, ParsedFeed
from papers.models import Paper
from papers.same_work import title_key
from papers.storing import store_feed
from tests.factories import NOW, TODAY, make_paper, make_source

pytestmark = [pytest.mark.db, pytest.mark.django_db]
TITLE = "Measuring the patience of very large whales"


def migration(name: str) -> Any:
    return import_module(f"papers.migrations.{name}")


def test_papers_from_before_titles_were_compared_are_known_by_them(monkeypatch: pytest.MonkeyPatch):
    titles = migration("0006_title_keys")
    monkeypatch.setattr(titles, "CHUNK", 2)
    crowd = [make_paper(title=f"{TITLE}, part {number}") for number in range(5)]
    short, had = make_paper(title="Editorial"), make_paper(title_key="its own")
    old = make_paper(title=TITLE)
    for _ in range(2):
        titles.fill_title_keys(apps, None)
    keys = dict(Paper.objects.values_list("pk", "title_key"))
    assert all(keys[paper.pk] == title_key(paper.title, paper.authors) != "" for paper in [*crowd, old])
    assert (keys[short.pk], keys[had.pk]) == ("", "its own")
    entry = Entry(key="doi:10.1234/whales", title=TITLE, authors=("A. Lovelace",))
    report = store_feed(source=make_source(kind="rss"), feed=ParsedFeed(entries=(entry,)), today=TODAY, now=NOW)
    assert (report.new, old.announcements.count()) == (0, 1)


def test_a_back_fill_address_that_an_owner_set_stays():
    back_fill = migration("0004_backfill_urls")
    own = apps.get_model("papers", "Source").objects.get(slug="arxiv-cs-cl")
    assert own.backfill_url == back_fill.BACKFILL_URLS["arxiv-cs-cl"]
    own.backfill_url = "https://example.org/oai"
    own.save()
    back_fill.add_backfill_urls(apps, None)
    own.refresh_from_db()
    assert own.backfill_url == "https://example.org/oai"

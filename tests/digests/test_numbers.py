"""The numbers as charts: what was counted, readable without colour, with a table behind each."""

import datetime as dt
import re

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from digests.charts import Chart, Series
from digests.numbers import read_charts
from papers.models import SourceDay
from subscriptions.models import ConsentEvent, Suppression
from subscriptions.outgoing import OutgoingState
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    cache.clear()


def chart(title: str, *, now: dt.datetime = NOW) -> dict[str, list[int]]:
    (found,) = [each for _, each in read_charts(now=now) if each.title.startswith(title)]
    return {series.name: [value for value in series.values if value] for series in found.series}


def test_readers_who_joined_left_and_bounced_are_counted_by_day():
    reader = make_subscriber()
    facts = {"subscriber": reader, "address_hash": reader.address_hash, "wording": "1", "how": "form"}
    for kind, days in (("confirmed", 0), ("confirmed", 0), ("imported", 2), ("unsubscribed", 1), ("requested", 0)):
        ConsentEvent.objects.create(kind=kind, at=NOW - dt.timedelta(days=days), **facts)
    ConsentEvent.objects.create(kind="confirmed", at=NOW - dt.timedelta(days=60), **facts)
    Suppression.objects.create(address_hash="1", reason="hard_bounce", at=NOW)
    Suppression.objects.create(address_hash="2", reason="manual", at=NOW)
    assert chart("Readers") == {"joined": [1, 2], "left": [1], "bounced": [1]}


def test_what_became_of_mail_keeps_accepted_and_delivered_apart():
    edition = make_edition([make_paper()])
    for state in ("accepted", "delivered", "delivered", "bounced", "complained", "unknown"):
        make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState(state))
    assert chart("What became") == {
        "delivered": [2],
        "accepted": [1],
        "bounced": [1],
        "called spam": [1],
        "failed or unknown": [1],
    }


def test_topics_papers_and_votes_are_there():
    make_subscriber(topics=["language", "vision"])
    make_subscriber(topics=["language"])
    source = make_source(name="arXiv")
    SourceDay.objects.create(source=source, date=NOW.date(), unseen=7)
    make_paper(upvotes=5)
    make_paper(upvotes=8)
    assert chart("Topics") == {"readers": [2, 1]}
    assert chart("New papers") == {"arXiv": [7]}
    assert chart("Votes") == {"votes": [13]}


def test_a_chart_is_told_by_patterns_labels_and_words_and_not_by_colour_alone():
    found = Chart(
        title="Mail <of> days", labels=["1 Nov", "2 Nov"], series=[Series("sent", [3, 9]), Series("lost", [0, 1])]
    )
    svg = found.columns()
    assert 'aria-label="Mail &lt;of&gt; days. sent: 12 in all, at most 9; lost: 1 in all, at most 1."' in svg
    patterns = re.findall(r'<pattern id="[\w-]+".*?</pattern>', svg)
    assert len(patterns) == 2
    assert re.sub(r'id="[\w-]+"|ground-\d', "", patterns[0]) != re.sub(r'id="[\w-]+"|ground-\d', "", patterns[1])
    assert "<title>2 Nov, sent: 9</title>" in svg
    assert "style=" not in svg
    assert "sent" in found.legend()
    assert "lost" in found.legend()
    # The highest bar fills what the axis, which goes to ten, leaves it.
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" fill="url\(#chart\d+-0\)"', svg)]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.01)


def test_nothing_counted_yet_is_said_and_the_page_asks_no_stranger_and_holds_every_table():
    client = Client()
    client.force_login(User.objects.create(username="viewer", is_staff=True, is_superuser=True))
    page = client.get(reverse("admin:digests_edition_numbers"))
    assert page.status_code == 200
    body = page.content.decode()
    assert body.count("As a table") == 6
    assert "Nothing in these days." in body
    assert read_charts(now=timezone.now())[0][1].is_empty
    assert Client().get(reverse("admin:digests_edition_numbers")).status_code == 302

"""Makers of rows for tests, each with the least that a test has to say."""

import datetime as dt
import itertools
from typing import Any

import pytest

from digests.models import Choice, Delivery, Edition, EditionPaper, EditionState
from papers.models import Announcement, Paper, Source, Topic
from subscriptions.addresses import hash_address
from subscriptions.models import Subscriber, SubscriberState, Subscription

NOW = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)  # a Monday
TODAY = NOW.date()

_numbers = itertools.count(1)


def make_source(**values: Any) -> Source:
    number = next(_numbers)
    defaults = {"slug": f"source-{number}", "name": f"Source {number}", "kind": "arxiv", "url": "http://127.0.0.1/feed"}
    return Source.objects.create(**{**defaults, **values})


def make_paper(*, topics: list[str] | None = None, announced_in: Source | None = None, **values: Any) -> Paper:
    """A paper; with `announced_in` it also has a new announcement there on its day, seen two hours before NOW."""
    number = next(_numbers)
    defaults = {
        "key": f"arxiv:2611.{number:05}",
        "title": f"Paper number {number}",
        "abstract": "We ask a question. We answer it. The answer is measured.",
        "authors": ["Ada Lovelace", "Alan Turing"],
        "categories": ["cs.CL"],
        "link": f"https://arxiv.org/abs/2611.{number:05}",
        "announced_date": TODAY,
        "first_seen_at": NOW - dt.timedelta(hours=2),
    }
    paper = Paper.objects.create(**{**defaults, **values})
    if topics:
        paper.topics.set(Topic.objects.filter(slug__in=topics))
    if announced_in:
        Announcement.objects.create(
            paper=paper, source=announced_in, date=paper.announced_date, kind="new", seen_at=paper.first_seen_at
        )
    return paper


def make_topic(slug: str, **values: Any) -> Topic:
    topic, _ = Topic.objects.update_or_create(slug=slug, defaults={"name": slug.title(), **values})
    return topic


def make_edition(papers: list[Paper] | None = None, *, picks: list[Paper] | None = None, **values: Any) -> Edition:
    defaults = {"date": TODAY, "state": EditionState.PUBLISHED, "cutoff_at": NOW - dt.timedelta(hours=5)}
    edition = Edition.objects.create(**{**defaults, **values})
    for position, paper in enumerate(picks or []):
        EditionPaper.objects.create(edition=edition, paper=paper, choice=Choice.PICK, position=position)
    for paper in papers or []:
        EditionPaper.objects.create(edition=edition, paper=paper)
    return edition


def make_subscriber(*, topics: list[str] | None = None, **values: Any) -> Subscriber:
    number = next(_numbers)
    email = values.pop("email", f"reader{number}@example.org")
    defaults = {
        "state": SubscriberState.ACTIVE,
        "confirmed_at": NOW - dt.timedelta(days=30),
        "next_due_at": NOW - dt.timedelta(minutes=1),
    }
    subscriber = Subscriber.objects.create(email=email, address_hash=hash_address(email), **{**defaults, **values})
    for topic in Topic.objects.filter(slug__in=topics or []):
        Subscription.objects.create(subscriber=subscriber, topic=topic)
    return subscriber


def make_delivery(*, edition: Edition, subscriber: Subscriber, **values: Any) -> Delivery:
    return Delivery.objects.create(edition=edition, subscriber=subscriber, **{"due_at": NOW, **values})


@pytest.fixture
def small_edition(db: None) -> Edition:
    """A published edition of three papers, one of them picked."""
    return make_edition([make_paper(upvotes=5), make_paper()], picks=[make_paper()])

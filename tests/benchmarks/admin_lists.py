"""The admin with 100,000 subscribers and 200,000 papers, as an owner opens it: every list page, every list searched for
a word that few rows have, and the desk of an edition of two thousand papers. The whole request is timed in one process
by Django's own client, without a network: middleware, permissions, queries, templates. The figure is the slowest page
of each kind, each opened three times, with the median taken.
"""

import datetime as dt
import time
from collections.abc import Generator, Iterator

from tests.benchmarks.bench import Bench, median

NAME = "admin"
FIGURES = {
    "admin_list_postgres_ms": "the slowest list page, PostgreSQL",
    "admin_search_postgres_ms": "the slowest search in a list, PostgreSQL",
    "admin_desk_postgres_ms": "the desk of an edition with 2,000 papers, PostgreSQL",
    "admin_list_sqlite_ms": "the slowest list page, SQLite",
    "admin_search_sqlite_ms": "the slowest search in a list, SQLite",
    "admin_desk_sqlite_ms": "the desk of an edition with 2,000 papers, SQLite",
}
READERS, PAPERS, OF_TODAY, EDITIONS = 100_000, 200_000, 2000, 100
CHUNK = 5000
ROUNDS = 3


def run(bench: Bench) -> dict[str, float]:
    """Both databases, one after the other."""
    found: dict[str, float] = {}
    for make in (bench.postgres, bench.sqlite):
        with make() as database:
            bench.say(f"{NAME}: {database.name}, making {READERS} subscribers and {PAPERS} papers")
            bench.ask("make_long_tables", env=database.env)
            bench.say(f"{NAME}: {database.name}, opening every list")
            pages = bench.ask("open_admin", env=database.env)
            for kind in ("list", "search", "desk"):
                times = {name: ms for name, ms in pages.items() if name.startswith(f"{kind} ")}
                slowest = max(times, key=lambda name: times[name])
                found[f"admin_{kind}_{database.name}_ms"] = times[slowest]
                bench.note(f"{database.name}: the slowest {kind} is {slowest.partition(' ')[2]}")
                bench.say(f"{NAME}: {database.name} " + ", ".join(f"{n} {ms:.0f}" for n, ms in times.items()))
    return found


def make_long_tables() -> Generator[None, None, dict[str, float]]:
    """The rows, as years of the newsletter would leave them."""
    from django.db import connection
    from django.utils import timezone

    from tests import crowd

    yield
    now = timezone.now()
    crowd.make_edition(papers=24, now=now)
    crowd.make_readers(READERS, max_papers=8, now=now)
    _make_papers(now)
    _make_mail(now)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {}


def open_admin() -> Generator[None, None, dict[str, float]]:
    """Milliseconds by page."""
    from django.conf import settings
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.test import Client
    from django.urls import reverse

    from digests.models import Edition

    settings.ALLOWED_HOSTS = ["*"]
    settings.SECURE_SSL_REDIRECT = False
    settings.STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    client = Client()
    client.force_login(User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)[0])
    urls = {}
    for model, table in admin.site._registry.items():
        name = f"{model._meta.app_label}.{model._meta.model_name}"
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        urls[f"list {name}"] = url
        if table.search_fields:
            urls[f"search {name}"] = f"{url}?q=question-199123"
    edition = Edition.objects.order_by("date").last()
    assert edition
    urls["desk today"] = reverse("admin:digests_edition_change", args=[edition.pk])
    urls["desk searched"] = f"{urls['desk today']}?q=1999"
    yield
    return {name: median(list(_timed(client, url))) for name, url in urls.items()}


def _timed(client: object, url: str) -> Iterator[float]:
    client.get(url)  # type: ignore[attr-defined]
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = client.get(url)  # type: ignore[attr-defined]
        assert answer.status_code == 200, (url, answer.status_code)
        yield 1000 * (time.perf_counter() - started)


def _make_papers(now: dt.datetime) -> None:
    from digests.models import Edition, EditionPaper, EditionState
    from papers.models import Announcement, Fetch, OneLiner, Paper, Source, Topic
    from tests.crowd import ABSTRACT

    sources = [Source.objects.create(slug=f"bench-{n}", name=f"Bench {n}", url="https://example.org") for n in range(4)]
    topics = list(Topic.objects.all())
    links = Paper.topics.through
    editions = [
        Edition.objects.create(
            date=now.date() - dt.timedelta(days=number - 1),
            state=EditionState.DRAFT if number == 0 else EditionState.CLOSED,
            cutoff_at=now,
        )
        for number in (0, *range(2, EDITIONS + 1))
    ]
    for start in range(0, PAPERS, CHUNK):
        numbers = range(start, start + CHUNK)
        made = Paper.objects.bulk_create(
            Paper(
                key=f"arxiv:bench.{number:06}",
                title=f"On question-{number} about large models, and what the answer to it would cost",
                abstract=ABSTRACT.format(number=number),
                authors=["Ada Lovelace", f"Author {number}"],
                announced_date=now.date() - dt.timedelta(days=number % 600),
                first_seen_at=now,
                upvotes=number % 97,
            )
            for number in numbers
        )
        links.objects.bulk_create(links(paper=p, topic=topics[p.pk % len(topics)]) for p in made)
        Announcement.objects.bulk_create(
            Announcement(paper=p, source=sources[p.pk % 4], date=p.announced_date, kind="new", seen_at=now)
            for p in made
        )
        if start < PAPERS // 4:
            OneLiner.objects.bulk_create(OneLiner(paper=p, text="It asks a question.", asked_at=now) for p in made)
        EditionPaper.objects.bulk_create(
            EditionPaper(edition=editions[(start + place) // OF_TODAY % EDITIONS], paper=p)
            for place, p in enumerate(made)
        )
    Fetch.objects.bulk_create(
        Fetch(source=sources[n % 4], fetched_at=now - dt.timedelta(minutes=n), status="stored") for n in range(100_000)
    )


def _make_mail(now: dt.datetime) -> None:
    from digests.models import Delivery, DeskChange, Edition
    from subscriptions.models import ConsentEvent, MailEvent, Notice, Subscriber, Suppression

    readers = list(Subscriber.objects.values_list("pk", "address_hash"))
    editions = list(Edition.objects.order_by("-date")[:4])
    for start in range(0, len(readers), CHUNK):
        some = readers[start : start + CHUNK]
        Delivery.objects.bulk_create(
            Delivery(edition=editions[1], subscriber_id=pk, due_at=now, state="accepted", paper_ids=[1, 2, 3])
            for pk, _ in some
        )
        ConsentEvent.objects.bulk_create(
            ConsentEvent(subscriber_id=pk, address_hash=hashed, kind=kind, at=now, wording="1", how="form")
            for pk, hashed in some
            for kind in ("requested", "confirmed")
        )
        Notice.objects.bulk_create(
            Notice(kind="confirmation", subscriber_id=pk, address_hash=hashed, state="delivered") for pk, hashed in some
        )
        MailEvent.objects.bulk_create(
            MailEvent(provider="bench", event_id=f"{kind}{pk}", kind=kind, applied_at=now)
            for pk, _ in some
            for kind in ("delivered",)
        )
        Suppression.objects.bulk_create(
            Suppression(address_hash=hashed[::-1], reason="hard_bounce", at=now) for _, hashed in some
        )
    DeskChange.objects.bulk_create(
        DeskChange(
            edition=editions[1], version=number, at=now, by="bench", what="changed the title", after={"title": ""}
        )
        for number in range(2, 50_000)
    )

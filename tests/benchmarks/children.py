"""What benchmarks run in processes of their own: python -m tests.benchmarks.children FUNCTION ARGUMENTS

Each function is a generator: it prepares, yields once, is told to go on when all others are ready too, and returns what
it measured. On standard output go one line when it is ready and one with the result.
"""

import cProfile
import datetime as dt
import json
import os
import resource
import smtplib
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from tests.benchmarks.admin_lists import make_long_tables, open_admin
from tests.benchmarks.choosing import choose_for_all, make_wishes
from tests.benchmarks.imports import export_list, import_list
from tests.benchmarks.intake import feedparser_alone, forget_papers, store_feed, store_records
from tests.benchmarks.load import count_load, prepare_load
from tests.benchmarks.pages import make_day
from tests.benchmarks.relevance import learn_for_many, rank_for_everybody
from tests.benchmarks.search import ask_questions, make_papers
from tests.benchmarks.signups import answer_times, bomb_the_form

__all__ = [
    "answer_times",
    "ask_questions",
    "bomb_the_form",
    "choose_for_all",
    "count_load",
    "export_list",
    "feedparser_alone",
    "forget_papers",
    "import_list",
    "learn_for_many",
    "make_day",
    "make_long_tables",
    "make_papers",
    "make_wishes",
    "open_admin",
    "prepare_load",
    "rank_for_everybody",
    "store_feed",
    "store_records",
]

POSTGRES_FACTS = {
    "commits": "xact_commit from pg_stat_database where datname = current_database()",
    "wal_bytes": "pg_current_wal_lsn() - '0/0'::pg_lsn",
    "table_bytes": "pg_total_relation_size('digests_delivery')",
}
Measured = Generator[None, None, dict[str, float]]


def make_tables() -> Measured:
    from django.core.management import call_command

    yield
    call_command("migrate", verbosity=0)
    return {}


def make_crowd(*, readers: int, papers: int, max_papers: int) -> Measured:
    from django.utils import timezone

    from tests import crowd

    yield
    now = timezone.now()
    crowd.make_edition(papers=papers, now=now)
    crowd.make_readers(readers, max_papers=max_papers, now=now)
    _analyze()
    return {}


def forget_deliveries(*, keep: int = 0) -> Measured:
    """Nothing was ever sent, and everybody is due again, or the first `keep` readers."""
    from django.utils import timezone

    from digests.models import Delivery
    from subscriptions.models import Subscriber

    yield
    Delivery.objects.all().delete()
    Subscriber.objects.update(next_due_at=None if keep else timezone.now() - dt.timedelta(minutes=1))
    if keep:
        first = Subscriber.objects.order_by("pk").values_list("pk", flat=True)[:keep]
        Subscriber.objects.filter(pk__in=list(first)).update(next_due_at=timezone.now() - dt.timedelta(minutes=1))
    _analyze()
    return {}


def plan() -> Measured:
    """Find who is due and write their deliveries."""
    from django.utils import timezone

    from digests.planning import plan_due

    yield
    before = peak_mb()
    started = time.perf_counter()
    report = plan_due(now=timezone.now())
    seconds = time.perf_counter() - started
    return {"planned": report.planned, "seconds": seconds, "peak_mb": peak_mb(), "before_mb": before}


def prune() -> Measured:
    """Archive every delivery, made a hundred days old."""
    from django.utils import timezone

    from digests.models import Delivery
    from digests.pruning import prune_deliveries

    long_ago = timezone.now() - dt.timedelta(days=100)
    Delivery.objects.update(state="accepted", due_at=long_ago, paper_ids=list(range(1, 13)))
    _analyze()
    yield
    started = time.perf_counter()
    report = prune_deliveries(now=timezone.now())
    return {"pruned": report.deliveries, "seconds": time.perf_counter() - started, "peak_mb": peak_mb()}


def send(*, number: int, of: int, plans: bool = False, profile: str = "") -> Measured:
    """Send every `of`-th batch of what waits, as a worker does with the ids of a bell. The first may plan as well."""
    from django.utils import timezone

    from digests.delivering import send_deliveries
    from digests.models import Delivery
    from digests.planning import plan_due
    from digests.tasks import BATCH
    from subscriptions.readiness import get_ready

    due = Delivery.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True)
    list(due[:1])  # connects
    get_ready()  # as a worker does when it starts
    yield
    before = peak_mb()
    if plans:
        plan_due(now=timezone.now())
    ids = list(due)
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)][number::of]
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    for batch in batches:
        send_deliveries(batch, now=timezone.now())
    if profile:
        profiler.disable()
        profiler.dump_stats(profile)
    return {"sent": sum(map(len, batches)), "peak_mb": peak_mb(), "before_mb": before}


def look() -> Measured:
    """How many are accepted, and what the database did for them so far."""
    from django.conf import settings
    from django.db import connection

    from digests import tasks
    from digests.models import Delivery

    yield
    found = dict.fromkeys(("commits", "wal_bytes", "table_bytes"), 0.0)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for name, expression in POSTGRES_FACTS.items():
                cursor.execute(f"select {expression}")
                found[name] = float(cursor.fetchone()[0])
    return {
        **found,
        "accepted": Delivery.objects.filter(state="accepted").count(),
        "connections": getattr(settings, "SEND_CONNECTIONS", 1),
        "has_rate": hasattr(settings, "SEND_RATE"),
        # How many digests the bells of one minute cover, however many workers hear them.
        "rung_a_minute": getattr(tasks, "BATCH", 0) * getattr(tasks, "MOST_RINGS", 0),
    }


def send_one_to(*, port: int) -> Measured:
    """Send the first delivery, for whoever wants to look at it."""
    from django.conf import settings
    from django.utils import timezone

    from digests.delivering import send_deliveries
    from digests.models import Delivery
    from digests.planning import plan_due

    settings.EMAIL_PORT = port
    yield
    plan_due(now=timezone.now())
    ids = list(Delivery.objects.order_by("pk").values_list("pk", flat=True)[:1])
    return {"sent": send_deliveries(ids, now=timezone.now()).accepted}


def hand_over_raw(*, path: str, port: int, count: int) -> Measured:
    """Bare smtplib: the same ready message again and again over one connection."""
    message = Path(path).read_bytes()
    with smtplib.SMTP("127.0.0.1", port) as client:
        client.ehlo()
        yield
        for number in range(count):
            client.sendmail("papers@testserver.example", [f"reader{number}@example.org"], message)
    return {"peak_mb": peak_mb()}


def send_plainly(*, number: int, of: int, count: int, port: int) -> Measured:
    """The plain way: templates, EmailMultiAlternatives, one connection, nothing written down."""
    from django.core.mail import EmailMultiAlternatives, get_connection
    from django.template.backends.django import DjangoTemplates

    from papers.models import Paper
    from subscriptions.models import Subscriber

    folder = Path(__file__).parent / "plain"
    engine = DjangoTemplates(
        {"NAME": "plain", "DIRS": [folder], "APP_DIRS": False, "OPTIONS": {"context_processors": []}}
    )
    html, text = engine.get_template("digest.html"), engine.get_template("digest.txt")
    papers = [
        {
            "title": paper.title,
            "authors": paper.authors,
            "abstract": paper.abstract,
            "link": paper.link,
            "topic": paper.topics.first(),
            "upvotes": paper.upvotes,
        }
        for paper in Paper.objects.all()
    ]
    readers = list(Subscriber.objects.order_by("pk")[:count])[number::of]
    connection = get_connection("django.core.mail.backends.smtp.EmailBackend", host="127.0.0.1", port=port)
    connection.open()
    yield
    for position, reader in enumerate(readers):
        start = position % (len(papers) - 12)
        link = f"https://papers.example.org/unsubscribe/{reader.public_id}/"
        context = {
            "papers": papers[start : start + 12],
            "site_name": "Daily Papers",
            "site_url": "https://papers.example.org",
            "day": "Monday, 23 November 2026",
            "date": "2026-11-23",
            "why": "You asked for up to 12 papers, every day.",
            "unsubscribe_url": link,
            "manage_url": link,
        }
        message = EmailMultiAlternatives(
            f"Papers: {papers[start]['title']}", text.render(context), to=[reader.email], connection=connection
        )
        message.extra_headers["List-Unsubscribe"] = f"<{link}>"
        message.attach_alternative(html.render(context), "text/html")
        message.send()
    connection.close()
    return {"sent": len(readers), "peak_mb": peak_mb()}


def post_raw(*, path: str, url: str, headers: dict[str, str], count: int, sessions: int) -> Measured:
    """Bare HTTP sessions in threads, each posting the same ready body over its own connection."""
    import requests

    body = Path(path).read_bytes()
    clients = [requests.Session() for _ in range(sessions)]

    def work(client: requests.Session) -> None:
        for _ in range(count // sessions):
            client.post(url, data=body, headers=headers, timeout=30).raise_for_status()

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    yield
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"sent": count // sessions * sessions, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _analyze() -> None:
    """What autovacuum would have done by then."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def main() -> None:
    """Run the function named on the command line."""
    function: Callable[..., Measured] = globals()[sys.argv[1]]
    if os.environ.get("DJANGO_SETTINGS_MODULE"):
        import django

        django.setup()
    steps = function(**json.loads(sys.argv[2]))
    next(steps)
    _print("ready")
    sys.stdin.readline()
    result: Any = {}
    try:
        next(steps)
    except StopIteration as end:
        result = end.value
    _print(result)


def _print(value: object) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

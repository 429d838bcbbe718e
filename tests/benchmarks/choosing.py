"""Choosing papers: readers read from the database in handfuls as a sending worker reads them, and the papers of each
chosen out of a day's thousand; nothing rendered or sent. First readers who follow three topics and ask for nothing
else, then the same with phrases, muted words and authors of their own. One process, SQLite.
"""

import time
from collections.abc import Generator
from typing import Any

from tests.benchmarks.bench import Bench

NAME = "choosing"
FIGURES = {
    "choosing_plain_us": "a reader who follows topics: read and chosen for",
    "choosing_wishes_us": "the same with wishes: three phrases, two muted words, an author",
    "choosing_index_ms": "the words of a thousand papers, looked through once a minute and process",
}
PAPERS, READERS, HANDFUL, ROUNDS = 1000, 4000, 500, 5
Measured = Generator[None, None, dict[str, float]]


def run(bench: Bench) -> dict[str, float]:
    """Both kinds of readers over the same edition."""
    with bench.sqlite() as database:
        bench.say(f"{NAME}: {READERS} readers, {PAPERS} papers")
        bench.ask("make_crowd", env=database.env, readers=READERS, papers=PAPERS, max_papers=12)
        plain = bench.ask("choose_for_all", env=database.env)
        bench.ask("make_wishes", env=database.env)
        wishes = bench.ask("choose_for_all", env=database.env)
    return {
        "choosing_plain_us": plain["us"],
        "choosing_wishes_us": wishes["us"],
        "choosing_index_ms": wishes["index_ms"],
    }


def make_wishes() -> Measured:
    """Give every reader wishes of their own, each of which a few papers meet."""
    from subscriptions.models import Subscriber, Wishes

    yield
    ids = Subscriber.objects.order_by("id").values_list("id", flat=True)
    Wishes.objects.bulk_create(
        Wishes(
            subscriber_id=pk,
            interest=f"kind {number % PAPERS}, Erdős type {number * 7 % PAPERS}, protein folding",
            mute_words=[f"kind {number * 3 % PAPERS}", "blockchain"],
            followed_authors=["Emmy Noether" if number % 50 == 0 else "Marie Curie"],
        )
        for number, pk in enumerate(ids)
    )
    return {}


def choose_for_all() -> Measured:
    """Read and choose for everybody, several times; the quickest counts."""
    from django.utils import timezone

    from digests.digest import choose_digest
    from digests.models import Edition
    from digests.readers import read_recipients
    from digests.shelf import Shelf
    from subscriptions.models import Subscriber

    yield
    now, edition = timezone.now(), Edition.objects.get()
    ids = list(Subscriber.objects.order_by("id").values_list("id", flat=True))
    shelf = Shelf(now=now)
    started = time.perf_counter()
    shelf.words([edition])
    index_ms = 1000 * (time.perf_counter() - started)

    def once() -> float:
        started = time.perf_counter()
        for start in range(0, len(ids), HANDFUL):
            handful: dict[int, Any] = read_recipients(
                ids[start : start + HANDFUL], edition, returning=shelf.returning(edition), now=now
            )
            for reader in handful.values():
                assert choose_digest(reader, edition, shelf=shelf).lines
        return time.perf_counter() - started

    return {"us": 1e6 * min(once() for _ in range(ROUNDS)) / len(ids), "index_ms": index_ms}

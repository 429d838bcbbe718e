"""Choosing by what readers liked: a day's papers indexed, models learned, and everybody's best papers found with the
reason of each. In a process of its own, so that its memory is its own; made-up papers of the length of real ones.
"""

import datetime as dt
import resource
import time
from collections.abc import Generator

from tests.benchmarks.bench import Bench

NAME = "relevance"
FIGURES = {
    "relevance_index_2000_s": "a day's 2,000 papers indexed lexically",
    "relevance_learn_10000_s": "the models of 10,000 readers with 20 opinions each learned",
    "relevance_rank_s": "100,000 readers x 1,000 papers, the 12 best of each with the reason",
    "relevance_table_s": "of which: the table of 5,000 liked papers by 1,000 new ones, which all readers share",
    "relevance_bare_ratio": "all of that, by the bare matrix product and argpartition of the same sizes",
    "relevance_rank_mb": "the memory that ranking added to its process",
    "relevance_tastes_10000_s": "10,000 readers with 20 opinions each: read, learned over 1,000 papers, thinned and"
    " written (SQLite)",
    "relevance_tastes_mb": "the most memory that held",
}
TASTES = 10_000
READERS, PAPERS, LIKED, OPINIONS, BEST = 100_000, 1000, 5000, 10, 12
TODAY = dt.date(2026, 3, 2)
Measured = Generator[None, None, dict[str, float]]


def run(bench: Bench) -> dict[str, float]:
    """One process, one thread."""
    env = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with bench.sqlite() as database:
        bench.say(f"{NAME}: {READERS} readers, {PAPERS} papers")
        figures = bench.ask("rank_for_everybody", env={**database.env, **env})
        bench.say(f"{NAME}: {TASTES} readers' tastes")
        return figures | bench.ask("learn_for_many", env={**database.env, **env})


def rank_for_everybody() -> Measured:
    """All of it, over made-up texts whose words are as unevenly frequent as real ones."""
    import numpy as np

    from digests.ranking.features import count_features
    from digests.ranking.models import Opinion, learn
    from digests.ranking.scoring import freshness, likeness, rank_for_many
    from digests.ranking.weighting import Corpus, average, weigh

    yield
    random = np.random.default_rng(1)
    texts = [" ".join(f"word{word}" for word in random.zipf(1.08, 200) % 50_000) for _ in range(LIKED + PAPERS)]
    started = time.perf_counter()
    count_features(texts[:2000])
    index_s = time.perf_counter() - started
    counts = count_features(texts)
    corpus = Corpus.empty()
    corpus.add(counts)
    weighted = weigh(counts, corpus.rarity())
    background = average(weighted)

    said = [_opinions(random.integers(LIKED, size=20).tolist(), Opinion) for _ in range(10_000)]
    started = time.perf_counter()
    for opinions in said:
        learn(opinions, today=TODAY)
    learn_s = time.perf_counter() - started
    models = [
        learn(_opinions(random.integers(LIKED, size=OPINIONS).tolist(), Opinion), today=TODAY) for _ in range(READERS)
    ]

    before = _megabytes()
    started = time.perf_counter()
    table = likeness(weighted[:LIKED], weighted[LIKED:], background=background)
    table_s = time.perf_counter() - started
    found = list(rank_for_many(models, table, lifts=freshness(np.zeros(PAPERS, dtype=int)), most=BEST))
    rank_s = time.perf_counter() - started
    assert sum(len(some.papers) for some in found) == READERS
    assert (np.concatenate([some.because_of for some in found]) >= 0).mean() > 0.9
    return {
        "relevance_index_2000_s": index_s,
        "relevance_learn_10000_s": learn_s,
        "relevance_rank_s": rank_s,
        "relevance_table_s": table_s,
        "relevance_rank_mb": _megabytes() - before,
        "relevance_bare_ratio": rank_s / _bare(models, table),
    }


def learn_for_many() -> Measured:
    """The whole service over a database: papers counted, opinions read, tastes learned, thinned and written."""
    import numpy as np
    from django.utils import timezone

    from digests.learning import learn_tastes
    from digests.models import Edition, EditionPaper, Taste
    from papers.models import Paper
    from subscriptions.models import ReaderSignal, Subscriber

    now = timezone.now()
    random = np.random.default_rng(2)
    papers = Paper.objects.bulk_create(
        Paper(
            key=f"made-up:{number}",
            title=f"Title {number}",
            abstract=" ".join(f"word{word}" for word in random.zipf(1.08, 200) % 50_000),
            announced_date=now.date(),
            first_seen_at=now,
        )
        for number in range(LIKED + PAPERS)
    )
    edition = Edition.objects.create(date=now.date(), state="published", cutoff_at=now)
    EditionPaper.objects.bulk_create(EditionPaper(edition=edition, paper=paper) for paper in papers[LIKED:])
    readers = Subscriber.objects.bulk_create(
        Subscriber(email=f"reader{number}@example.org", address_hash=f"{number:064x}", state="active")
        for number in range(TASTES)
    )
    signals = (
        ReaderSignal(subscriber=reader, paper=papers[row], leaning="more" if place % 5 else "less", at=now)
        for reader in readers
        for place, row in enumerate(random.choice(LIKED, 20, replace=False).tolist())
    )
    ReaderSignal.objects.bulk_create(signals, batch_size=5000)
    yield
    started = time.perf_counter()
    report = learn_tastes(now=now)
    seconds = time.perf_counter() - started
    assert report.readers == Taste.objects.count() == TASTES
    return {"relevance_tastes_10000_s": seconds, "relevance_tastes_mb": _megabytes()}


def _bare(models: list, table) -> float:  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
    import numpy as np

    from digests.ranking.scoring import AT_ONCE, _matrix

    weights = _matrix(models, len(table))
    started = time.perf_counter()
    for start in range(0, READERS, AT_ONCE):
        np.argpartition(-(weights[start : start + AT_ONCE] @ table), BEST - 1, axis=1)
    return time.perf_counter() - started


def _opinions(papers: list[int], make) -> list:  # type: ignore[no-untyped-def,type-arg]  # noqa: ANN001
    return [make(paper=paper, date=TODAY - dt.timedelta(days=paper % 300)) for paper in papers]


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

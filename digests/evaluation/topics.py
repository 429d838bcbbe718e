"""How well papers of one subject are found by five of them, and how well a trained matcher tells subjects apart.

Labels are the primary categories; matchers see title and abstract alone.
"""

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from digests.evaluation.corpora import CorpusPaper
from digests.evaluation.metrics import area, interval
from digests.ranking.features import count_features, paper_text
from digests.ranking.latent import latent_space, rank_by_examples
from digests.ranking.weighting import Corpus, average, weigh

SEEDS, DRAWS, FEWEST = 5, 20, 100
_SEED = 5


class NoTopicsError(Exception):
    """No primary category has enough papers."""


def evaluate_topics(papers: Sequence[CorpusPaper], *, tick: Callable[[int, int], None]) -> dict[str, Any]:
    """The answer of `evaluate_topics`. Intervals are over the draws of all categories. Raises NoTopicsError."""
    labels = np.array([paper.category for paper in papers])
    topics = sorted(topic for topic, count in Counter(labels).items() if topic and count >= FEWEST)
    if len(topics) < 2:
        raise NoTopicsError(f"fewer than two primary categories have {FEWEST} papers")
    weighted = _weighted(papers)
    space = latent_space(weighted)
    areas: dict[str, list[list[float]]] = {"ours": [], "tfidf_mean": []}
    for done, topic in enumerate(topics):
        is_right = labels == topic
        draws = [_draw(is_right, number) for number in range(DRAWS)]
        areas["ours"].append([_area(rank_by_examples(space, drawn), is_right, drawn) for drawn in draws])
        areas["tfidf_mean"].append([_area(_plain(weighted, drawn), is_right, drawn) for drawn in draws])
        tick(done + 1, len(topics))
    # The macro AUC of each draw: one value a draw, over which the interval is taken.
    macro = {name: np.array(values).mean(axis=0) for name, values in areas.items()}
    by_topic = zip(topics, np.array(areas["ours"]).mean(axis=1), strict=True)
    return {
        "topics": {topic: round(float(value), 4) for topic, value in by_topic},
        "ours": {"auc": interval(macro["ours"]), "f1": round(_f1(papers, topics), 4)},
        "baselines": {"tfidf_mean": {"auc": interval(macro["tfidf_mean"])}},
        "paired": {"tfidf_mean": {"auc": interval(macro["ours"] - macro["tfidf_mean"])}},
    }


def _draw(is_right: np.ndarray, number: int) -> list[int]:
    return [int(row) for row in np.random.default_rng((_SEED, number)).choice(np.flatnonzero(is_right), SEEDS, False)]


def _area(scores: np.ndarray, is_right: np.ndarray, drawn: Sequence[int]) -> float:
    others = np.ones(len(scores), dtype=bool)
    others[list(drawn)] = False
    return area(scores[others], is_right[others])


def _plain(weighted: sparse.csr_matrix, drawn: Sequence[int]) -> np.ndarray:
    return np.asarray(weighted @ average(weighted[list(drawn)]))


def _weighted(papers: Sequence[CorpusPaper], *, known: int | None = None) -> sparse.csr_matrix:
    counts = count_features(paper_text(title=paper.title, abstract=paper.abstract) for paper in papers)
    corpus = Corpus.empty()
    corpus.add(counts[:known])
    return weigh(counts, corpus.rarity())


def _f1(papers: Sequence[CorpusPaper], topics: Sequence[str]) -> float:
    """Macro F1 of a matcher trained on the months before the last one, tested on that; 0 for a single month."""
    told = [paper for paper in papers if paper.category in topics]
    last = max(paper.date for paper in told)
    known = sum(paper.date < dt.date(last.year, last.month, 1) for paper in told)
    labels = np.array([paper.category for paper in told])
    if not known or len(set(labels[:known])) < 2:
        return 0.0
    weighted = _weighted(told, known=known)
    # Only columns with a weight: the solver keeps a number for each column it is given.
    used = np.flatnonzero(np.bincount(weighted[:known].indices, weighted[:known].data, weighted.shape[1]))
    packed = weighted[:, used]
    model = LogisticRegression(C=10, class_weight="balanced", solver="liblinear")
    guesses = [model.fit(packed[:known], labels[:known] == topic).decision_function(packed[known:]) for topic in topics]
    guessed = np.array(topics)[np.argmax(guesses, axis=0)]
    return float(f1_score(labels[known:], guessed, average="macro", labels=list(topics), zero_division=0))

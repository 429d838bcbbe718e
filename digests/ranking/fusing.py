"""Two ways of seeing likeness made one, by rank: words, and what an encoder says. Pure."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from digests.ranking.models import ReaderModel
from digests.ranking.scoring import Ranked, standardised
from digests.ranking.weighting import Floats

# Reciprocal rank fusion, with its authors' constant (Cormack, Clarke, Büttcher 2009).
RRF_K = 60


def fuse(lexical: Floats, dense: Floats) -> Floats:
    """The lexical scores, given out anew in the order that both rankings make together: what a score of two standard
    deviations means stays as it was."""
    fused = 1 / (RRF_K + _ranks(lexical)) + 1 / (RRF_K + _ranks(dense))
    scores = np.empty_like(lexical)
    scores[np.argsort(-fused, kind="stable")] = np.sort(lexical)[::-1]
    return scores


def dense_likeness(liked: Floats, papers: Floats) -> Floats:
    """How much each liked paper (row) speaks for each paper (column), by their vectors: the cosine, once the middle of
    the papers is taken off both."""
    middle = papers.mean(axis=0) if len(papers) else 0
    return np.asarray(of_length_one(liked - middle) @ of_length_one(papers - middle).T, dtype=np.float32)


def rank_fused(models: Sequence[ReaderModel], lexical: Floats, dense: Floats, *, most: int) -> Iterator[Ranked]:
    """As `rank_for_many`, one reader in each answer, by both tables of likeness. A paper is owed to the liked one that
    contributes most to both together."""
    both = _evenly(lexical) + _evenly(dense)
    for model in models:
        rows = np.fromiter(model.weights, dtype=np.int64, count=len(model.weights))
        weights = np.fromiter(model.weights.values(), dtype=np.float32, count=len(model.weights))
        scores = fuse(standardised(weights @ lexical[rows]), standardised(weights @ dense[rows]))
        best = np.argsort(-scores, kind="stable")[:most]
        yield Ranked(
            papers=best.astype(np.int32)[None],
            scores=scores[best][None],
            because_of=_owed_to(rows, weights, both[:, best])[None],
        )


def _owed_to(rows: npt.NDArray[np.int64], weights: Floats, table: Floats) -> npt.NDArray[np.int32]:
    if not len(rows):
        return np.full(table.shape[1], -1, dtype=np.int32)
    given = weights[:, None] * table[rows]
    strongest = given.argmax(axis=0)
    return np.where(given.max(axis=0) > 0, rows[strongest], -1).astype(np.int32)


def _ranks(scores: Floats) -> npt.NDArray[np.int64]:
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return ranks


def _evenly(table: Floats) -> Floats:
    spread = float(table.std()) if table.size else 0
    return table / spread if spread > 1e-9 else table


def of_length_one(rows: Floats) -> Floats:
    """Each row, or the one there is, as a direction."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9), dtype=np.float32)

"""From likeness to an order: for one reader, or for a whole list of them. Pure.

What is added up is the likeness to what the reader liked (in standard deviations over the day's candidates, so that a
reader with broad taste and one with narrow taste are measured alike), freshness, and the lift of what they follow.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from digests.ranking.models import ReaderModel
from digests.ranking.weighting import Floats
from digests.selection import FRESH

# How much of what every paper has in common is taken off, so that a paper is not near for being ordinary.
BACKGROUND = 0.75
# How many readers are scored at a time: it bounds the memory, at 8 bytes for each of them and each paper.
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best papers of each reader, best first: their rows and scores, and for each the row of the liked paper that
    contributed most (-1 where nothing the reader liked speaks for it)."""

    papers: npt.NDArray[np.int32]
    scores: Floats
    because_of: npt.NDArray[np.int32]


def likeness(liked: sparse.csr_matrix, papers: sparse.csr_matrix, *, background: Floats) -> Floats:
    """How much each liked paper (row) speaks for each paper (column): their cosine, less the paper's likeness to the
    background. Shared by all readers who like the same paper."""
    ordinary = BACKGROUND * (papers @ background)
    shared = (liked @ papers.T).toarray().astype(np.float32)
    return np.asarray(shared - ordinary.astype(np.float32))


def score(weights: Floats, table: Floats, *, lifts: Floats) -> Floats:
    """One reader's scores of all papers: `weights` of the liked papers, `table` of `likeness`, and `lifts` in standard
    deviations for each paper."""
    raw = np.asarray(weights @ table)[None]
    middle, spread = _middle_and_spread(raw)
    return np.asarray(((raw - middle) / spread)[0] + lifts)


def standardised(raw: Floats) -> Floats:
    """One row of likenesses in standard deviations above their mean."""
    middle, spread = _middle_and_spread(np.asarray(raw, dtype=np.float32)[None])
    return np.asarray(((raw - middle) / spread)[0])


def freshness(age_days: npt.NDArray[np.int_]) -> Floats:
    """The lift of each paper for its age, where the newest have age 0."""
    return np.where(age_days == age_days.min(initial=2**31 - 1), FRESH, 0).astype(np.float32)


def rank_for_many(models: Sequence[ReaderModel], table: Floats, *, lifts: Floats, most: int) -> Iterator[Ranked]:
    """The `most` best papers of each reader with the liked paper each is owed to; AT_ONCE readers in each answer.

    The papers of the models are rows of `table`.
    """
    for start in range(0, len(models), AT_ONCE):
        yield _rank_some(_matrix(models[start : start + AT_ONCE], len(table)), table, lifts, most)


def _rank_some(weights: sparse.csr_matrix, table: Floats, lifts: Floats, most: int) -> Ranked:
    raw = np.asarray(weights @ table)
    middle, spread = _middle_and_spread(raw)
    # The same order as standardised scores have, without writing the whole table twice.
    is_lifted = len(lifts) > 0 and float(np.ptp(lifts)) > 0
    if is_lifted:
        raw += spread * lifts
    most = min(most, raw.shape[1])
    best = (
        np.argpartition(raw, raw.shape[1] - most, axis=1)[:, raw.shape[1] - most :] if most else raw[:, :0].astype(int)
    )
    order = np.argsort(-np.take_along_axis(raw, best, axis=1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, axis=1)
    scores = (np.take_along_axis(raw, best, axis=1) - middle) / spread
    return Ranked(
        papers=best.astype(np.int32),
        scores=scores if is_lifted else scores + lifts[best],
        because_of=_strongest(weights, table, best),
    )


def _strongest(weights: sparse.csr_matrix, table: Floats, best: npt.NDArray[np.int_]) -> npt.NDArray[np.int32]:
    # Readers with the same number of opinions are looked at together: no loop over readers, no padding.
    because = np.full(best.shape, -1, dtype=np.int32)
    sizes = np.diff(weights.indptr)
    for size in np.unique(sizes[sizes > 0]):
        readers = np.flatnonzero(sizes == size)
        places = weights.indptr[readers][:, None] + np.arange(size)
        liked = weights.indices[places]
        given = weights.data[places][:, None, :] * table[liked[:, None, :], best[readers][:, :, None]]
        most = given.argmax(axis=2)
        named = np.take_along_axis(np.broadcast_to(liked[:, None, :], given.shape), most[:, :, None], 2)[:, :, 0]
        speaks = np.take_along_axis(given, most[:, :, None], 2)[:, :, 0] > 0
        because[readers] = np.where(speaks, named, -1)
    return because


def _middle_and_spread(scores: Floats) -> tuple[Floats, Floats]:
    """The mean of each row and its standard deviation, 1 where all are alike."""
    if not scores.shape[1]:
        return np.zeros((len(scores), 1), np.float32), np.ones((len(scores), 1), np.float32)
    middle = scores.mean(axis=1, keepdims=True)
    square = np.einsum("ij,ij->i", scores, scores)[:, None] / max(1, scores.shape[1])
    spread = np.sqrt(np.maximum(square - middle**2, 0))
    return middle, np.where(spread > 1e-6, spread, 1).astype(np.float32)


def _matrix(models: Sequence[ReaderModel], rows: int) -> sparse.csr_matrix:
    ends = np.cumsum([0, *(len(model.weights) for model in models)])
    columns = np.fromiter((paper for model in models for paper in model.weights), dtype=np.int32, count=ends[-1])
    values = np.fromiter((weight for model in models for weight in model.weights.values()), np.float32, ends[-1])
    return sparse.csr_matrix((values, columns, ends), shape=(len(models), rows))

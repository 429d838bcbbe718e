"""Subjects behind the words: latent semantic analysis (Deerwester et al. 1990), for what is described by a handful of
papers, where too few words are shared to go by words alone. Made in the background, never while sending. Pure.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from digests.ranking.weighting import Floats

DIMENSIONS = 50
# The nearest papers are taken for further examples, counting as much together as the given ones do (Rocchio 1971).
FEEDBACK = 100


def latent_space(weighted: sparse.csr_matrix, *, dimensions: int = DIMENSIONS) -> Floats:
    """Each row of the corpus as a point of length 1 among `dimensions` subjects, the corpus' middle taken off."""
    most = min(dimensions, min(weighted.shape) - 1)
    if most < 1:
        return np.zeros((weighted.shape[0], 1), dtype=np.float32)
    _, used = np.unique(weighted.indices, return_inverse=True)
    packed = sparse.csr_matrix((weighted.data, used, weighted.indptr), shape=(weighted.shape[0], used.max() + 1))
    start = np.ones(min(packed.shape), dtype=np.float32)
    left, strength, _ = svds(packed, k=most, v0=start, solver="arpack", return_singular_vectors="u")
    points = left * strength
    return _of_length_one(points - points.mean(axis=0))


def rank_by_examples(space: Floats, examples: Sequence[int], *, feedback: int = FEEDBACK) -> Floats:
    """How near each row is to the example rows, between about -1 and 1."""
    wanted = _of_length_one(space[list(examples)].mean(axis=0)[None])[0]
    near = space @ wanted
    nearest = np.argsort(-near, kind="stable")[:feedback]
    further = _of_length_one(space[nearest].mean(axis=0)[None])[0]
    return np.asarray(space @ (wanted + further) / 2)


def _of_length_one(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(length, 1e-9), dtype=np.float32)

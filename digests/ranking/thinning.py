"""No flood of one subject, and no paper twice under two names: maximal marginal relevance (Carbonell and Goldstein
1998). Pure."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from digests.ranking.weighting import Floats

# Cosine of two papers above which the second says nothing new.
SAME = 0.8
# In standard deviations of score, what a paper loses for being wholly like one that stands before it.
REPEATED = 2.0


def thin(rows: Sequence[int], scores: Floats, papers: sparse.csr_matrix, *, most: int) -> list[int]:
    """At most `most` of `rows`, in the order to show: each next one is the best after its likeness to those before it.

    `scores` go with `rows`, `papers` are weighted rows of length 1. Near-duplicates of a chosen paper are left out.
    """
    return [row for row, _ in thinned(rows, scores, papers, most=most)]


def thinned(rows: Sequence[int], scores: Floats, papers: sparse.csr_matrix, *, most: int) -> list[tuple[int, float]]:
    """The same, each with what is left of its score after its likeness to those before it."""
    held = papers[list(rows)]
    alike = np.asarray((held @ held.T).todense())
    left, chosen = list(range(len(rows))), list[tuple[int, float]]()
    nearest = np.zeros(len(rows), dtype=np.float32)
    while left and len(chosen) < most:
        best = max(left, key=lambda place: (scores[place] - REPEATED * nearest[place], -place))
        chosen.append((rows[best], float(scores[best] - REPEATED * nearest[best])))
        nearest = np.maximum(nearest, alike[best])
        left = [place for place in left if place != best and alike[best, place] < SAME]
    return chosen

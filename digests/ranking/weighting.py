"""How much a word says: TF-IDF with sublinear counts (Manning, Raghavan, Schütze 2008, chapter 6.4). Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from digests.ranking.features import COLUMNS

Floats = npt.NDArray[np.float32]
# What stands in one paper only can be shared by no two.
FEWEST_PAPERS = 2


@dataclass(slots=True)
class Corpus:
    """In how many of the papers seen so far each feature stands. Papers are added as the days go by."""

    papers: int
    holding: npt.NDArray[np.int32]

    @classmethod
    def empty(cls) -> "Corpus":
        return cls(papers=0, holding=np.zeros(COLUMNS, dtype=np.int32))

    def add(self, counts: sparse.csr_matrix) -> None:
        """Take these papers in, one row each. Not safe to run twice: a paper added twice counts twice."""
        self.papers += counts.shape[0]
        self.holding += np.bincount(counts.indices, minlength=COLUMNS).astype(np.int32)

    def rarity(self) -> Floats:
        """For each feature 1 + ln((1 + papers) / (1 + holding)), and 0 for what stands in one paper or none."""
        rarity = 1 + np.log((1 + self.papers) / (1 + self.holding.astype(np.float32)))
        rarity[self.holding < FEWEST_PAPERS] = 0
        return rarity.astype(np.float32)


def weigh(counts: sparse.csr_matrix, rarity: Floats) -> sparse.csr_matrix:
    """Counts times rarity, each row of length 1, or 0 where no feature is left."""
    weights = counts.data * rarity[counts.indices]
    ends = counts.indptr
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(ends))
    length = np.sqrt(np.bincount(rows, weights=weights**2, minlength=counts.shape[0]))
    weights /= np.maximum(length, 1e-12)[rows]
    return sparse.csr_matrix((weights.astype(np.float32), counts.indices, ends), shape=counts.shape)


def average(weighted: sparse.csr_matrix) -> Floats:
    """The mean of the rows; zeros where there are none."""
    total = np.bincount(weighted.indices, weights=weighted.data, minlength=weighted.shape[1])
    return np.asarray(total / max(1, weighted.shape[0]), dtype=np.float32)

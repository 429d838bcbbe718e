"""Ours, as digests use it, told no more than a digest knows on that day. Pure."""

import numpy as np
from scipy import sparse

from digests.evaluation.corpora import CorpusPaper
from digests.evaluation.protocol import Judgement
from digests.ranking.features import count_features, paper_text
from digests.ranking.fusing import dense_likeness, fuse
from digests.ranking.models import Opinion, learn
from digests.ranking.scoring import freshness, likeness, score, standardised
from digests.ranking.weighting import Corpus, Floats, average, weigh


class Ours:
    """Asked in time order: each day's papers are taken in before they are ranked, as ingest does."""

    def __init__(
        self, papers: list[CorpusPaper], *, with_freshness: bool = True, vectors: Floats | None = None
    ) -> None:
        self._papers = papers
        self._counts = count_features(paper_text(title=paper.title, abstract=paper.abstract) for paper in papers)
        self._corpus, self._end, self._past = Corpus.empty(), 0, -1
        self._with_freshness = with_freshness
        # Of all papers, by an encoder: each is a paper's own, so nothing of the future is in them.
        self._vectors = vectors

    def __call__(self, judged: Judgement) -> Floats:
        """The score of each candidate."""
        self._go_to(judged)
        days = np.array([self._papers[row].date.toordinal() for row in judged.candidates])
        lifts = freshness(judged.day.toordinal() - days) * self._with_freshness
        if not len(judged.own_past):
            return np.asarray(lifts)
        table = likeness(
            self._weighted[judged.own_past], self._weighted[judged.candidates], background=self._background
        )
        opinions = [Opinion(paper=at, date=self._papers[row].date) for at, row in enumerate(judged.own_past)]
        model = learn(opinions, today=judged.day)
        weights = np.array([model.weights[at] for at in range(len(opinions))], dtype=np.float32)
        if self._vectors is None:
            return score(weights, table, lifts=lifts)
        dense = dense_likeness(self._vectors[judged.own_past], self._vectors[judged.candidates])
        return np.asarray(fuse(standardised(weights @ table), standardised(weights @ dense)) + lifts)

    def _go_to(self, judged: Judgement) -> None:
        end = int(judged.candidates.max()) + 1
        if end == self._end and judged.past == self._past:
            return
        if end < self._end:
            raise ValueError("judgements come in time order: what is known later is not unlearned")
        self._corpus.add(self._counts[self._end : end])
        self._end, self._past = end, judged.past
        self._weighted: sparse.csr_matrix = weigh(self._counts[:end], self._corpus.rarity())
        self._background = average(self._weighted[: judged.past])

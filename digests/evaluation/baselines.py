"""What others do, told the same as ours: the rankers to beat."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from digests.evaluation.corpora import CorpusPaper
from digests.evaluation.protocol import Judgement

Scores = npt.NDArray[np.floating]
Ranker = Callable[[Judgement], Scores]
# arxiv-sanity-lite's settings, for all that go by words: 1- and 2-grams without stop words, the 20,000 most frequent
# of those in 5 papers and at most a tenth of them, sublinear counts.
_MOST_FEATURES, _FEWEST, _LARGEST_SHARE = 20_000, 5, 0.1


class _Words:
    """The TF-IDF of all that is visible at a judgement, made once a window."""

    def __init__(self, papers: list[CorpusPaper]) -> None:
        vectorizer = CountVectorizer(
            stop_words="english", ngram_range=(1, 2), min_df=_FEWEST if len(papers) > 100 else 1,
            strip_accents="unicode", token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b", dtype=np.float64,  # noqa: S106
        )  # fmt: skip
        # All columns have a name from here; which of them count is decided by what is visible.
        texts = [f"{paper.title} {paper.abstract}" for paper in papers]
        try:
            self._counts = vectorizer.fit_transform(texts).tocsr()
        except ValueError:  # no word is frequent enough: nothing tells papers apart
            self._counts = sparse.csr_matrix((len(papers), 1))
        self._key: tuple[int, int] = (-1, -1)
        self._scores: dict[tuple[str, str, int], Scores] = {}

    def visible(self, judged: Judgement) -> sparse.csr_matrix:
        end = int(judged.candidates.max()) + 1
        if self._key != (judged.past, end):
            self._key, seen = (judged.past, end), self._counts[:end]
            holding = np.bincount(seen.indices, minlength=seen.shape[1])
            often = np.bincount(seen.indices, weights=seen.data, minlength=seen.shape[1])
            often[(holding < min(_FEWEST, end // 20 + 1)) | (holding > max(_LARGEST_SHARE * end, 2))] = 0
            kept = np.argsort(-often, kind="stable")[: max(1, min(_MOST_FEATURES, int((often > 0).sum())))]
            self._weighted = TfidfTransformer(sublinear_tf=True).fit_transform(seen[:, np.sort(kept)]).tocsr()
        return self._weighted


def baselines(papers: list[CorpusPaper]) -> dict[str, Ranker]:
    """By name; random draws are the same in every run."""
    words, random = _Words(papers), np.random.default_rng(7)
    upvotes = np.array([paper.upvotes for paper in papers], dtype=float)
    return {
        "random": lambda judged: random.random(len(judged.candidates)),
        "upvotes": lambda judged: upvotes[judged.candidates],
        "tfidf_max": lambda judged: _alike(words, judged).max(axis=1, initial=0),
        "tfidf_mean": lambda judged: _alike(words, judged).sum(axis=1),
        "tfidf_svm": lambda judged: _trained(
            words, judged, LinearSVC(class_weight="balanced", max_iter=10_000, tol=1e-6, C=0.01)
        ),
        "tfidf_logistic": lambda judged: _trained(
            words, judged, LogisticRegression(class_weight="balanced", solver="liblinear")
        ),
    }


def _alike(words: _Words, judged: Judgement) -> Scores:
    weighted = words.visible(judged)
    return np.asarray((weighted[judged.candidates] @ weighted[judged.own_past].T).todense())


def _trained(words: _Words, judged: Judgement, model: LinearSVC | LogisticRegression) -> Scores:
    """All of the past that is not the reader's is taken for what they do not want."""
    weighted = words.visible(judged)
    labels = np.zeros(judged.past, dtype=int)
    labels[judged.own_past] = 1
    if labels.min(initial=1) == labels.max(initial=0):
        return np.zeros(len(judged.candidates))
    fitted = model.fit(weighted[: judged.past], labels)
    return np.asarray(fitted.decision_function(weighted[judged.candidates]))

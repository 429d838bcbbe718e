"""The whole measurement of rankers: every judgement by every one of them."""

from collections.abc import Callable, Mapping
from typing import Any

from digests.evaluation.baselines import Ranker, baselines
from digests.evaluation.corpora import CorpusPaper
from digests.evaluation.metrics import METRICS, Values, by_reader, interval, measure, paired
from digests.evaluation.protocol import Judgement, judgements
from digests.evaluation.rankers import Ours
from digests.ranking.weighting import Floats

OURS = "ours"
# Ours with a part taken away: what that part is worth.
ABLATION = "ours_without_freshness"
Measured = dict[str, Values]


class NothingToJudgeError(Exception):
    """No reader of the corpus has enough papers."""


def rankers(papers: list[CorpusPaper], vectors: Floats | None = None) -> dict[str, Ranker]:
    """All there are, by name; those that are ours first."""
    return {
        OURS: Ours(papers, vectors=vectors),
        ABLATION: Ours(papers, with_freshness=False, vectors=vectors),
        **baselines(papers),
    }


def evaluate(
    papers: list[CorpusPaper],
    *,
    method: str,
    vectors: Floats | None = None,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """The answer of `evaluate_ranking`, where `method` takes the place of ours. `vectors` are those of an encoder, a
    row for each paper, where ours is to go by them too. `tick` is told how far it is.

    Raises NothingToJudgeError, and KeyError for a method that does not exist.
    """
    judged = judgements(papers)
    if not judged:
        raise NothingToJudgeError("no reader has seven papers or more, so there is nothing to judge")
    found = rankers(papers, vectors)
    chosen = found.pop(method)
    others = {name: ranker for name, ranker in found.items() if name not in (OURS, ABLATION)}
    asked = {method: chosen, **others}
    if method == OURS:
        asked[ABLATION] = found[ABLATION]
    measured = _measure_all(judged, asked, tick)
    return {
        "readers": len({one.reader for one in judged}),
        "judgements": len(judged),
        "method": method,
        "ours": _with_intervals(measured[method]),
        "baselines": {name: _with_intervals(measured[name]) for name in others},
        "paired": {name: paired(measured[method], measured[name]) for name in others},
        "without": {name: _with_intervals(measured[name]) for name in asked if name == ABLATION != method},
    }


def _measure_all(
    judged: list[Judgement], asked: Mapping[str, Ranker], tick: Callable[[int, int], None]
) -> dict[str, Measured]:
    values: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
    for done, one in enumerate(judged, start=1):
        for name, ranker in asked.items():
            values[name].append(measure(ranker(one), one.is_right))
        tick(done, len(judged))
    readers = [one.reader for one in judged]
    return {
        name: {metric: by_reader(readers, [row[metric] for row in rows]) for metric in METRICS}
        for name, rows in values.items()
    }


def _with_intervals(measured: Measured) -> dict[str, dict[str, float]]:
    return {metric: interval(measured[metric]) for metric in METRICS}

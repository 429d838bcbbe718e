"""How good an order is, and how sure that is. Pure.

nDCG: Järvelin and Kekäläinen 2002, binary gains. AUC: the share of pairs in the right order, ties counting half.
Intervals: percentiles of a bootstrap over readers (Efron 1979); paired ones draw the same readers for both rankers.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

Values = npt.NDArray[np.float64]
METRICS = ("ndcg@10", "mrr", "recall@10", "auc")
DRAWS = 5000
_SEED = 20_260
_DISCOUNT = 1 / np.log2(np.arange(2, 12))


def measure(scores: npt.NDArray[np.floating], is_right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """All METRICS of one order; AUC is NaN where all candidates are right, or none."""
    order = is_right[np.argsort(-scores, kind="stable")]
    right = int(is_right.sum())
    gained = order[:10].astype(float)
    places = np.flatnonzero(order)
    return {
        "ndcg@10": float(gained @ _DISCOUNT[: len(gained)] / _DISCOUNT[: min(10, right)].sum()) if right else 0.0,
        "mrr": float(1 / (1 + places[0])) if right else 0.0,
        "recall@10": float(gained.sum() / right) if right else 0.0,
        "auc": area(scores, is_right),
    }


def area(scores: npt.NDArray[np.floating], is_right: npt.NDArray[np.bool_]) -> float:
    """The area under the ROC curve."""
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    if not right or not wrong:
        return float("nan")
    return float((rankdata(scores)[is_right].sum() - right * (right + 1) / 2) / (right * wrong))


def by_reader(readers: Sequence[str], values: Sequence[float]) -> Values:
    """The mean of each reader's judgements, readers in the order of their names; NaN where there is none."""
    found: dict[str, list[float]] = {}
    for reader, value in zip(readers, values, strict=True):
        found.setdefault(reader, []).extend([] if np.isnan(value) else [value])
    return np.array([np.mean(own) if own else np.nan for _, own in sorted(found.items())])


def interval(values: Values) -> dict[str, float]:
    """Mean and 95 % interval over readers."""
    known = values[~np.isnan(values)]
    if not len(known):
        return {"mean": 0.0, "low": 0.0, "high": 0.0}
    drawn = np.random.default_rng(_SEED).integers(len(known), size=(DRAWS, len(known)))
    low, high = np.percentile(known[drawn].mean(axis=1), (2.5, 97.5))
    return {"mean": round(float(known.mean()), 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def paired(ours: Mapping[str, Values], theirs: Mapping[str, Values]) -> dict[str, dict[str, float]]:
    """The difference ours - theirs of each metric, reader by reader."""
    return {metric: interval(ours[metric] - theirs[metric]) for metric in METRICS}

"""What was learned of a reader: weights of the papers they liked or did not. Pure.

A linear model in its dual form: Rocchio's (1971) mean of what was liked, less a part of the mean of what was not. Kept
as weights of papers and not of words, it is a few numbers, says by itself which liked paper lifted which new one, and
needs no new training when the rarity of words moves on.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

HALF_LIFE_DAYS = 730
DISLIKED = 0.5  # what a paper of «less like this» weighs against one of «more like this»


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """A paper the reader asked for more of, or less of, and when."""

    paper: int  # its row among the known papers, or its id: whatever the caller counts by
    date: dt.date
    likes: bool = True


@dataclass(frozen=True, slots=True)
class ReaderModel:
    """Weights of papers; those of the liked ones make 1 together."""

    weights: dict[int, float]


def learn(opinions: Iterable[Opinion], *, today: dt.date) -> ReaderModel:
    """The model of one reader. Of two opinions about a paper the last counts; none at all make an empty model."""
    last = {opinion.paper: opinion for opinion in opinions}
    weights: dict[int, float] = {}
    for likes, share in ((True, 1.0), (False, -DISLIKED)):
        faded = {paper: _fading(said, today) for paper, said in last.items() if said.likes is likes}
        total = sum(faded.values())
        weights |= {paper: share * weight / total for paper, weight in faded.items()}
    return ReaderModel(weights)


def _fading(opinion: Opinion, today: dt.date) -> float:
    age = max(0, (today - opinion.date).days)
    return float(0.5 ** (age / HALF_LIFE_DAYS))

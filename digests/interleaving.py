"""Two rankings in one digest, so that readers' own words tell which is better: team-draft interleaving (Radlinski,
Kurup, Joachims 2008). Pure.

As children choose teams: in each round a coin says which ranking goes first, and each in turn adds its best paper that
is not in yet. A reader's later word on a paper counts for the ranking that added it.
"""

import random
from collections.abc import Iterator, Sequence
from math import comb
from typing import NamedTuple

from digests.selection import Chosen, Section

A, B = "A", "B"


class Interleaved(NamedTuple):
    """The papers in order, and by id which ranking added each; what both were bound to have is in no team."""

    chosen: tuple[Chosen, ...]
    teams: dict[int, str]


def interleave(one: Sequence[Chosen], other: Sequence[Chosen], *, most: int, seed: str) -> Interleaved:
    """At most `most` papers of both rankings. The same seed throws the same coins."""
    picks = [choice for choice in one if choice.section is Section.PICKS][:most]
    taken = {choice.paper_id for choice in picks}
    sides = {A: _left(one, taken), B: _left(other, taken)}
    chosen, teams = list(picks), dict[int, str]()
    # A coin is no secret, and must fall the same way when a digest is made again.
    coin = random.Random(seed)  # noqa: S311
    while len(chosen) < most:
        before = len(chosen)
        for team in (A, B) if coin.random() < 0.5 else (B, A):
            choice = next(sides[team], None)
            if choice is not None and len(chosen) < most:
                taken.add(choice.paper_id)
                chosen.append(choice)
                teams[choice.paper_id] = team
        if len(chosen) == before:
            break
    return Interleaved(tuple(chosen), teams)


def chance_of(wins: int, losses: int) -> float:
    """How likely so uneven a result, or a more uneven one, would be if both were equally good: the sign test,
    two-sided. 1 where nothing was decided."""
    decided, least = wins + losses, min(wins, losses)
    tail = sum(comb(decided, count) for count in range(least + 1))
    return min(1.0, float(2 * tail / 2**decided))


def _left(choices: Sequence[Chosen], taken: set[int]) -> Iterator[Chosen]:
    return (choice for choice in choices if choice.paper_id not in taken)

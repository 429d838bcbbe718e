"""What is judged, and what a ranker may know at that moment. Pure.

A reader is an account that submitted a paper or is its author. After a reader's first FIRST papers, each further one
is judged among all papers of its day and the WINDOW_DAYS before; all of the reader's own among them are right. What
may be learned from is older than the oldest candidate. House curators, who submit for everybody, are no readers.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from digests.evaluation.corpora import CorpusPaper

FIRST = 6
WINDOW_DAYS = 3
HOUSE_CURATOR = 200  # more submissions than a reader makes

Rows = npt.NDArray[np.int_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """One moment of one reader. Papers are rows of the corpus, which is in time order."""

    reader: str
    day: dt.date
    past: int  # rows before this one are older than the window
    candidates: Rows
    own_past: Rows
    is_right: npt.NDArray[np.bool_]


def judgements(papers: Sequence[CorpusPaper], *, first: int = FIRST) -> list[Judgement]:
    """All judgements, in time order."""
    days = np.array([paper.date.toordinal() for paper in papers])
    found = []
    for reader, rows in _rows_of_readers(papers).items():
        for row in rows[first:]:
            start, end = np.searchsorted(days, (days[row] - WINDOW_DAYS, days[row] + 1))
            # In an order of their own, so that no ranker gains by the order of the file where it cannot tell.
            candidates = np.random.default_rng(int(start)).permutation(np.arange(start, end))
            found.append(
                Judgement(
                    reader=reader,
                    day=papers[row].date,
                    past=int(start),
                    candidates=candidates,
                    own_past=rows[rows < start],
                    is_right=np.isin(candidates, rows),
                )
            )
    return sorted(found, key=lambda judged: (judged.day, judged.reader))


def _rows_of_readers(papers: Sequence[CorpusPaper]) -> dict[str, Rows]:
    submissions = Counter(paper.submitter for paper in papers)
    rows: dict[str, list[int]] = {}
    for row, paper in enumerate(papers):
        for reader in sorted(paper.readers):
            if submissions[reader] <= HOUSE_CURATOR:
                rows.setdefault(reader, []).append(row)
    return {reader: np.array(own) for reader, own in rows.items()}

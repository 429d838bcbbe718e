"""Who gets which papers, and why. Pure: takes plain values, returns the choice with a true reason for each paper.

The order is the promise of the product: first what the editor picked, for everybody; then what fits the reader's own
topics; then what other people found worth reading, to fill up.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Section(StrEnum):
    PICKS = "picks"
    PERSONAL = "personal"
    TRENDING = "trending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper of an edition, with all that the choice hangs on."""

    paper_id: int
    announced_date: dt.date
    topics: tuple[str, ...] = ()  # slugs
    upvotes: int | None = None
    is_pick: bool = False
    is_replacement: bool = False
    pick_position: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What a reader asked for, and what they have had."""

    topics: tuple[str, ...] = ()  # slugs
    max_papers: int = 10
    wants_replacements: bool = False
    seen_paper_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Chosen:
    """One paper of a digest and the reason it is there."""

    paper_id: int
    section: Section
    topic: str = ""  # the slug that matched, for personal papers
    upvotes: int | None = None  # for trending papers that anybody voted for


def select_digest(candidates: Iterable[Candidate], reader: Reader) -> tuple[Chosen, ...]:
    """At most `max_papers` papers, none of them seen before, none twice. Nothing to say is an empty tuple."""
    unseen = {paper.paper_id: paper for paper in candidates if _is_for(reader, paper)}
    picks = sorted((paper for paper in unseen.values() if paper.is_pick), key=lambda paper: paper.pick_position)
    others = sorted((paper for paper in unseen.values() if not paper.is_pick), key=trend_order)
    chosen = [Chosen(paper.paper_id, Section.PICKS) for paper in picks]
    rest = []
    for paper in others:
        topic = _first_shared(reader.topics, paper.topics)
        if topic:
            chosen.append(Chosen(paper.paper_id, Section.PERSONAL, topic=topic))
        else:
            rest.append(Chosen(paper.paper_id, Section.TRENDING, upvotes=paper.upvotes))
    return tuple((chosen + rest)[: reader.max_papers])


def _is_for(reader: Reader, paper: Candidate) -> bool:
    wanted = paper.is_pick or reader.wants_replacements or not paper.is_replacement
    return wanted and paper.paper_id not in reader.seen_paper_ids


def trend_order(paper: Candidate) -> tuple[int, int, int]:
    """Most upvotes first, then the newest, then the latest to come in."""
    return (-(paper.upvotes or 0), -paper.announced_date.toordinal(), -paper.paper_id)


def _first_shared(wanted: Sequence[str], held: Sequence[str]) -> str:
    return next((topic for topic in wanted if topic in held), "")

"""Who gets which papers, and why. Pure: takes plain values, returns the choice with a true reason for each paper.

The order is the promise of the product: first what the editor picked, for everybody; then what fits the reader's own
topics; then what other people found worth reading, to fill up.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


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


class Chosen(NamedTuple):
    """One paper of a digest and the reason it is there."""

    paper_id: int
    section: Section
    topic: str = ""  # the slug that matched, for personal papers
    upvotes: int | None = None  # for trending papers that anybody voted for


@dataclass(frozen=True, slots=True)
class Arranged:
    """Candidates in the order in which they are offered, the same for all readers but for whether they want new
    versions of older papers: arranged once for many of them."""

    picks: tuple[Chosen, ...]
    others: tuple[Candidate, ...]
    # Of each of `others`, in its place, what it is chosen as where no topic of the reader's holds it.
    trending: tuple[Chosen, ...]
    # Which of `others` hold a topic: their places, ascending, with what each is chosen as because of it.
    places: dict[str, dict[int, Chosen]]


def arrange(candidates: Iterable[Candidate], *, with_replacements: bool = False) -> Arranged:
    """Put candidates in order. Of a paper that occurs twice the last one counts."""
    papers = {
        paper.paper_id: paper for paper in candidates if with_replacements or paper.is_pick or not paper.is_replacement
    }.values()
    picks = sorted((paper for paper in papers if paper.is_pick), key=lambda paper: paper.pick_position)
    others = sorted((paper for paper in papers if not paper.is_pick), key=trend_order)
    places: dict[str, dict[int, Chosen]] = {}
    for place, paper in enumerate(others):
        for topic in paper.topics:
            places.setdefault(topic, {})[place] = Chosen(paper.paper_id, Section.PERSONAL, topic=topic)
    return Arranged(
        picks=tuple(Chosen(paper.paper_id, Section.PICKS) for paper in picks),
        others=tuple(others),
        trending=tuple(Chosen(paper.paper_id, Section.TRENDING, upvotes=paper.upvotes) for paper in others),
        places=places,
    )


def select_digest(candidates: Iterable[Candidate], reader: Reader) -> tuple[Chosen, ...]:
    """At most `max_papers` papers, none of them seen before, none twice. Nothing to say is an empty tuple."""
    return choose(arrange(candidates, with_replacements=reader.wants_replacements), reader)


def choose(arranged: Arranged, reader: Reader) -> tuple[Chosen, ...]:
    """The same choice from candidates that were arranged before: it looks at no more of them than it must."""
    seen, most = reader.seen_paper_ids, reader.max_papers
    chosen = [choice for choice in arranged.picks if choice.paper_id not in seen]
    personal: dict[int, Chosen] = {}
    # The first of the reader's topics that holds a paper is the reason for it.
    for topic in reversed(reader.topics):
        personal |= arranged.places.get(topic, {})
    for place in sorted(personal):
        if len(chosen) >= most:
            break
        if personal[place].paper_id not in seen:
            chosen.append(personal[place])
    for place, choice in enumerate(arranged.trending):
        if len(chosen) >= most:
            break
        if place not in personal and choice.paper_id not in seen:
            chosen.append(choice)
    return tuple(chosen[:most])


def trend_order(paper: Candidate) -> tuple[int, int, int]:
    """Most upvotes first, then the newest, then the latest to come in."""
    return (-(paper.upvotes or 0), -paper.announced_date.toordinal(), -paper.paper_id)

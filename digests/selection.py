"""Who gets which papers, and why. Pure: takes plain values, returns the choice with a true reason for each paper.

The order is the promise of the product: first what the editor picked, for everybody; then what fits the reader's own
topics; then what other people found worth reading, to fill up.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
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

    picks: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    # Which of `others` hold a topic: their places, ascending.
    places: dict[str, tuple[int, ...]]


def arrange(candidates: Iterable[Candidate], *, with_replacements: bool = False) -> Arranged:
    """Put candidates in order. Of a paper that occurs twice the last one counts."""
    papers = {
        paper.paper_id: paper for paper in candidates if with_replacements or paper.is_pick or not paper.is_replacement
    }.values()
    picks = sorted((paper for paper in papers if paper.is_pick), key=lambda paper: paper.pick_position)
    others = sorted((paper for paper in papers if not paper.is_pick), key=trend_order)
    places: dict[str, list[int]] = {}
    for place, paper in enumerate(others):
        for topic in set(paper.topics):
            places.setdefault(topic, []).append(place)
    return Arranged(tuple(picks), tuple(others), {topic: tuple(found) for topic, found in places.items()})


def select_digest(candidates: Iterable[Candidate], reader: Reader) -> tuple[Chosen, ...]:
    """At most `max_papers` papers, none of them seen before, none twice. Nothing to say is an empty tuple."""
    return choose(arrange(candidates, with_replacements=reader.wants_replacements), reader)


def choose(arranged: Arranged, reader: Reader) -> tuple[Chosen, ...]:
    """The same choice from candidates that were arranged before: it looks at no more of them than it must."""
    return tuple(islice(_offered(arranged, reader), reader.max_papers))


def _offered(arranged: Arranged, reader: Reader) -> Iterator[Chosen]:
    seen = reader.seen_paper_ids
    for paper in arranged.picks:
        if paper.paper_id not in seen:
            yield Chosen(paper.paper_id, Section.PICKS)
    personal = {place for topic in reader.topics for place in arranged.places.get(topic, ())}
    for place in sorted(personal):
        paper = arranged.others[place]
        if paper.paper_id not in seen:
            yield Chosen(paper.paper_id, Section.PERSONAL, topic=_first_shared(reader.topics, paper.topics))
    for place, paper in enumerate(arranged.others):
        if place not in personal and paper.paper_id not in seen:
            yield Chosen(paper.paper_id, Section.TRENDING, upvotes=paper.upvotes)


def trend_order(paper: Candidate) -> tuple[int, int, int]:
    """Most upvotes first, then the newest, then the latest to come in."""
    return (-(paper.upvotes or 0), -paper.announced_date.toordinal(), -paper.paper_id)


def _first_shared(wanted: Sequence[str], held: Sequence[str]) -> str:
    return next((topic for topic in wanted if topic in held), "")

"""Who gets which papers, and why. Pure: takes plain values, returns the choice with a true reason for each paper.

The order is the promise of the product: first what the editor picked, for everybody; then what fits the reader's own
topics; then what other people found worth reading, to fill up.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
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
    # Those of its topics that hold it only because it is listed there as well, its own field being another.
    cross_topics: frozenset[str] = frozenset()
    # No source ever announced it as new: it is only listed again.
    is_cross_list: bool = False
    upvotes: int | None = None
    is_pick: bool = False
    is_replacement: bool = False
    pick_position: int = 0

    @property
    def own_topics(self) -> tuple[str, ...]:
        """Its topics without those that it is merely listed in."""
        return tuple(topic for topic in self.topics if topic not in self.cross_topics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What a reader asked for, and what they have had."""

    topics: tuple[str, ...] = ()  # slugs
    max_papers: int = 10
    wants_replacements: bool = False
    wants_cross_lists: bool = True
    seen_paper_ids: frozenset[int] = frozenset()


class Chosen(NamedTuple):
    """One paper of a digest and the reason it is there."""

    paper_id: int
    section: Section
    topic: str = ""  # the slug that matched, for personal papers
    upvotes: int | None = None  # for trending papers that anybody voted for
    author: str = ""  # whom the reader follows
    phrase: str = ""  # of the reader's interests, which occurs in it


@dataclass(frozen=True, slots=True)
class Arranged:
    """Candidates in the order in which they are offered, the same for all readers but for whether they want new
    versions of older papers, and cross-lists: arranged once for many of them."""

    picks: tuple[Chosen, ...]
    others: tuple[Candidate, ...]
    # Of each of `others`, in its place, what it is chosen as where no topic of the reader's holds it.
    trending: tuple[Chosen, ...]
    # Which of `others` hold a topic: their places, ascending, with what each is chosen as because of it.
    places: dict[str, dict[int, Chosen]]
    # The place of each of `others`, by the paper's id.
    place_of: dict[int, int]


def arrange(
    candidates: Iterable[Candidate], *, with_replacements: bool = False, with_cross_lists: bool = True
) -> Arranged:
    """Put candidates in order. Of a paper that occurs twice the last one counts. What the editor picked stays in."""
    papers = {
        paper.paper_id: paper
        for paper in candidates
        if paper.is_pick
        or ((with_replacements or not paper.is_replacement) and (with_cross_lists or not paper.is_cross_list))
    }.values()
    picks = sorted((paper for paper in papers if paper.is_pick), key=lambda paper: paper.pick_position)
    others = sorted((paper for paper in papers if not paper.is_pick), key=trend_order)
    places: dict[str, dict[int, Chosen]] = {}
    for place, paper in enumerate(others):
        for topic in paper.topics if with_cross_lists else paper.own_topics:
            places.setdefault(topic, {})[place] = Chosen(paper.paper_id, Section.PERSONAL, topic=topic)
    return Arranged(
        picks=tuple(Chosen(paper.paper_id, Section.PICKS) for paper in picks),
        others=tuple(others),
        trending=tuple(Chosen(paper.paper_id, Section.TRENDING, upvotes=paper.upvotes) for paper in others),
        places=places,
        place_of={paper.paper_id: place for place, paper in enumerate(others)},
    )


def select_digest(candidates: Iterable[Candidate], reader: Reader) -> tuple[Chosen, ...]:
    """At most `max_papers` papers, none of them seen before, none twice. Nothing to say is an empty tuple."""
    arranged = arrange(
        candidates, with_replacements=reader.wants_replacements, with_cross_lists=reader.wants_cross_lists
    )
    return choose(arranged, reader)


def choose(arranged: Arranged, reader: Reader, wanted: Sequence[Chosen] = ()) -> tuple[Chosen, ...]:
    """The same choice from candidates that were arranged before: it looks at no more of them than it must.

    `wanted` are those of the candidates that this reader asked for in so many words, in order: they come before those
    of the topics. What the reader never wants to see counts as seen.
    """
    seen, most = reader.seen_paper_ids, reader.max_papers
    chosen = [choice for choice in arranged.picks if choice.paper_id not in seen]
    if wanted:
        chosen += [choice for choice in wanted if choice.paper_id not in seen]
        if len(chosen) >= most:
            return tuple(chosen[:most])
        seen = seen.union([choice.paper_id for choice in wanted])
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

"""Who gets which papers, and why. Pure: takes plain values, returns the choice with a true reason for each paper.

The order is the promise of the product: first what the editor picked, for everybody; then what is like the papers the
reader liked, and what fits their topics; then what other people found worth reading, to fill up.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

# In standard deviations of likeness to what a reader liked. A paper of today stands before one that was offered on an
# earlier day, unless that one fits much better; not so in a week's digest, which is to have the best of the week.
FRESH = 2.0
# From which likeness on a paper comes before others of the reader's topics, and although it is in none of them.
LIFTED = 1.0
FROM_OUTSIDE = 2.0


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
    trend: float = 0.0
    # What counts most in it: how many more of what since yesterday.
    trend_kind: str = ""
    trend_gain: int = 0
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
    wants_picks: bool = True
    seen_paper_ids: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Liking:
    """A paper that is like those a reader liked: where it stands among them, in standard deviations, and what it is
    owed to. One that fits very well may come from outside the reader's topics."""

    paper_id: int
    score: float
    fits_anywhere: bool
    kind: str  # "more" and "seed" name a paper; "words" are the reader's own
    title: str = ""


@dataclass(frozen=True, slots=True)
class Taste:
    """What was learned of a reader: papers, the best first, and those they would rather not see."""

    likings: tuple[Liking, ...] = ()
    sunk: frozenset[int] = frozenset()


NO_TASTE = Taste()


class Chosen(NamedTuple):
    """One paper of a digest and the reason it is there."""

    paper_id: int
    section: Section
    topic: str = ""  # the slug that matched, for personal papers
    upvotes: int | None = None  # for trending papers that anybody voted for
    author: str = ""  # whom the reader follows
    phrase: str = ""  # of the reader's interests, which occurs in it
    liked: str = ""  # what it is like: the kind of a liking
    liked_title: str = ""  # and its title
    # For trending papers: how many more of what since yesterday.
    gain: int = 0
    gained: str = ""


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
    # Papers that say the same as others: of them a digest holds one.
    same: Mapping[int, frozenset[int]] = field(default_factory=dict)


def arrange(
    candidates: Iterable[Candidate],
    *,
    with_replacements: bool = False,
    with_cross_lists: bool = True,
    with_picks: bool = True,
    same: Mapping[int, frozenset[int]] | None = None,
    is_weekly: bool = False,
) -> Arranged:
    """Put candidates in order: for a week's digest by what counted all in all, otherwise by what is trending. Of a
    paper that occurs twice the last one counts. What the editor picked stays in; without picks it is a paper like any
    other."""
    if not with_picks:
        candidates = [replace(paper, is_pick=False) if paper.is_pick else paper for paper in candidates]
    papers = {
        paper.paper_id: paper
        for paper in candidates
        if paper.is_pick
        or ((with_replacements or not paper.is_replacement) and (with_cross_lists or not paper.is_cross_list))
    }.values()
    picks = sorted((paper for paper in papers if paper.is_pick), key=lambda paper: paper.pick_position)
    others = sorted((paper for paper in papers if not paper.is_pick), key=total_order if is_weekly else trend_order)
    places: dict[str, dict[int, Chosen]] = {}
    for place, paper in enumerate(others):
        for topic in paper.topics if with_cross_lists else paper.own_topics:
            places.setdefault(topic, {})[place] = Chosen(paper.paper_id, Section.PERSONAL, topic=topic)
    return Arranged(
        picks=tuple(Chosen(paper.paper_id, Section.PICKS) for paper in picks),
        others=tuple(others),
        trending=tuple(_trending(paper, is_weekly=is_weekly) for paper in others),
        places=places,
        place_of={paper.paper_id: place for place, paper in enumerate(others)},
        same=same or {},
    )


def select_digest(candidates: Iterable[Candidate], reader: Reader) -> tuple[Chosen, ...]:
    """At most `max_papers` papers, none of them seen before, none twice. Nothing to say is an empty tuple."""
    arranged = arrange(
        candidates,
        with_replacements=reader.wants_replacements,
        with_cross_lists=reader.wants_cross_lists,
        with_picks=reader.wants_picks,
    )
    return choose(arranged, reader)


def choose(
    arranged: Arranged,
    reader: Reader,
    wanted: Sequence[Chosen] = (),
    *,
    taste: Taste = NO_TASTE,
    is_weekly: bool = False,
) -> tuple[Chosen, ...]:
    """The same choice from candidates that were arranged before: it looks at no more of them than it must.

    `wanted` are those of the candidates that this reader asked for in so many words, in order: they come before what is
    like the papers they liked, and that before the rest of their topics. What the reader never wants to see counts as
    seen.
    """
    personal: dict[int, Chosen] = {}
    # The first of the reader's topics that holds a paper is the reason for it.
    for topic in reversed(reader.topics):
        personal |= arranged.places.get(topic, {})
    liked = _liked(arranged, reader, personal, taste, is_weekly=is_weekly) if taste.likings else ()
    by_topic = _without_flood((personal[place] for place in sorted(personal)), len(personal), reader)
    rest = (choice for place, choice in enumerate(arranged.trending) if place not in personal)
    offered: Iterable[Chosen] = chain(wanted, liked, by_topic, rest)
    if taste.sunk:
        offered = _sinking(offered, taste.sunk)
    return _take(chain(arranged.picks, offered), reader, arranged.same)


def _take(offered: Iterable[Chosen], reader: Reader, same: Mapping[int, frozenset[int]]) -> tuple[Chosen, ...]:
    """The first of these that the reader has not had, each once, and none that says the same as one before it."""
    seen, most = reader.seen_paper_ids, reader.max_papers
    taken, chosen = set[int](), list[Chosen]()
    for choice in offered:
        pk = choice.paper_id
        if pk in seen or pk in taken:
            continue
        taken.add(pk)
        if same:
            taken |= same.get(pk, frozenset())
        chosen.append(choice)
        if len(chosen) == most:
            break
    return tuple(chosen)


def _liked(
    arranged: Arranged, reader: Reader, personal: Mapping[int, Chosen], taste: Taste, *, is_weekly: bool
) -> Iterator[Chosen]:
    """What is like the papers the reader liked, the best first: in their topics, or so like them that it may come from
    outside. Who chose no topics gets it from everywhere."""
    newest = max((paper.announced_date for paper in arranged.others), default=None)
    found = []
    for liking in taste.likings:
        place = arranged.place_of.get(liking.paper_id)
        if place is None:
            continue
        topic = personal[place].topic if place in personal else ""
        if not (topic or liking.fits_anywhere or not reader.topics):
            continue
        is_fresh = not is_weekly and arranged.others[place].announced_date == newest
        found.append((-(liking.score + FRESH * is_fresh), place, topic, liking))
    for _, _, topic, liking in sorted(found, key=lambda one: one[:2]):
        yield Chosen(liking.paper_id, Section.PERSONAL, topic=topic, liked=liking.kind, liked_title=liking.title)


def _without_flood(choices: Iterable[Chosen], count: int, reader: Reader) -> Iterable[Chosen]:
    """These `count` papers, the best first: of several topics none takes more than half of the mail before the others
    had their turn."""
    if len(reader.topics) < 2 or count <= reader.max_papers // 2:
        return choices
    most, held = (reader.max_papers + 1) // 2, dict.fromkeys(reader.topics, 0)
    first, later = list[Chosen](), list[Chosen]()
    for choice in choices:
        if choice.paper_id in reader.seen_paper_ids:
            continue
        held[choice.topic] += 1
        (first if held[choice.topic] <= most else later).append(choice)
        if len(first) >= reader.max_papers:
            break
    else:
        return first + later
    return first


def _sinking(offered: Iterable[Chosen], sunk: frozenset[int]) -> Iterator[Chosen]:
    """What the reader would rather not see comes after everything else; but what they asked for in so many words."""
    below = []
    for choice in offered:
        if choice.paper_id in sunk and not (choice.author or choice.phrase):
            below.append(choice)
        else:
            yield choice
    yield from below


def _trending(paper: Candidate, *, is_weekly: bool) -> Chosen:
    if is_weekly or not paper.trend_gain:
        return Chosen(paper.paper_id, Section.TRENDING, upvotes=paper.upvotes)
    return Chosen(paper.paper_id, Section.TRENDING, gain=paper.trend_gain, gained=paper.trend_kind)


def trend_order(paper: Candidate) -> tuple[float, int, int, int]:
    """What is trending most first; without any trend by `total_order`."""
    return (-paper.trend, *total_order(paper))


def total_order(paper: Candidate) -> tuple[int, int, int]:
    """Most upvotes first, then the newest, then the latest to come in."""
    return (-(paper.upvotes or 0), -paper.announced_date.toordinal(), -paper.paper_id)

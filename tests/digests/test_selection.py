"""Who gets which papers, and whether the reason given is true."""

import datetime as dt
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from digests.selection import (
    Arranged,
    Candidate,
    Chosen,
    Liking,
    Reader,
    Section,
    Taste,
    arrange,
    choose,
    select_digest,
    trend_order,
)

DAY = dt.date(2026, 11, 23)


def paper(
    paper_id: int, *, topics: tuple[str, ...] = (), upvotes: int | None = None, pick: int | None = None, age: int = 0
) -> Candidate:
    return Candidate(
        paper_id=paper_id,
        announced_date=DAY - dt.timedelta(days=age),
        topics=topics,
        upvotes=upvotes,
        is_pick=pick is not None,
        pick_position=pick or 0,
    )


def ids(chosen: tuple[Chosen, ...]) -> list[int]:
    return [choice.paper_id for choice in chosen]


def test_picks_come_first_then_own_topics_then_what_others_found_worth_reading():
    papers = [
        paper(1, upvotes=90),
        paper(2, topics=("nlp",), upvotes=3),
        paper(3, pick=1),
        paper(4, topics=("nlp",), upvotes=8),
        paper(5, pick=0),
        paper(6),
    ]
    chosen = select_digest(papers, Reader(topics=("nlp",)))
    assert chosen == (
        Chosen(5, Section.PICKS),
        Chosen(3, Section.PICKS),
        Chosen(4, Section.PERSONAL, topic="nlp"),
        Chosen(2, Section.PERSONAL, topic="nlp"),
        Chosen(1, Section.TRENDING, upvotes=90),
        Chosen(6, Section.TRENDING),
    )


def test_who_wants_no_picks_gets_them_as_papers_like_any_other():
    papers = [paper(1, pick=0), paper(2, upvotes=5), paper(3, topics=("nlp",), pick=1)]
    chosen = select_digest(papers, Reader(topics=("nlp",), wants_picks=False))
    assert ids(chosen) == [3, 2, 1]
    assert Section.PICKS not in {choice.section for choice in chosen}


def test_a_reader_without_topics_gets_picks_and_trending():
    papers = [paper(1, topics=("nlp",)), paper(2, topics=("vision",), upvotes=5), paper(3, pick=0)]
    chosen = select_digest(papers, Reader())
    assert [choice.section for choice in chosen] == [Section.PICKS, Section.TRENDING, Section.TRENDING]
    assert ids(chosen) == [3, 2, 1]


def test_equal_votes_are_told_apart_by_day_and_then_by_coming_in():
    papers = [paper(1, upvotes=5, age=1), paper(2, upvotes=5), paper(3, upvotes=5), paper(4, upvotes=6, age=6)]
    assert ids(select_digest(papers, Reader())) == [4, 3, 2, 1]


def test_nobody_voted_is_the_same_as_no_votes():
    assert ids(select_digest([paper(1, upvotes=0), paper(2)], Reader())) == [2, 1]


def test_the_reason_names_the_topic_the_reader_put_first():
    chosen = select_digest([paper(1, topics=("vision", "nlp"))], Reader(topics=("nlp", "vision")))
    assert chosen == (Chosen(1, Section.PERSONAL, topic="nlp"),)


def test_a_pick_in_ones_own_topic_is_still_a_pick():
    chosen = select_digest([paper(1, topics=("nlp",), pick=0)], Reader(topics=("nlp",)))
    assert chosen == (Chosen(1, Section.PICKS),)


def test_seen_picks_do_not_come_again():
    chosen = select_digest([paper(1, pick=0), paper(2)], Reader(seen_paper_ids=frozenset({1})))
    assert ids(chosen) == [2]


def test_nothing_new_is_nothing_to_say():
    assert select_digest([], Reader()) == ()
    assert select_digest([paper(1)], Reader(seen_paper_ids=frozenset({1}))) == ()


TOPICS = st.lists(st.sampled_from(["nlp", "vision", "robots", "theory"]), unique=True, max_size=3).map(tuple)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        paper_id=st.integers(1, 25),
        announced_date=st.dates(DAY - dt.timedelta(days=7), DAY),
        topics=TOPICS,
        upvotes=st.none() | st.integers(0, 50),
        is_pick=st.booleans(),
        pick_position=st.integers(0, 9),
    ),
    max_size=30,
)
READERS = st.builds(
    Reader, topics=TOPICS, max_papers=st.integers(1, 20), seen_paper_ids=st.frozensets(st.integers(1, 25), max_size=15)
)


@given(CANDIDATES, READERS)
def test_never_seen_before_never_twice_never_too_many(papers: list[Candidate], reader: Reader):
    chosen = ids(select_digest(papers, reader))
    offered = {candidate.paper_id for candidate in papers}
    assert len(chosen) == len(set(chosen)) <= reader.max_papers
    assert set(chosen) <= offered - reader.seen_paper_ids
    # As many as there are, up to what was asked for.
    assert len(chosen) == min(reader.max_papers, len(offered - reader.seen_paper_ids))


@given(CANDIDATES, READERS)
def test_the_sections_stand_in_order_and_no_pick_yields_to_another_paper(papers: list[Candidate], reader: Reader):
    chosen = select_digest(papers, reader)
    order = list(Section)
    ranks = [order.index(choice.section) for choice in chosen]
    assert ranks == sorted(ranks)
    last_of = {candidate.paper_id: candidate for candidate in papers}
    left_out = {pk for pk in last_of if pk not in reader.seen_paper_ids} - set(ids(chosen))
    if any(last_of[pk].is_pick for pk in left_out):
        assert all(choice.section is Section.PICKS for choice in chosen)


@given(CANDIDATES, READERS)
def test_every_reason_is_true(papers: list[Candidate], reader: Reader):
    last_of = {candidate.paper_id: candidate for candidate in papers}
    for choice in select_digest(papers, reader):
        candidate = last_of[choice.paper_id]
        match choice.section:
            case Section.PICKS:
                assert candidate.is_pick
            case Section.PERSONAL:
                assert choice.topic in candidate.topics
                assert choice.topic in reader.topics
            case Section.TRENDING:
                assert not candidate.is_pick
                assert not set(candidate.topics) & set(reader.topics)
                assert choice.upvotes == candidate.upvotes


@given(CANDIDATES, READERS, st.randoms())
def test_the_order_in_which_papers_come_in_does_not_matter(papers: list[Candidate], reader: Reader, random: Random):
    once = list({candidate.paper_id: candidate for candidate in papers}.values())
    # Equal positions among picks are the curator's to tell apart, by the order given.
    distinct = [
        candidate
        for number, candidate in enumerate(once)
        if not candidate.is_pick
        or candidate.pick_position not in {other.pick_position for other in once[:number] if other.is_pick}
    ]
    shuffled = list(distinct)
    random.shuffle(shuffled)
    assert select_digest(shuffled, reader) == select_digest(distinct, reader)


@given(CANDIDATES)
def test_trending_is_by_votes_first(papers: list[Candidate]):
    votes = [candidate.upvotes or 0 for candidate in sorted(papers, key=trend_order)]
    assert votes == sorted(votes, reverse=True)


def test_new_versions_are_for_those_who_asked_for_them_unless_picked():
    papers = [
        replace(paper(1, topics=("nlp",)), is_replacement=True),
        paper(2, topics=("nlp",)),
        replace(paper(3, pick=0), is_replacement=True),
    ]
    assert ids(select_digest(papers, Reader(topics=("nlp",)))) == [3, 2]
    assert set(ids(select_digest(papers, Reader(topics=("nlp",), wants_replacements=True)))) == {1, 2, 3}
    had = Reader(topics=("nlp",), wants_replacements=True, seen_paper_ids=frozenset({1}))
    assert 1 not in ids(select_digest(papers, had))


def offer(papers: list[Candidate], *, same: dict[int, frozenset[int]] | None = None) -> Arranged:
    return arrange(papers, same=same)


def liking(paper_id: int, score: float, *, anywhere: bool = False) -> Liking:
    return Liking(paper_id, score, anywhere, "more", "A paper")


def test_what_is_like_the_liked_comes_before_the_rest_of_the_topic_and_is_owed_to_it():
    papers = [paper(1, topics=("nlp",), upvotes=90), paper(2, topics=("nlp",)), paper(3, topics=("nlp",))]
    chosen = choose(offer(papers), Reader(topics=("nlp",)), taste=Taste((liking(2, 1.5),)))
    assert chosen[0] == Chosen(2, Section.PERSONAL, topic="nlp", liked="more", liked_title="A paper")
    assert ids(chosen) == [2, 1, 3]


def test_from_outside_the_topics_comes_only_what_fits_anywhere_but_without_topics_all():
    papers = [paper(1, topics=("nlp",)), paper(2, topics=("vision",)), paper(3, topics=("vision",))]
    taste = Taste((liking(2, 1.9), liking(3, 2.2, anywhere=True)))
    assert ids(choose(offer(papers), Reader(topics=("nlp",), max_papers=2), taste=taste)) == [3, 1]
    assert ids(choose(offer(papers), Reader(max_papers=2), taste=taste)) == [3, 2]


def test_todays_papers_come_before_better_ones_of_the_days_before_but_not_in_a_weeks_digest():
    papers = [paper(1, age=0), paper(2, age=3), paper(3, age=5)]
    taste = Taste((liking(3, 4.5), liking(2, 2.9), liking(1, 1.0)))
    assert ids(choose(offer(papers), Reader(), taste=taste)) == [3, 1, 2]
    assert ids(choose(offer(papers), Reader(), taste=taste, is_weekly=True)) == [3, 2, 1]


def test_what_sinks_comes_last_but_for_what_was_asked_for_in_so_many_words_or_picked():
    papers = [paper(1, topics=("nlp",)), paper(2, pick=0), paper(3), paper(4, upvotes=9)]
    asked = [Chosen(4, Section.PERSONAL, author="Ada Lovelace")]
    taste = Taste(sunk=frozenset({1, 2, 4}))
    assert ids(choose(offer(papers), Reader(topics=("nlp",)), asked, taste=taste)) == [2, 4, 3, 1]


def test_of_papers_that_say_the_same_one_is_taken_and_a_pick_wins():
    papers = [paper(1, upvotes=9), paper(2), paper(3, pick=0), paper(4, upvotes=8)]
    same = {1: frozenset({3}), 3: frozenset({1}), 2: frozenset({4}), 4: frozenset({2})}
    assert ids(choose(offer(papers, same=same), Reader())) == [3, 4]


def test_no_topic_floods_the_mail_while_another_has_something_to_say():
    papers = [paper(number, topics=("nlp",), upvotes=100 - number) for number in range(1, 20)]
    papers += [paper(number, topics=("vision",)) for number in range(20, 24)]
    chosen = choose(offer(papers), Reader(topics=("nlp", "vision"), max_papers=10))
    assert [choice.topic for choice in chosen] == ["nlp"] * 5 + ["vision"] * 4 + ["nlp"]
    alone = choose(offer(papers), Reader(topics=("nlp",), max_papers=10))
    assert ids(alone) == list(range(1, 11))


@given(st.data())
def test_whatever_was_learned_each_paper_comes_once_and_none_that_was_seen(data: st.DataObject):
    numbers = st.integers(1, 30)
    papers = [
        paper(
            number,
            topics=tuple(data.draw(st.sets(st.sampled_from("abc"), max_size=2))),
            pick=data.draw(st.sampled_from([None, None, 1])),
        )
        for number in data.draw(st.sets(numbers))
    ]
    likings = tuple(liking(pk, score) for pk, score in data.draw(st.dictionaries(numbers, st.floats(1, 6))).items())
    taste = Taste(likings, frozenset(data.draw(st.sets(numbers))))
    seen = frozenset(data.draw(st.sets(numbers)))
    reader = Reader(topics=("a", "b"), max_papers=data.draw(st.integers(1, 20)), seen_paper_ids=seen)
    chosen = ids(choose(offer(papers), reader, taste=taste))
    left = {one.paper_id for one in papers} - seen
    assert len(chosen) == len(set(chosen)) == min(len(left), reader.max_papers)
    assert set(chosen) <= left

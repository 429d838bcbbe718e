"""What readers ask for beyond topics: what it does to the choice, and whether the reasons given are true."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.reasons import reason_of, section_of
from digests.selection import Candidate, Reader, Section, arrange, choose
from digests.wishes import PaperText, Wishes, index_papers, muted_ids, wanted
from subscriptions.phrases import as_line, name_key

DAY = dt.date(2026, 11, 23)
TEXTS = {
    1: PaperText(title="Quantum walks", abstract="On graphs.", authors=("Ada Lovelace", "Alan Turing")),
    2: PaperText(title="Protein folding", abstract="With diffusion models.", authors=("Grace Hopper",)),
    3: PaperText(title="A survey of diffusion", abstract="Models of all kinds.", authors=("Emmy Noether",)),
    4: PaperText(title="Folding chairs", abstract="A quantum leap.", authors=("LOVELACE, Ada",)),
}
CANDIDATES = [Candidate(paper_id=pk, announced_date=DAY, upvotes=10 - pk, topics=("all",)) for pk in TEXTS]
INDEX = index_papers(TEXTS)


def digest(wishes: Wishes, *, max_papers: int = 10, seen: frozenset[int] = frozenset()) -> list[tuple[int, str]]:
    arranged = arrange(CANDIDATES)
    reader = Reader(topics=("all",), max_papers=max_papers, seen_paper_ids=seen | muted_ids(INDEX, wishes))
    chosen = choose(arranged, reader, wanted(INDEX, arranged, wishes))
    return [(choice.paper_id, reason_of(choice, topic_name=str)) for choice in chosen]


@pytest.mark.parametrize(
    ("followed", "on_paper", "is_found"),
    [
        ("Yoshua Bengio", "Y. Bengio", True),
        ("Y. Bengio", "Yoshua Bengio", True),
        ("Y Bengio", "Bengio, Y.", True),
        ("Yann A. LeCun", "Y. LeCun", True),
        ("Y. A. LeCun", "Yann André LeCun", True),
        ("Y. B. LeCun", "Yann André LeCun", False),
        ("Yoshua Bengio", "Yolanda Bengio", False),
        ("Yoshua Bengio", "S. Bengio", False),
        ("Yoshua Bengio", "Y. Bengiol", False),
        ("Bengio", "Y. Bengio", False),
        ("Y. Bengio", "Bengio", False),
    ],
)
def test_initials_stand_for_the_first_names_they_begin(followed: str, on_paper: str, is_found: bool):
    papers = {7: PaperText(title="A title", abstract="", authors=(on_paper, "Somebody Else"))}
    assert index_papers(papers).by_author(followed) == ({7: on_paper} if is_found else {})


def test_papers_of_people_one_follows_come_first_with_the_name_as_it_stands_there():
    found = digest(Wishes(followed_authors=("ada lovelace",)))
    assert found[:2] == [(1, "By Ada Lovelace, whom you follow"), (4, "By LOVELACE, Ada, whom you follow")]
    assert [pk for pk, _ in found] == [1, 4, 2, 3]


def test_they_come_even_where_hardly_anything_else_does():
    assert digest(Wishes(followed_authors=("Emmy Noether",)), max_papers=1) == [(3, "By Emmy Noether, whom you follow")]


def test_ones_own_words_come_before_topics_and_the_reason_quotes_them():
    assert digest(Wishes(phrases=("diffusion models",)))[0] == (2, "Matches “diffusion models” in your interests")


def test_no_phrase_goes_from_the_title_into_the_abstract():
    assert (3, "Matches “diffusion models” in your interests") not in digest(Wishes(phrases=("diffusion models",)))


def test_a_person_is_a_better_reason_than_a_word():
    found = digest(Wishes(phrases=("quantum",), followed_authors=("Alan Turing",)))
    assert found[0] == (1, "By Alan Turing, whom you follow")
    assert found[1] == (4, "Matches “quantum” in your interests")


def test_muted_words_take_papers_away_whatever_else_speaks_for_them():
    wishes = Wishes(mute_words=("quantum",), followed_authors=("Ada Lovelace",), phrases=("folding",))
    assert [pk for pk, _ in digest(wishes)] == [2, 3]
    arranged = arrange([Candidate(paper_id=1, announced_date=DAY, is_pick=True)])
    assert choose(arranged, Reader(seen_paper_ids=frozenset(muted_ids(INDEX, wishes)))) == ()


def test_what_was_had_before_does_not_come_again_for_a_better_reason():
    assert [pk for pk, _ in digest(Wishes(followed_authors=("Ada Lovelace",)), seen=frozenset({1, 4}))] == [2, 3]


def test_who_asks_for_what_is_not_there_gets_what_everybody_gets():
    plain = digest(Wishes())
    assert (
        digest(Wishes(phrases=("", "nonsense", "!!"), followed_authors=("Nobody",), mute_words=("nothing",))) == plain
    )


def test_the_same_reason_for_many_readers_is_one_object():
    arranged, wishes = arrange(CANDIDATES), Wishes(phrases=("quantum",))
    assert all(
        one is other
        for one, other in zip(wanted(INDEX, arranged, wishes), wanted(INDEX, arranged, wishes), strict=True)
    )


def test_a_reason_in_words_tells_its_section():
    for wishes in (Wishes(followed_authors=("Ada Lovelace",)), Wishes(phrases=("quantum",))):
        assert section_of(digest(wishes)[0][1]) is Section.PERSONAL


WORDS = st.lists(st.sampled_from(["quantum", "walks", "graphs", "protein folding", "models", "a survey"]), max_size=3)
NAMES = st.lists(st.sampled_from(["Ada Lovelace", "Alan Turing", "Grace Hopper", "Nobody"]), max_size=3)


@given(WORDS, WORDS, NAMES, st.integers(1, 5))
def test_every_reason_is_true_and_nothing_muted_comes(
    phrases: list[str], muted: list[str], authors: list[str], most: int
):
    wishes = Wishes(phrases=tuple(phrases), mute_words=tuple(muted), followed_authors=tuple(authors))
    arranged = arrange(CANDIDATES)
    reader = Reader(max_papers=most, seen_paper_ids=frozenset(muted_ids(INDEX, wishes)))
    chosen = choose(arranged, reader, wanted(INDEX, arranged, wishes))
    assert len(chosen) == len({choice.paper_id for choice in chosen}) <= most
    for choice in chosen:
        text = TEXTS[choice.paper_id]
        lines = (as_line(text.title), as_line(text.abstract))
        assert not any(as_line(word) in line for word in muted for line in lines)
        if choice.author:
            assert choice.author in text.authors
            assert name_key(choice.author) in map(name_key, authors)
        if choice.phrase:
            assert choice.phrase in phrases
            assert any(as_line(choice.phrase) in line for line in lines)


def test_without_cross_lists_papers_come_only_for_topics_of_their_own_field_unless_picked():
    papers = [
        Candidate(paper_id=1, announced_date=DAY, topics=("nlp",)),
        Candidate(paper_id=2, announced_date=DAY, topics=("nlp",), is_cross_list=True),
        Candidate(paper_id=3, announced_date=DAY, topics=("nlp", "ml"), cross_topics=frozenset({"nlp"})),
        Candidate(paper_id=4, announced_date=DAY, is_cross_list=True, is_pick=True),
    ]
    chosen = choose(arrange(papers, with_cross_lists=False), Reader(topics=("nlp",)))
    assert [(choice.paper_id, choice.section) for choice in chosen] == [
        (4, Section.PICKS),
        (1, Section.PERSONAL),
        (3, Section.TRENDING),
    ]
    assert {choice.paper_id for choice in choose(arrange(papers), Reader(topics=("nlp",)))} == {1, 2, 3, 4}

"""Which sentences of an abstract are shown: by the rule that the module states, word for word, and in order."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.sentences import GAP, LENGTH, choose_sentences, excerpt, split_sentences

BACKGROUND = "Large models are used more and more for planning with tools."
PROBLEM = "However, what a tool costs is hardly ever looked at by those who plan."
IDEA = "We propose a planner that weighs the price of each tool before it is called."
HOW = "It keeps a running estimate of prices and asks for the cheapest plan that still works."
RESULT = "Experiments show that it reduces costs by 28% and outperforms plans made without prices."
ASIDE = "Our code and data are available at https://example.org/code."


def abstract(*sentences: str) -> str:
    return " ".join(sentences)


def test_the_idea_and_the_result_are_shown_and_the_rest_left_out():
    shown = excerpt(abstract(BACKGROUND, PROBLEM, IDEA, HOW, RESULT, ASIDE))
    assert IDEA in shown
    assert RESULT in shown
    assert PROBLEM not in shown
    assert HOW not in shown


def test_they_stand_in_the_order_of_the_abstract_with_a_mark_where_something_was_left_out():
    assert excerpt(abstract(PROBLEM, IDEA, HOW, RESULT, BACKGROUND, ASIDE)).endswith(f"{IDEA}{GAP}{RESULT}")
    assert f"{IDEA} {RESULT}" in excerpt(abstract(BACKGROUND, PROBLEM, HOW, IDEA, RESULT, ASIDE))


def test_a_short_abstract_is_shown_whole():
    assert excerpt(abstract(BACKGROUND, IDEA, RESULT)) == abstract(BACKGROUND, IDEA, RESULT)


def test_where_the_code_is_is_no_result():
    shown = excerpt(abstract(BACKGROUND, PROBLEM, IDEA, HOW, "We show that our data and models are available online."))
    assert "available" not in shown


def test_an_idea_that_points_back_brings_along_what_it_points_to():
    points = "To address this, we propose a planner that weighs prices."
    shown = excerpt(abstract(BACKGROUND, PROBLEM, points, HOW, RESULT, ASIDE))
    assert f"{PROBLEM} {points}" in shown
    assert BACKGROUND not in shown


def test_a_second_idea_does_not_push_the_first_aside():
    second = "In addition, we propose a novel and simple way to guess prices that were never seen."
    assert IDEA in excerpt(abstract(BACKGROUND, IDEA, HOW, second, RESULT))


def test_without_an_idea_the_first_sentence_stands_in_for_it():
    sentences = [BACKGROUND, PROBLEM, HOW, "Prices of tools differ by the hour and by the place."]
    assert choose_sentences(sentences)[0] == 0


def test_the_last_of_equal_results_wins_for_abstracts_end_with_what_was_found():
    first, last = "We show that prices matter.", "We show that plans matter."
    shown = excerpt(abstract(IDEA, first, HOW, last, BACKGROUND, PROBLEM), length=len(IDEA) + 40)
    assert last in shown
    assert first not in shown


def test_a_result_that_is_too_long_makes_room_for_one_that_fits():
    long = f"Experiments show that it outperforms {'very ' * 90}many others by 50%."
    assert RESULT in excerpt(abstract(BACKGROUND, PROBLEM, IDEA, HOW, RESULT, long))


def test_one_long_sentence_is_cut_at_a_word_and_says_so():
    shown = excerpt("word " * 400)
    assert shown.endswith("word …")
    assert len(shown) <= LENGTH + 2
    assert excerpt("x" * 2000).endswith("x …")


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_gives_nothing(text: str):
    assert excerpt(text) == ""
    assert choose_sentences([]) == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("We follow Smith et al. Their data is used.", 1),
        ("See Fig. 3 for more. Then stop.", 2),
        ("It works, e.g. This way. Or not!", 2),
        ("A. Turing asked. We answer?", 2),
        ("By 3.5 points. 12 tasks.", 2),
    ],
)
def test_what_ends_a_sentence_and_what_does_not(text: str, count: int):
    assert len(split_sentences(text)) == count


sentences = st.lists(
    st.sampled_from([BACKGROUND, PROBLEM, IDEA, HOW, RESULT, ASIDE])
    | st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1, max_size=300),
    max_size=9,
)


@given(sentences=sentences)
def test_whatever_the_abstract_every_shown_sentence_stands_in_it_word_for_word(sentences: list[str]):
    text = " ".join(sentences)
    split = split_sentences(text)
    places = choose_sentences(split)
    assert places == sorted(set(places))
    assert len(places) <= 3
    assert bool(places) == bool(split)
    shown = excerpt(text)
    assert len(shown) <= LENGTH * 1.5
    if not shown.endswith(" …"):
        assert all(split[place] in shown for place in places) or shown == " ".join(split)


@pytest.mark.slow
def test_over_real_abstracts_nearly_all_show_two_or_three_sentences():
    feeds = Path(__file__).resolve().parents[3] / "shared" / "data" / "feeds"
    found = []
    for path in sorted(feeds.glob("arxiv_rss_day_*.xml")):
        found += re.findall(r"Abstract: (.*?)</description>", path.read_text(errors="replace"), re.DOTALL)
    if not found:
        pytest.skip("the captured feeds are not here")
    chosen = [choose_sentences(split_sentences(" ".join(text.split()))) for text in found]
    assert len(chosen) > 500
    assert sum(len(places) >= 2 for places in chosen) > 0.95 * len(chosen)
    # It does choose: the first two or three are taken of few.
    assert sum(places == list(range(len(places))) for places in chosen) < 0.4 * len(chosen)

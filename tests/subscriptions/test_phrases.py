"""A reader's own words, as they are found in papers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscriptions.phrases import MOST_PHRASES, as_line, name_key, phrases_of, split_list, without_repetitions


@pytest.mark.parametrize(
    ("interest", "phrases"),
    [
        ("protein folding with diffusion models", ["protein folding", "diffusion models"]),
        ("I work on tool use and reward models for agents", ["tool use", "reward models", "agents"]),
        ("Multi-agent systems; C++ compilers, R", ["Multi-agent systems", "C++ compilers", "R"]),
        ("I am interested in papers about this and that", []),
        ("use of the mean-field theory", ["mean-field theory"]),
        ("robots. Robots! robot", ["robots"]),
        ("sparse  \n coding", ["sparse coding"]),
        ("", []),
        ("a, 7, x", []),
        ("大规模语言模型", ["大规模语言模型"]),
    ],
)
def test_free_words_are_cut_into_the_phrases_that_say_something(interest: str, phrases: list[str]):
    assert phrases_of(interest) == phrases


@pytest.mark.parametrize(
    ("text", "phrase", "is_found"),
    [
        ("Diffusion models for proteins", "diffusion model", True),
        ("Diffusion-model training", "diffusion models", True),
        ("A model of diffusion", "diffusion model", False),
        ("Erdős graphs", "erdos graph", True),
        ("Modelling", "model", False),
        ("Loss", "los", False),
        ("C++ and C", "c++", True),
        ("C and D", "c++", False),
        ("Die Straßen", "strasse", False),
    ],
)
def test_a_phrase_is_found_as_whole_words_whatever_the_case_accents_and_plural(text: str, phrase: str, is_found: bool):
    assert (as_line(phrase) in as_line(text)) is is_found


@given(st.text(max_size=200))
def test_every_phrase_of_any_text_is_found_in_that_text(text: str):
    found = phrases_of(text)
    assert len(found) <= MOST_PHRASES
    for phrase in found:
        assert as_line(phrase).strip()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada Lovelace", "ada  lovelace"),
        ("Lovelace, Ada", "Ada Lovelace"),
        ("Erdős Pál", "Erdos Pal"),
        ("J. R. Ng", "J R Ng"),
    ],
)
def test_a_name_is_the_same_however_it_is_written(one: str, other: str):
    assert name_key(one) == name_key(other)


def test_initials_are_not_taken_for_a_name_that_they_might_stand_for():
    assert name_key("A. Lovelace") != name_key("Ada Lovelace")


def test_lists_come_by_lines_or_commas_each_once():
    assert split_list("one, two\n\nTwo ; three\r\n,") == ["one", "Two", "three"]
    assert without_repetitions(["Ada Lovelace", "ADA LOVELACE", "..."]) == ["ADA LOVELACE"]

"""Text parts that read well in a terminal."""

from hypothesis import given
from hypothesis import strategies as st

from mailer.wrapping import WIDTH, wrap_text

LONG = "Words that go on and on until nobody can read them in one line of a terminal any more, as happens to abstracts."


def test_short_lines_stay_as_they_are():
    assert wrap_text("One line.\nAnother.") == "One line.\nAnother.\n"


def test_long_lines_are_wrapped_and_keep_every_word():
    wrapped = wrap_text(LONG)
    assert all(len(line) <= WIDTH for line in wrapped.splitlines())
    assert wrapped.split() == LONG.split()


def test_what_follows_stands_under_the_words_of_its_first_line():
    lines = wrap_text(f"12. {LONG}\n   {LONG}\n- {LONG}").splitlines()
    assert lines[0].startswith("12. Words")
    assert lines[1].startswith("    ")
    assert lines[1][4] != " "
    assert all(line.startswith(("   ", "  ", "12.", "- ")) for line in lines)


def test_a_link_is_never_broken():
    link = "https://example.org/" + "a-very-long-path/" * 12
    wrapped = wrap_text(f"   Abstract and some words before it, enough of them to be wrapped: {link}")
    assert link in wrapped.split()


def test_hyphenated_words_stay_whole():
    words = "state-of-the-art " * 12
    assert set(wrap_text(words).split()) == {"state-of-the-art"}


def test_what_template_tags_leave_behind_is_folded():
    assert wrap_text("\n\n\nOne\n\n\n   \n\nTwo  \n\n\n") == "One\n\nTwo\n"


@given(st.text(alphabet=st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=400))
def test_wrapping_loses_no_words_and_twice_is_once(text: str):
    wrapped = wrap_text(text)
    assert wrapped.split() == text.split()
    assert wrapped.endswith("\n")
    assert wrap_text(wrapped).split() == wrapped.split()


@given(st.lists(st.text(alphabet="abcdefghij", min_size=1, max_size=20), min_size=1, max_size=80))
def test_no_line_of_short_words_is_too_long(words: list[str]):
    assert all(len(line) <= WIDTH for line in wrap_text(" ".join(words)).splitlines())

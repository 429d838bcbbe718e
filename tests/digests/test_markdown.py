"""The curators' small Markdown: what comes out as HTML, as one line of it, and as text."""

import pytest

from digests.markdown import to_html, to_inline_html, to_text


def test_emphasis_links_and_lists_become_html():
    html = to_html("**Two** papers:\n\n- one\n- [two](https://example.org/a?b=1&c=2)")
    assert "<strong>Two</strong>" in html
    assert "<li>one</li>" in html
    assert 'href="https://example.org/a?b=1&amp;c=2"' in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "![a](https://example.org/pixel.png)",
        "{% load static %}{{ settings.SECRET_KEY }}",
    ],
)
def test_nothing_that_runs_loads_or_asks_the_template_gets_through(text: str):
    for html in (to_html(text), to_inline_html(text)):
        assert "<script" not in html
        assert "<img" not in html
        assert "javascript:" not in html.replace("[a](javascript:alert(1))", "")
    # Template signs stay the letters they are.
    assert ("{{" in to_html(text)) == ("{{" in text)


def test_a_note_is_one_line_of_html():
    assert to_inline_html("A *small* one") == "A <em>small</em> one"
    assert "<p>" not in to_inline_html("# no heading\n\n- no list")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A **quiet** *day*.", "A quiet day."),
        ("See [the survey](https://example.org/s).", "See the survey (https://example.org/s)."),
        ("One.\n\nTwo.", "One.\n\nTwo."),
        ("- one\n- two", "- one\n- two"),
        ("3 & 4 < 5", "3 & 4 < 5"),
        ("1. one\n2. two", "1. one\n2. two"),
        ("", ""),
    ],
)
def test_text_has_the_words_without_the_signs(text: str, words: str):
    assert to_text(text) == words

"""Whatever is typed into the search box, it is read as something that can be looked for."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from papers.search import _as_fts5, _as_tsquery
from papers.search_query import MOST_SIGNS, MOST_TERMS, SearchQuery, Term, marked, read_query


def test_words_stand_each_for_itself_and_a_phrase_together():
    query = read_query('folding "deep  learning" GPT-4')
    assert query.terms == (Term(("folding",)), Term(("deep", "learning")), Term(("gpt", "4")))


def test_a_phrase_that_is_never_closed_goes_to_the_end():
    assert read_query('"chain of thought').terms == (Term(("chain", "of", "thought")),)


def test_filters_narrow_it():
    query = read_query(
        'author:"Yann LeCun" author:bengio category:cs.CL after:2026-11-01 before:2026-11-20 nets -survey'
    )
    assert query.authors == ("Yann LeCun", "bengio")
    assert query.categories == ("cs.CL",)
    assert (query.since, query.until) == (dt.date(2026, 11, 1), dt.date(2026, 11, 20))
    assert (query.terms, query.without) == ((Term(("nets",)),), (Term(("survey",)),))
    assert read_query("on:2026-11-01").since == read_query("on:2026-11-01").until == dt.date(2026, 11, 1)


def test_what_looks_like_a_filter_and_is_none_is_words():
    assert read_query("after:tomorrow").terms == (Term(("after", "tomorrow")),)
    assert read_query("after:2026-13-40").terms == (Term(("after", "2026", "13", "40")),)
    assert read_query("title:foo").terms == (Term(("title", "foo")),)


def test_while_it_is_typed_the_last_word_is_a_beginning():
    assert read_query("deep lear", is_being_typed=True).terms == (Term(("deep",)), Term(("lear",), True))
    assert read_query('"deep lear', is_being_typed=True).terms == (Term(("deep", "lear")),)
    assert read_query("a", is_being_typed=True).terms == (Term(("a",)),)


def test_what_is_left_out_alone_asks_for_nothing():
    assert not read_query("-survey").asks_for_something
    assert not read_query("  -- !? ").asks_for_something


@given(st.text(max_size=400))
def test_nothing_that_is_typed_raises_or_reaches_the_databases_own_language(text: str):
    query = read_query(text, is_being_typed=True)
    assert len(query.terms) + len(query.without) + len(query.authors) + len(query.categories) <= MOST_TERMS
    for term in (*query.terms, *query.without):
        assert term.tokens
        assert all(token.isalnum() for token in term.tokens)
    for asked in (_as_fts5(query), _as_tsquery(query)):
        assert asked.count('"') % 2 == asked.count("'") % 2 == 0
        assert asked.isprintable()


def test_it_is_no_longer_than_anybody_types():
    assert len(" ".join(read_query("word " * 5000).words)) <= MOST_SIGNS
    assert read_query("\x00\ud800\u202eabc").words == ("abc",)


def test_found_words_are_marked_with_their_endings_and_accents():
    pieces = list(marked("Transformers and naïve transformation", ("transformer", "naive")))
    assert [piece for piece, is_one in pieces if is_one] == ["Transformers", "naïve", "transformation"]
    assert "".join(piece for piece, _ in pieces) == "Transformers and naïve transformation"
    assert list(marked("nothing", ())) == [("nothing", False)]


@given(st.text(max_size=200), st.lists(st.text(max_size=10), max_size=3))
def test_marking_loses_nothing(text: str, words: list[str]):
    assert "".join(piece for piece, _ in marked(text, tuple(words))) == text


def test_an_empty_query_is_no_condition():
    assert _as_fts5(SearchQuery()) == _as_tsquery(SearchQuery()) == ""

"""Which topics a paper belongs to, and that the topics we ship mean what they say."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papers.topics import RuleBook, TopicRule, match_topics


def matches(rule: TopicRule, text: str, *categories: str) -> bool:
    return bool(match_topics(title=text, abstract="", categories=categories, rules=[rule]))


def test_a_category_topic_takes_papers_of_any_of_its_categories_cross_lists_included():
    rule = TopicRule("language", categories=frozenset({"cs.CL"}))
    assert matches(rule, "Anything", "cs.LG", "cs.CL")
    assert not matches(rule, "Anything", "cs.LG")
    assert not matches(rule, "Anything")


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("agent", "An Agent plans", True),
        ("agent", "Reagents and agentic", False),
        ("agent*", "agentic systems", True),
        ("agent*", "reagent", False),
        ("tool use", "Tool-use in the wild", True),
        ("tool-use", "tool\n use", True),
        ("multi-agent", "multi agent", True),
        ("C++", "Compiling C++ faster", True),
        ("C++", "Compiling C faster", False),
        ("naïve", "A NAÏVE baseline", True),
        (".*", "anything at all", False),
    ],
)
def test_words_are_whole_in_any_case_and_joined_by_space_or_hyphen(word: str, text: str, found: bool):
    assert matches(TopicRule("t", any_words=(word,)), text) is found


def test_all_the_conditions_of_a_rule_hold_together():
    rule = TopicRule(
        "t",
        categories=frozenset({"cs.CL"}),
        any_words=("agent", "planner"),
        must_words=("benchmark",),
        mute_words=("survey",),
    )
    assert matches(rule, "A planner benchmark", "cs.CL")
    assert not matches(rule, "A planner benchmark", "cs.CV")
    assert not matches(rule, "A benchmark", "cs.CL")
    assert not matches(rule, "A planner", "cs.CL")
    assert not matches(rule, "A planner benchmark survey", "cs.CL")


def test_words_are_looked_for_in_the_abstract_too():
    rule = TopicRule("t", any_words=("pruning",))
    assert match_topics(title="Smaller", abstract="By pruning.", categories=(), rules=[rule]) == ["t"]


def test_a_phrase_does_not_reach_from_the_title_into_the_abstract_by_chance():
    rule = TopicRule("t", any_words=("tool use",))
    assert match_topics(title="A new tool", abstract="Use it well.", categories=(), rules=[rule]) == []


def test_a_rule_without_any_condition_matches_nothing():
    assert not matches(TopicRule("empty"), "Anything", "cs.CL")
    assert not matches(TopicRule("only mutes", mute_words=("spam",)), "Anything", "cs.CL")


def test_slugs_come_in_the_order_of_the_rules():
    rules = [TopicRule("b", any_words=("x",)), TopicRule("a", any_words=("x",))]
    assert match_topics(title="x", abstract="", categories=(), rules=rules) == ["b", "a"]


# The matcher as anybody would write it, which the quick one must not differ from.


def plainly(word: str, text: str) -> bool:
    stem = word.removesuffix("*")
    body = r"[\s-]+".join(re.escape(part) for part in re.split(r"[\s-]+", stem.strip()))
    end = "" if word.endswith("*") else r"(?!\w)"
    return re.search(rf"(?<!\w){body}{end}", text, re.IGNORECASE) is not None


def fits_plainly(rule: TopicRule, text: str, categories: frozenset[str]) -> bool:
    return (
        bool(rule.categories or rule.any_words or rule.must_words)
        and (not rule.categories or bool(rule.categories & categories))
        and (not rule.any_words or any(plainly(word, text) for word in rule.any_words))
        and all(plainly(word, text) for word in rule.must_words)
        and not any(plainly(word, text) for word in rule.mute_words)
    )


PIECES = ("agent", "Agents", "tool", "USE", "C++", "k", "K", "s", "ſ", "i", "İ", "ı", "ß", "ẞ", "ΣΑΣ", "σας", "naïve")
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([*PIECES, " ", "-", " - ", "_", "|", "\n", "*", ".", "\xa0", "\x1c", "é"]), st.text(max_size=2)
    )
).map("".join)
WORDS = st.lists(TEXTS.filter(lambda text: len(text) < 30), max_size=3).map(tuple)


@settings(max_examples=100, deadline=None)
@given(TEXTS, TEXTS, WORDS, WORDS, WORDS, st.sampled_from(["", "cs.CL"]))
def test_the_quick_matcher_finds_what_the_plain_one_finds(
    title: str,
    abstract: str,
    any_words: tuple[str, ...],
    must_words: tuple[str, ...],
    mute_words: tuple[str, ...],
    category: str,
):
    rules = [
        TopicRule("any", any_words=any_words),
        TopicRule("must", must_words=must_words),
        TopicRule("all", frozenset(filter(None, [category])), any_words, must_words, mute_words),
        *(TopicRule(word, any_words=(word,)) for word in any_words + must_words),
    ]
    found = match_topics(title=title, abstract=abstract, categories=["cs.CL"], rules=rules)
    text = f"{title}\n|\n{abstract}"
    assert found == [rule.slug for rule in rules if fits_plainly(rule, text, frozenset({"cs.CL"}))]
    assert RuleBook(rules).match(title=title, abstract=abstract, categories=["cs.CL"]) == found

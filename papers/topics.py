"""Which topics a paper belongs to. Pure: takes plain values, returns slugs."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A topic as the matcher sees it.

    A paper matches when it is in one of `categories` (if any are named), has one of `any_words` (if any are named) and
    each of `must_words`, and none of `mute_words`. A rule without categories and words matches nothing.
    """

    slug: str
    categories: frozenset[str] = frozenset()
    any_words: tuple[str, ...] = ()
    must_words: tuple[str, ...] = ()
    mute_words: tuple[str, ...] = ()


def match_topics(*, title: str, abstract: str, categories: Iterable[str], rules: Iterable[TopicRule]) -> list[str]:
    """The slugs of the rules this paper fits, in the order of the rules."""
    # The bar keeps a phrase from matching the title's last word and the abstract's first.
    text = f"{title}\n|\n{abstract}"
    held = frozenset(categories)
    return [rule.slug for rule in rules if _fits(rule, text, held)]


def _fits(rule: TopicRule, text: str, categories: frozenset[str]) -> bool:
    if not (rule.categories or rule.any_words or rule.must_words):
        return False
    if rule.categories and not rule.categories & categories:
        return False
    if rule.any_words and not any(_occurs(word, text) for word in rule.any_words):
        return False
    if not all(_occurs(word, text) for word in rule.must_words):
        return False
    return not any(_occurs(word, text) for word in rule.mute_words)


def _occurs(word: str, text: str) -> bool:
    return _pattern(word).search(text) is not None


@lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str]:
    # Whole words, any case; a space or hyphen in a phrase matches either, and a trailing * any ending.
    stem = word.removesuffix("*")
    body = r"[\s-]+".join(re.escape(part) for part in re.split(r"[\s-]+", stem.strip()))
    end = "" if word.endswith("*") else r"(?!\w)"
    return re.compile(rf"(?<!\w){body}{end}", re.IGNORECASE)

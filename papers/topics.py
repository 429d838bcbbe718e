"""Which topics a paper belongs to. Pure: takes plain values, returns slugs.

A pattern says what a word means; most words of most rules are decided without it, by looking among the words of the
text, since a day has thousands of papers and a house may have a hundred topics.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

# The letters that Python's patterns take for an ASCII letter of another case: dotted and dotless i, long s, Kelvin.
_ODD_LETTERS = re.compile("[\u0130\u0131\u017f\u212a]")
_WORD = re.compile(r"\w+")
_FIELD = re.compile(r"(?P<field>title|abstract|author):\s*(?P<word>\S.*)", re.IGNORECASE | re.DOTALL)
# So much of what a description says must stand in a paper.
ENOUGH = 0.5
_MOST_DESCRIBED = 60
# By so many first letters beginnings of words are looked up.
_LETTERS = 3
_SEPARATOR = re.compile(r"[\s-]+")


@dataclass(frozen=True, slots=True)
class _Phrase:
    """A word that takes a pattern to find: what the text must have for any chance, as whole words, as the beginning of
    a line of its words, and just anywhere."""

    pattern: re.Pattern[str]
    words: frozenset[str] = frozenset()
    beginning: str = ""
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _WordList:
    """The words of a rule: those that are a plain word, those that are the beginning of one (as it stands on a line),
    the others; and the patterns of all of them."""

    plain: frozenset[str]
    beginnings: tuple[str, ...]
    phrases: tuple[_Phrase, ...]
    patterns: tuple[re.Pattern[str], ...]
    # Those that must stand in one field: title:, abstract:, author:.
    fielded: tuple[tuple[str, _Phrase], ...] = ()


@dataclass(frozen=True, slots=True)
class TopicRule:
    """A topic as the matcher sees it.

    A paper matches when it is in one of `categories` (if any are named), has one of `any_words` or enough of what
    `described` says (if either is named), each of `must_words`, and none of `mute_words`. A word may name its field, as
    in title:survey. A rule without categories and words matches nothing.
    """

    slug: str
    categories: frozenset[str] = frozenset()
    any_words: tuple[str, ...] = ()
    must_words: tuple[str, ...] = ()
    mute_words: tuple[str, ...] = ()
    # Words with how much each says; see `describe`.
    described: tuple[tuple[str, float], ...] = ()
    _lists: tuple[_WordList, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lists = tuple(map(_sorted_out, (self.any_words, self.must_words, self.mute_words)))
        object.__setattr__(self, "_lists", lists)


@dataclass(frozen=True, slots=True)
class _Text:
    """A text, and its words in lower case, as a set and each on one of the `lines`. `words` is None where lower case
    would not tell what a pattern finds."""

    raw: str
    fields: dict[str, str]
    lowered: str = ""
    words: frozenset[str] | None = None
    lines: str = ""


def match_topics(
    *, title: str, abstract: str, categories: Iterable[str], rules: Iterable[TopicRule], authors: Sequence[str] = ()
) -> list[str]:
    """The slugs of the rules this paper fits, in the order of the rules."""
    fields = {"title": title, "abstract": abstract, "author": "\n".join(authors)}
    # The bar keeps a phrase from matching the title's last word and the abstract's first.
    text = _take_apart(f"{title}\n|\n{abstract}", fields)
    held = frozenset(categories)
    return [rule.slug for rule in rules if _fits(rule, text, held)]


class RuleBook:
    """Many rules, made ready for many papers: the words of a paper are looked up among those of all rules, instead of
    each rule going through the paper. Finds just what `match_topics` finds."""

    def __init__(self, rules: Iterable[TopicRule]) -> None:
        self.rules = tuple(rules)
        # Rules that are asked one by one, and those of a category, which are asked where the paper is in it.
        self._each: list[int] = []
        self._by_category: dict[str, list[int]] = {}
        # What one of the words of a rule is found by: itself, its first letters, or a word that a phrase has.
        self._words: dict[str, list[int]] = {}
        self._beginnings: dict[str, list[tuple[str, int]]] = {}
        self._phrases: dict[str, list[tuple[_Phrase, int]]] = {}
        for place, rule in enumerate(self.rules):
            self._enter(place, rule)

    def match(self, *, title: str, abstract: str, categories: Iterable[str], authors: Sequence[str] = ()) -> list[str]:
        """The slugs of the rules this paper fits, in the order of the rules."""
        fields = {"title": title, "abstract": abstract, "author": "\n".join(authors)}
        text, held = _take_apart(f"{title}\n|\n{abstract}", fields), frozenset(categories)
        if text.words is None:
            return [rule.slug for rule in self.rules if _fits(rule, text, held)]
        asked = {*self._each, *(place for name in held for place in self._by_category.get(name, ()))}
        found = {place for place in asked if _fits(self.rules[place], text, held)}
        for place in self._found_by_words(text, text.words):
            _, needed, muted = self.rules[place]._lists
            if _has_all(needed, text) and not _has_any(muted, text):
                found.add(place)
        return [self.rules[place].slug for place in sorted(found)]

    def _enter(self, place: int, rule: TopicRule) -> None:
        wanted, _, _ = rule._lists
        is_by_words = not rule.categories and not rule.described and not wanted.fielded and rule.any_words
        if rule.categories:
            for category in rule.categories:
                self._by_category.setdefault(category, []).append(place)
        elif is_by_words and self._can_be_looked_up(wanted):
            self._enter_words(place, wanted)
        else:
            self._each.append(place)

    def _can_be_looked_up(self, wanted: _WordList) -> bool:
        return all(len(beginning) > _LETTERS for beginning in wanted.beginnings) and all(
            phrase.words for phrase in wanted.phrases
        )

    def _enter_words(self, place: int, wanted: _WordList) -> None:
        for word in wanted.plain:
            self._words.setdefault(word, []).append(place)
        for beginning in wanted.beginnings:
            self._beginnings.setdefault(beginning[1 : _LETTERS + 1], []).append((beginning[1:], place))
        for phrase in wanted.phrases:
            # The longest word of a phrase is most likely the rarest.
            longest = max(phrase.words, key=lambda word: (len(word), word))
            self._phrases.setdefault(longest, []).append((phrase, place))

    def _found_by_words(self, text: _Text, words: frozenset[str]) -> set[int]:
        found = set[int]()
        for word in words & self._words.keys():
            found.update(self._words[word])
        for word in words:
            for beginning, place in self._beginnings.get(word[:_LETTERS], ()):
                if word.startswith(beginning):
                    found.add(place)
        for word in words & self._phrases.keys():
            for phrase, place in self._phrases[word]:
                if place not in found and phrase.words <= words and _occurs(phrase, text):
                    found.add(place)
        return found


def describe(text: str, *, holding: Mapping[str, int], papers: int) -> list[tuple[str, float]]:
    """A description in plain words as words with weights, which together make 1: the rarer a word is among `papers`
    papers (`holding` says how many have it), the more it says. What most papers have says nothing."""
    often = Counter(described_words(text))
    weights = {
        word: math.log((papers + 1) / (holding.get(word, 0) + 1))
        for word in often
        if holding.get(word, 0) * 4 <= papers
    }
    total = sum(weights.values())
    if not total:
        return []
    kept = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:_MOST_DESCRIBED]
    return [(word, round(weight / total, 4)) for word, weight in kept if weight > 0]


def described_words(text: str) -> list[str]:
    """The words of a text as descriptions go by them: lower case, without the plural's s, no short ones."""
    words = _WORD.findall(unicodedata.normalize("NFC", text).lower())
    return [_singular(word) for word in words if len(word) > 2 and not word.isdecimal()]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def _speaks_of(described: tuple[tuple[str, float], ...], text: _Text) -> bool:
    if not described:
        return False
    words = set(described_words(text.raw))
    return sum(weight for word, weight in described if word in words) >= ENOUGH


def why_it_fits(
    rule: TopicRule, *, title: str, abstract: str, categories: Iterable[str], authors: Sequence[str] = ()
) -> list[str]:
    """What of a rule a paper that fits it fits by: its categories, the words that occur, the described things."""
    fields = {"title": title, "abstract": abstract, "author": "\n".join(authors)}
    text = _take_apart(f"{title}\n|\n{abstract}", fields)
    held = set(categories)
    found = [name for name in sorted(rule.categories) if name in held]
    found += [word for word in (*rule.any_words, *rule.must_words) if _has_any(_sorted_out((word,)), text)]
    if _speaks_of(rule.described, text):
        words = set(described_words(text.raw))
        found.append(", ".join(word for word, _ in rule.described if word in words))
    return found


def problem_of(word: str) -> str:
    """Why this word of a rule can find nothing, in a sentence; nothing where it can."""
    found = _FIELD.match(word)
    stem = (found["word"] if found else word).removesuffix("*")
    if re.match(r"[A-Za-z]+:\s*(?!/)\S", word) and not found:
        return f"«{word}» names no field that there is: they are title:, abstract: and author:."
    if "*" in stem:
        return f"«{word}» has a * that is not at its end."
    if not _WORD.search(stem):
        return f"«{word}» has no letters in it that could be looked for."
    if word.count('"') % 2:
        return f"«{word}» has a quotation mark that is not closed. A phrase needs none: its words stand side by side."
    return ""


def _fits(rule: TopicRule, text: _Text, categories: frozenset[str]) -> bool:
    if rule.categories:
        if rule.categories.isdisjoint(categories):
            return False
    elif not rule.any_words and not rule.must_words and not rule.described:
        return False
    wanted, needed, muted = rule._lists
    if (rule.any_words or rule.described) and not (_has_any(wanted, text) or _speaks_of(rule.described, text)):
        return False
    if rule.must_words and not _has_all(needed, text):
        return False
    return not (rule.mute_words and _has_any(muted, text))


def _has_any(wanted: _WordList, text: _Text) -> bool:
    if any(_occurs_in_field(name, phrase, text) for name, phrase in wanted.fielded):
        return True
    if text.words is None:
        return any(pattern.search(text.raw) for pattern in wanted.patterns)
    if not wanted.plain.isdisjoint(text.words):
        return True
    for beginning in wanted.beginnings:
        if beginning in text.lines:
            return True
    return any(_occurs(phrase, text) for phrase in wanted.phrases if phrase.words <= text.words)


def _has_all(wanted: _WordList, text: _Text) -> bool:
    if not all(_occurs_in_field(name, phrase, text) for name, phrase in wanted.fielded):
        return False
    if text.words is None:
        return all(pattern.search(text.raw) for pattern in wanted.patterns)
    if not wanted.plain <= text.words or not all(beginning in text.lines for beginning in wanted.beginnings):
        return False
    return all(phrase.words <= text.words and _occurs(phrase, text) for phrase in wanted.phrases)


def _occurs(phrase: _Phrase, text: _Text) -> bool:
    if phrase.beginning not in text.lines or not all(part in text.lowered for part in phrase.within):
        return False
    return phrase.pattern.search(text.raw) is not None


def _occurs_in_field(name: str, phrase: _Phrase, text: _Text) -> bool:
    # Authors are no part of the words that are looked up.
    if (
        text.words is not None
        and name != "author"
        and not (phrase.words <= text.words and phrase.beginning in text.lines)
    ):
        return False
    return phrase.pattern.search(text.fields[name]) is not None


def _take_apart(raw: str, fields: dict[str, str]) -> _Text:
    if not raw.isascii() and _ODD_LETTERS.search(raw):
        return _Text(raw, fields)
    lowered = raw.lower()
    words = frozenset(_WORD.findall(lowered))
    return _Text(raw, fields, lowered, words, "\n" + "\n".join(words))


@lru_cache(maxsize=1024)
def _sorted_out(words: tuple[str, ...]) -> _WordList:
    fielded = [found for word in words if (found := _FIELD.match(word))]
    words = tuple(word for word in words if not _FIELD.match(word))
    plain = [word for word in words if word.isascii() and _WORD.fullmatch(word)]
    beginnings = [word for word in words if _is_beginning(word)]
    others = [word for word in words if word not in plain and word not in beginnings]
    return _WordList(
        plain=frozenset(word.lower() for word in plain),
        beginnings=tuple("\n" + word.removesuffix("*").lower() for word in beginnings),
        phrases=tuple(map(_phrase, others)),
        patterns=tuple(map(_pattern, words)),
        fielded=tuple((found["field"].lower(), _phrase(found["word"])) for found in fielded),
    )


def _is_beginning(word: str) -> bool:
    stem = word.removesuffix("*")
    return stem != word and stem.isascii() and _WORD.fullmatch(stem) is not None


def _phrase(word: str) -> _Phrase:
    if not word.isascii():
        return _Phrase(_pattern(word))
    parts = _SEPARATOR.split(word.removesuffix("*").strip().lower())
    # Before a star only the beginning of a word is named.
    *whole, last = parts if word.endswith("*") else [*parts, ""]
    has_beginning = _WORD.fullmatch(last) is not None
    words = frozenset(part for part in whole if _WORD.fullmatch(part))
    return _Phrase(
        pattern=_pattern(word),
        words=words,
        beginning=f"\n{last}" if has_beginning else "",
        within=tuple(part for part in parts if not _WORD.fullmatch(part)),
    )


def _pattern(word: str) -> re.Pattern[str]:
    # Whole words, any case; a space or hyphen in a phrase matches either, and a trailing * any ending.
    stem = word.removesuffix("*")
    body = r"[\s-]+".join(re.escape(part) for part in _SEPARATOR.split(stem.strip()))
    end = "" if word.endswith("*") else r"(?!\w)"
    return re.compile(rf"(?<!\w){body}{end}", re.IGNORECASE)

"""What some readers ask for beyond topics: words they look for or never want to see, and people they follow. Pure.

The words of an edition's papers are looked up once for all readers. A reader's wishes are then found by looking up
words, never by going through the papers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from digests.selection import Arranged, Chosen, Section
from subscriptions.phrases import as_line, initial_key, may_be_one, name_key

# Readers share words, and each is looked for once.
_MOST_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """As a reader put them: phrases to look for, words and phrases to leave out, and names."""

    phrases: tuple[str, ...] = ()
    mute_words: tuple[str, ...] = ()
    followed_authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperText:
    """What of a paper wishes are compared with."""

    title: str
    abstract: str
    authors: tuple[str, ...] = ()


@dataclass(slots=True)
class WordIndex:
    """Papers by their words and authors, made once for many readers: each by its id."""

    lines: dict[int, str]
    words: dict[str, set[int]]
    authors: dict[str, dict[int, str]]  # by the name as it is compared; with the name as it stands on the paper
    shortened: dict[str, list[tuple[int, str]]]  # by first letter and last name
    # By what it says, so that a choice that many readers share is one object.
    _choices: dict[tuple[int, str, str], Chosen] = field(default_factory=dict)
    _found: dict[str, frozenset[int]] = field(default_factory=dict)

    def with_phrase(self, phrase: str) -> frozenset[int]:
        """The papers in whose title or abstract these words stand side by side."""
        found = self._found.get(phrase)
        if found is None:
            if len(self._found) > _MOST_REMEMBERED:
                self._found.clear()
            found = self._found[phrase] = frozenset(self._look_for(as_line(phrase)))
        return found

    def _look_for(self, line: str) -> Iterable[int]:
        words = line.split()
        if not words:
            return ()
        papers = set.intersection(*[self.words.get(word, set()) for word in words])
        return papers if len(words) == 1 else [pk for pk in papers if line in self.lines[pk]]

    def by_author(self, author: str) -> dict[int, str]:
        """The papers with this name on them, however much of the first names is written out; each with the name as it
        stands there."""
        found = dict(self.authors.get(name_key(author), {}))
        for pk, name in self.shortened.get(initial_key(author), ()):
            if pk not in found and may_be_one(author, name):
                found[pk] = name
        return found

    def because(self, paper_id: int, *, author: str = "", phrase: str = "") -> Chosen:
        """This paper, chosen for this author or phrase."""
        key = (paper_id, author, phrase)
        if key not in self._choices:
            self._choices[key] = Chosen(paper_id, Section.PERSONAL, author=author, phrase=phrase)
        return self._choices[key]


def index_papers(papers: Mapping[int, PaperText]) -> WordIndex:
    """Take the papers apart."""
    index = WordIndex(lines={}, words={}, authors={}, shortened={})
    for pk, paper in papers.items():
        # The bar is no word, so no phrase goes from the title's end into the abstract.
        line = f"{as_line(paper.title)}|{as_line(paper.abstract)}"
        index.lines[pk] = line
        for word in set(line.split()):
            index.words.setdefault(word, set()).add(pk)
        for name in paper.authors:
            index.authors.setdefault(name_key(name), {})[pk] = name
            if key := initial_key(name):
                index.shortened.setdefault(key, []).append((pk, name))
    return index


def muted_ids(index: WordIndex, wishes: Wishes) -> set[int]:
    """The papers that this reader never wants to see."""
    return {pk for word in wishes.mute_words for pk in index.with_phrase(word)}


def wanted(index: WordIndex, arranged: Arranged, wishes: Wishes) -> list[Chosen]:
    """The papers that this reader asked for, each with the true reason: those of people they follow, then those with
    their phrases; within either in the order in which all are offered."""
    found: dict[int, Chosen] = {}
    for phrase in reversed(wishes.phrases):
        for pk in index.with_phrase(phrase):
            found[pk] = index.because(pk, phrase=phrase)
    for author in reversed(wishes.followed_authors):
        for pk, name in index.by_author(author).items():
            found[pk] = index.because(pk, author=name)
    offered = [choice for pk, choice in found.items() if pk in arranged.place_of]
    return sorted(offered, key=lambda choice: (not choice.author, arranged.place_of[choice.paper_id]))

"""A reader's words and names, in a form in which they can be found in papers. Pure.

Words are compared without case, accents and the plural's s; a phrase is found where its words stand side by side.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

MOST_PHRASES = 20
LONGEST_PHRASE = 60

_WORD = re.compile(r"[^\W_]+(?:[+#]+(?!\w))?")
_BETWEEN_ITEMS = re.compile(r"[,;\n\r•]+")
_BETWEEN_PHRASES = re.compile(r"[^\w\s+#-]+|\s-+\s")
# Words that say how a sentence is made, or that every paper has. An interest is cut into phrases at these.
_FILLERS = frozenset(
    """
    a about above across after again all also am an and any anything apply applied applying are area areas
    around as at be been being better between but by can could do does doing e each especially etc ever
    everything find for from general g get go good had has have how however i if in interest interested
    interesting interests into is it its just know latest learn less like look looking love m make mainly many
    may me means mine more most mostly much my new news not of off on only or other our out over paper papers
    particular particularly please previously read reading recent recently related research researcher
    researchers s see should since so some something stuff such than that the their them then there these they
    thing things this those through to too topic topics under understand up us used using various very via
    want was way ways we well were what when where which while who whose why will with within without working
    works would you your
    """.split()
)

# These say little where they begin a phrase, and much where they end one: tool use, mean field theory.
_NOT_FIRST = frozenset("use uses work field fields".split())


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared."""
    return [_fold_word(word) for word in _WORD.findall(text)]


def as_line(text: str) -> str:
    """A text as one line of compared words, with a space on either side of each: a phrase is in it or is not."""
    return f" {' '.join(words_of(text))} "


def split_list(text: str) -> list[str]:
    """What a reader typed as a list: an item a line, or between commas. Without empty ones and repetitions."""
    items = (" ".join(item.split()) for item in _BETWEEN_ITEMS.split(text))
    return list({item.casefold(): item for item in items if item}.values())


def phrases_of(interest: str) -> list[str]:
    """The phrases in a few free words: «I work on protein folding with diffusion models» has «protein folding» and
    «diffusion models». As they were typed, in their order, without repetitions."""
    found: dict[str, str] = {}
    for part in _BETWEEN_PHRASES.split(unicodedata.normalize("NFC", interest)):
        run: list[re.Match[str]] = []
        for word in [*_WORD.finditer(part), None]:
            if word and _says_something(word[0], is_first=not run):
                run.append(word)
                continue
            phrase = part[run[0].start() : run[-1].end()] if run else ""
            # A single letter says too little, but for those that are names: C, R.
            if len(phrase) > 1 or phrase.isupper():
                found.setdefault(as_line(phrase), " ".join(phrase.split()))
            run = []
    return list(found.values())[:MOST_PHRASES]


def _says_something(word: str, *, is_first: bool) -> bool:
    folded = word.casefold()
    if len(word) == 1 and word.isdecimal():
        return False
    return folded not in _FILLERS and not (is_first and folded in _NOT_FIRST)


@lru_cache(maxsize=100_000)
def name_key(name: str) -> str:
    """A person's name as it is compared: without case, accents, dots and hyphens. «Lovelace, Ada» is «Ada Lovelace»."""
    last, comma, first = name.partition(",")
    return " ".join(_WORD.findall(_plain(f"{first} {last}" if comma else name)))


def initial_key(name: str) -> str:
    """What «Yoshua Bengio» and «Y. Bengio» have in common: the first letter and the last name. Nothing where a name is
    one word."""
    first, _, rest = name_key(name).partition(" ")
    return f"{first[0]} {rest.rpartition(' ')[2]}" if rest else ""


def may_be_one(one: str, other: str) -> bool:
    """Whether two names that share their `initial_key` are one name, of which one way of writing it shortens the first
    names: «Y. Bengio» may be «Yoshua Bengio», «Yolanda Bengio» is somebody else."""
    given, others = name_key(one).split()[:-1], name_key(other).split()[:-1]
    is_shortened = len(given[0]) == 1 or len(others[0]) == 1
    return is_shortened and all(a.startswith(b) or b.startswith(a) for a, b in zip(given, others, strict=False))


def without_repetitions(names: Iterable[str]) -> list[str]:
    """These names, each person once."""
    return list({name_key(name): name for name in names if name_key(name)}.values())


@lru_cache(maxsize=200_000)
def _fold_word(word: str) -> str:
    plain = _plain(word)
    if len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is")):
        return plain.removesuffix("s")
    return plain


def _plain(text: str) -> str:
    folded = text.casefold()
    if folded.isascii():
        return folded
    return "".join(char for char in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(char))

"""Texts as counts of their words, pairs and triples of words. Pure.

Features are hashed (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning"), so no vocabulary is
stored and a paper of today has the same columns as one of last year, in every process.
"""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import sparse

COLUMNS = 1 << 20
LONGEST_PHRASE = 3  # words
# A hostile feed may send a book for an abstract.
MOST_WORDS = 2000

_WORD = re.compile(r"[^\W_][\w+]+")
# Words that say nothing of the subject. Phrases are made of the words that are left.
_FUNCTION_WORDS = frozenset(
    """a about above after again against all also although am among an and any are as at be because been before being
    between both but by can cannot could did do does doing down during each either for from further had has have having
    he hence her here hers him his how however i if in into is it its itself just least less many may me might more most
    much must my nor not now of off on once one only onto or other others our ours out over own per rather same several
    shall she should since so some such than that the their theirs them then there thereby these they this those
    through thus to too toward towards under until up upon us very via was we were what when where whereas whether which
    while who whom whose why will with within without would yet you your""".split()
)
# Odd constants that spread the numbers of words in a phrase; any large odd ones do (Fibonacci hashing).
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xC2B2AE3D27D4EB4F)
_SHIFT = np.uint64(64 - 20)


def count_features(texts: Iterable[str]) -> sparse.csr_matrix:
    """One row for each text and COLUMNS columns: 1 + ln(how often), in 32 bits. The same in every process."""
    numbers: dict[str, int] = {}
    columns, counts, ends = [], [], [0]
    for text in texts:
        found, often = np.unique(_phrases(_words(text), numbers), return_counts=True)
        columns.append(found.astype(np.int32))
        counts.append(1 + np.log(often.astype(np.float32)))
        ends.append(ends[-1] + len(found))
    if not columns:
        return sparse.csr_matrix((0, COLUMNS), dtype=np.float32)
    parts = (np.concatenate(counts).astype(np.float32), np.concatenate(columns), np.array(ends))
    return sparse.csr_matrix(parts, shape=(len(columns), COLUMNS))


def columns_of_words(text: str) -> dict[str, tuple[int, float]]:
    """Each single word of a text with its column and its count as `count_features` gives it."""
    words = _words(text)
    often = Counter(words)
    if not often:
        return {}
    numbers = np.array([_number(word) for word in often], dtype=np.uint64)
    columns = _column(numbers).astype(np.int32).tolist()
    return {word: (column, 1 + math.log(often[word])) for word, column in zip(often, columns, strict=True)}


def paper_text(*, title: str, abstract: str) -> str:
    """What of a paper is read: title and abstract."""
    return f"{title}. {abstract}"


def _words(text: str) -> list[str]:
    found = _WORD.findall(text.lower())[:MOST_WORDS]
    return [word for word in found if word not in _FUNCTION_WORDS]


def _phrases(words: Sequence[str], numbers: dict[str, int]) -> npt.NDArray[np.uint64]:
    for word in words:
        if word not in numbers:
            numbers[word] = _number(word)
    single = np.array([numbers[word] for word in words], dtype=np.uint64)
    hashed, phrase = [_column(single)], single
    for length in range(1, min(LONGEST_PHRASE, len(words))):
        phrase = phrase[:-1] * _STEP + single[length:]
        hashed.append(_column(phrase))
    return np.concatenate(hashed)


def _number(word: str) -> int:
    # Two sums of the same bytes make 64 bits, where one of 32 would let phrases collide.
    raw = word.encode()
    return zlib.crc32(raw) << 32 | zlib.adler32(raw)


def _column(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    mixed = (numbers ^ (numbers >> np.uint64(29))) * _SPREAD
    return (mixed ^ (mixed >> np.uint64(32))) * _SPREAD >> _SHIFT

"""What was learned, in words that a reader can judge. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from digests.ranking.features import columns_of_words
from digests.ranking.weighting import Floats


def heaviest_words(texts: Iterable[str], rarity: Floats, *, most: int) -> list[str]:
    """The single words that weigh most in these texts together: how often, times how rare. The heaviest first, in the
    alphabet's order where they weigh the same."""
    weight: dict[str, float] = defaultdict(float)
    for text in texts:
        for word, (column, count) in columns_of_words(text).items():
            weight[word] += count * float(rarity[column])
    heavy = [word for word in weight if weight[word] > 0]
    return sorted(heavy, key=lambda word: (-weight[word], word))[:most]

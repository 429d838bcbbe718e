"""Which words are arXiv category codes, among the ACM and MSC codes that stand beside them.

Source: https://arxiv.org/category_taxonomy.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_SUBJECTS = {
    "astro-ph": r"[A-Z]{2}",
    "cond-mat": r"dis-nn|mes-hall|mtrl-sci|other|quant-gas|soft|stat-mech|str-el|supr-con",
    "cs": r"[A-Z]{2}",
    "econ": r"[A-Z]{2}",
    "eess": r"[A-Z]{2}",
    "math": r"[A-Z]{2}",
    "nlin": r"[A-Z]{2}",
    "physics": (
        "(?:acc|ao|app|atom|bio|chem|class|comp|ed|gen|geo|hist|med|plasm|pop|soc|space)-ph"
        "|atm-clus|data-an|flu-dyn|ins-det|optics"
    ),
    "q-bio": r"[A-Z]{2}",
    "q-fin": r"[A-Z]{2}",
    "stat": r"[A-Z]{2}",
}
_WHOLE = (
    "astro-ph|cond-mat|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math-ph|nucl-ex|nucl-th|quant-ph"
    # Closed, but still on the papers of their time.
    "|acc-phys|adap-org|alg-geom|ao-sci|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|dg-ga|funct-an|mtrl-th"
    "|patt-sol|plasm-ph|q-alg|q-bio|solv-int|supr-con"
)
_CODE = re.compile("|".join([_WHOLE, *(f"{archive}\\.(?:{codes})" for archive, codes in _SUBJECTS.items())]))
_LONGEST = 20  # So that no feed can fill the memory with words that are remembered.


def arxiv_categories(terms: Iterable[object]) -> tuple[str, ...]:
    """The arXiv codes among these terms, each once, in their order (the source puts the primary one first)."""
    words = (term.strip() for term in terms if isinstance(term, str))
    return tuple(dict.fromkeys(word for word in words if len(word) <= _LONGEST and _is_code(word)))


@lru_cache(maxsize=1024)
def _is_code(word: str) -> bool:
    return _CODE.fullmatch(word) is not None

"""Subject lines to choose from, made of the titles of the picks. Pure."""

from collections import Counter
from collections.abc import Sequence

MOST_LETTERS = 78
_SHORT = 60


def suggest_subjects(titles: Sequence[str], topics: Sequence[Sequence[str]]) -> list[str]:
    """Up to three subject lines from the papers that a mail would begin with, the best known first; `topics` are the
    names of each paper's topics. Inboxes show some 40 to 80 letters of them."""
    if not titles:
        return []
    shorts = [_shorten(title) for title in titles]
    found = [shorts[0]]
    if len(titles) > 1:
        found.append(f"{_lead(titles[0])}, and {_lead(titles[1])}")
    names = [name for name, _ in Counter(name for group in topics for name in group[:1]).most_common(3)]
    if len(names) > 1:
        found.append(f"{len(titles)} papers worth your time: {', '.join(names[:-1])} and {names[-1]}")
    elif names:
        found.append(f"{len(titles)} papers on {names[0]} worth your time" if len(titles) > 1 else f"New in {names[0]}")
    return list(dict.fromkeys(line for line in found if len(line) <= MOST_LETTERS))


def _lead(title: str) -> str:
    """What stands before the colon, as titles have it (a name of a system), or the beginning."""
    head, colon, _ = title.partition(":")
    return head if colon and 3 <= len(head) <= _SHORT // 2 else _shorten(title, _SHORT // 2)


def _shorten(title: str, most: int = MOST_LETTERS) -> str:
    if len(title) <= most:
        return title
    return title[: most - 1].rsplit(" ", 1)[0].rstrip(",;:.") + "…"

"""Reading the items of a document one by one, so that a bad one never stops the others."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from papers.entries import Entry, Problem

Item = TypeVar("Item")

# By these somebody finds an item again.
_SHOWN = ("id", "title", "link", "url", "doi", "summary", "abstract", "publishedAt", "date")


def collect_entries(
    *, items: Iterable[Item], read: Callable[[Item], Entry], name_of: Callable[[Item], str]
) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """What `read` makes of the items, in their order, and a problem for each one it raises at.

    A ValueError carries the reason; anything else means an item of a shape nobody thought of.
    """
    entries, problems = [], []
    for number, item in enumerate(items, start=1):
        try:
            entries.append(read(item))
        except ValueError as error:
            problems.append(Problem(item=_name(item, name_of, number), reason=str(error), excerpt=_excerpt(item)))
        except Exception as error:  # noqa: BLE001 - one bad entry never stops the rest
            reason = f"has an unexpected shape ({type(error).__name__}: {error})"[:300]
            problems.append(Problem(item=_name(item, name_of, number), reason=reason, excerpt=_excerpt(item)))
    return tuple(entries), tuple(problems)


def _name(item: Item, name_of: Callable[[Item], str], number: int) -> str:
    try:
        return name_of(item).strip()[:200] or f"entry {number}"
    except Exception:  # noqa: BLE001 - an item too odd to have a name still has a place
        return f"entry {number}"


def _excerpt(item: object) -> str:
    texts = [item.get(name) for name in _SHOWN] if isinstance(item, dict) else [item]
    # A whole item may be megabytes: only its first texts are shown.
    shown = [text[:200] for text in texts if isinstance(text, str) and text]
    return " | ".join(shown)[:200].encode("utf-8", "replace").decode()

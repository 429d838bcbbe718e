"""A feed's text cut between its entries: to leave out a half one at the end, and to read each by itself."""

import re
from dataclasses import dataclass

from papers.entries import Problem

ENTRY_START = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?(?:item|entry))(?=[\s/>])")
RECORD_START = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?record)(?=[\s/>])")  # what OAI-PMH calls an entry
_WRAPPER = re.compile(r"<((?:[A-Za-z_][\w.-]*:)?(?:channel|ListRecords|GetRecord))(?=[\s>])")
_LABEL = re.compile(r"<(?:id|guid|link|title|identifier)\b[^<>]*>\s*(?:<!\[CDATA\[)?([^<>]{1,200})")


@dataclass(frozen=True, slots=True)
class Pieces:
    """The text before the first entry, the entries, and what closes the document; `text` is all of it, well closed."""

    before: str
    entries: tuple[str, ...]
    closing: str
    text: str
    problems: tuple[Problem, ...] = ()

    def around(self, entry: str) -> str:
        """A document with this entry alone."""
        return f"{self.before}{entry}{self.closing}"


def cut_into_pieces(text: str, *, root: re.Match[str], limit: int, start: re.Pattern[str] = ENTRY_START) -> Pieces:
    """Cut a document at its entries. One that does not reach the end of its root element is cut off: its last entry is
    left out where it is not whole, and a problem says so. Entries beyond the limit are left out the same way."""
    end = _end_of_root(text, root)
    text = text[: end or len(text)]
    starts, name = _entry_starts(text, start)
    if not starts:
        return _without_entries(text, root, is_cut=end is None)
    before = text[: starts[0]]
    closing = _closing(before, root)
    entries, rest = _split(text, starts, name)
    problems = []
    half = start.search(rest)
    if end is None or half:
        problems.append(_cut_off(len(entries), rest, half))
    if len(entries) > limit:
        problems.append(Problem(item=f"entries after {limit:,}", reason=f"{len(entries) - limit:,} were not read"))
        entries = entries[:limit]
    if problems:
        text = f"{before}{''.join(entries)}{closing}"
    return Pieces(before=before, entries=tuple(entries), closing=closing, text=text, problems=tuple(problems))


def _end_of_root(text: str, root: re.Match[str]) -> int | None:
    """Where the document ends, leaving what some servers write behind it; None where it does not."""
    start = text.rfind(f"</{root['name']}")
    if start >= 0:
        close = text.find(">", start)
        return close + 1 if close >= 0 else None
    opening = text.find(">", root.end())
    return opening + 1 if opening > 0 and text[opening - 1] == "/" else None


def _entry_starts(text: str, start: re.Pattern[str]) -> tuple[list[int], str]:
    first = start.search(text)
    if first is None:
        return [], ""
    same = re.compile(rf"<{re.escape(first[1])}(?=[\s/>])")
    return [match.start() for match in same.finditer(text)], first[1]


def _split(text: str, starts: list[int], name: str) -> tuple[list[str], str]:
    """The whole entries, and what follows the last of them."""
    entries, end = [], starts[0]
    for start, following in zip(starts, [*starts[1:], len(text)], strict=True):
        close = text.rfind(f"</{name}", start, following)
        stop = text.find(">", close, following) if close >= 0 else -1
        if stop >= 0:
            entries.append(text[start : stop + 1])
            end = stop + 1
        elif following < len(text):  # Someone forgot to close it; the next one has begun.
            entries.append(f"{text[start:following]}</{name}>")
            end = following
    return entries, text[end:]


def _closing(before: str, root: re.Match[str]) -> str:
    wrapper = _WRAPPER.search(before)
    is_open = wrapper is not None and f"</{wrapper[1]}" not in before
    return (f"</{wrapper[1]}>" if wrapper and is_open else "") + f"</{root['name']}>"


def _without_entries(text: str, root: re.Match[str], *, is_cut: bool) -> Pieces:
    if not is_cut:
        return Pieces(before=text, entries=(), closing="", text=text)
    before = text[: text.rfind(">") + 1]
    closing = _closing(before, root)
    problem = Problem(item="the document", reason="is cut off before its first entry", excerpt=text[-200:])
    return Pieces(before=before, entries=(), closing=closing, text=before + closing, problems=(problem,))


def _cut_off(whole: int, rest: str, half: re.Match[str] | None) -> Problem:
    if half is None:
        item = f"the document after entry {whole}"
        return Problem(item=item, reason="is cut off", excerpt=rest[:200].strip())
    label = _LABEL.search(rest, half.start())
    return Problem(
        item=label[1].strip() if label else f"entry {whole + 1}",
        reason=f"is cut off: the document ends within entry {whole + 1}",
        excerpt=rest[half.start() :][:200],
    )

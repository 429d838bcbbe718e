r"""Where the maths of a text is: `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and the display environments.

Dollars are also money, and some are just dollars. A pair of them is maths unless nothing stands between them, an
amount follows each of them (`$5 to $10`), or a sentence stands between them.
"""

import re
from dataclasses import dataclass

_MARK = re.compile(r"\\begin\{((?:equation|align|gather|multline|eqnarray|math|displaymath)\*?)\}|\\[\s\S]|\$\$?")
_CLOSERS = {"$$": "$$", "\\(": "\\)", "\\[": "\\]"}
_GROUPING = re.compile(r"\\[\s\S]|[{}$]")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_SENTENCE = re.compile(r"[A-Za-z]{2,},? [A-Za-z]{2,}")
_TEX = re.compile(r"[\\^_{]")
_WORD = re.compile(r"[A-Za-z]{2}")
_LONGEST = 2_000  # Characters of one formula.


@dataclass(frozen=True, slots=True)
class Maths:
    """A formula: positions of its content in the text, and where the text goes on behind its closing mark."""

    start: int
    end: int
    after: int


def find_maths(text: str) -> dict[int, Maths]:
    r"""The formulas of a text in their order, by the position where each begins with its opening mark. One inside
    another's `\text{…}` is among them. Takes time in proportion to the length."""
    found: dict[int, Maths] = {}
    partners = _pair_dollars(text)
    stretches = [(0, len(text))]
    while stretches:
        start, end = stretches.pop()
        while mark := _MARK.search(text, start, end):
            start = mark.end()
            formula = _formula(text, mark, partners)
            if formula is not None:
                found[mark.start()] = formula
                start = formula.after
                if text.find("$", formula.start, formula.end) >= 0:
                    stretches.append((formula.start, formula.end))
    return dict(sorted(found.items()))


def _pair_dollars(text: str) -> dict[int, int]:
    """For each dollar the next one in the same group, or where there is none, the next one at all."""
    partners: dict[int, int] = {}
    latest = [-1]  # In each group that is open: its latest dollar.
    previous = -1
    for mark in _GROUPING.finditer(text):
        at = mark.start()
        if mark[0] == "{":
            latest.append(-1)
        elif mark[0] == "}" and len(latest) > 1:
            latest.pop()
        elif mark[0] == "$":
            partners.setdefault(previous, at)
            partners[latest[-1]] = at
            latest[-1] = previous = at
    return partners


def _formula(text: str, mark: re.Match[str], partners: dict[int, int]) -> Maths | None:
    start = mark.end()
    if mark[0] == "$":
        end = partners.get(mark.start(), -1)
        return (
            Maths(start, end, end + 1) if start < end <= start + _LONGEST and not _is_money(text, start, end) else None
        )
    closer = f"\\end{{{mark[1]}}}" if mark[1] else _CLOSERS.get(mark[0])
    end = text.find(closer, start, start + _LONGEST) if closer else -1
    return Maths(start, end, end + len(closer or "")) if end > start else None


def _is_money(text: str, start: int, end: int) -> bool:
    content = text[start:end]
    if not content.strip():
        return True
    if content.lstrip()[0].isdigit():
        if text[end + 1 : end + 2].isdigit():
            return True
        if content[-1] == " " and _WORD.search(_COMMAND.sub("", content)):
            return True
    return not _TEX.search(content) and _SENTENCE.search(content) is not None

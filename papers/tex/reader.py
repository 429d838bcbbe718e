"""Goes through a text once, group by group, and hands each command to the function that knows it."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from papers.tex.maths import find_maths
from papers.tex.notation import URL, unescape_address
from papers.tex.symbols import SILENT, raise_or_lower

MAX_DEPTH = 60  # Real abstracts nest four deep; the limit keeps Python's stack safe.

# Marks that commands set and `settle` clears; the caller has removed all control characters from the text.
APART = "\x1f"  # A space goes here if letters would run together: n\log n.
GONE = "\x1e"  # Something was left out here: no space before a comma, no empty brackets.

Command = Callable[["Reader", str], str]

_SPECIAL = re.compile(rf"{URL}|\\(?:[A-Za-z]+|.|$)|[{{}}$^_~]|``|''|'|-{{2,}}", re.DOTALL)
_MARKS = re.compile(rf"[ ]*\({GONE}\)| *{GONE}(?= *[.,;:)])|[{APART}{GONE}]")
_RAISED_NUMBER = re.compile(r"[-−+]?\d{1,6}")
_DASHES = {"--": "–", "---": "—"}


class TexError(ValueError):
    """The text nests deeper than any real one."""


class Source:
    """One text, and what all its readers share."""

    __slots__ = ("closers", "commands", "depth", "formulas", "text", "unknown")

    def __init__(self, text: str, commands: Mapping[str, Command], unknown: Command) -> None:
        self.text = text
        self.commands = commands
        self.unknown = unknown
        self.formulas = find_maths(text)
        self.closers = _match_braces(text)
        self.depth = 0

    @contextmanager
    def one_deeper(self) -> Iterator[None]:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH}"
            raise TexError(message)
        yield
        self.depth -= 1


class Reader:
    """Reads from `start` to `end` of a source. `pos` is where it stands, `at` where the command in hand began."""

    __slots__ = ("at", "end", "is_maths", "pos", "source", "start", "text")

    def __init__(self, source: Source, start: int = 0, end: int | None = None, *, is_maths: bool = False) -> None:
        self.source = source
        self.text = source.text
        self.start = self.pos = self.at = start
        self.end = len(source.text) if end is None else end
        self.is_maths = is_maths

    def read(self) -> str:
        """All of it. Raises TexError where it nests too deep."""
        out: list[str] = []
        with self.source.one_deeper():
            while found := _SPECIAL.search(self.text, self.pos, self.end):
                out.append(self.text[self.pos : found.start()])
                out.append(self._special(found))
            out.append(self.text[self.pos : self.end])
        return _settle("".join(out))

    def argument(self, *, is_maths: bool | None = None) -> str | None:
        """What a command takes: a group, a command with its own arguments, or one character. None if there is none."""
        self.skip_spaces()
        following = self.peek()
        if not following or following in "}$":
            return None
        if following == "{":
            return self.group(is_maths=is_maths)
        if following != "\\":
            self.pos += 1
            return following
        with self.source.one_deeper():
            name = self._take_name()
            if name.isalpha() and name in SILENT:  # In `A^\tt 3` the switch says how the 3 looks, not what is raised.
                return self.argument(is_maths=is_maths)
            return _settle(self._command(name))

    def group(self, *, is_maths: bool | None = None) -> str | None:
        """The group that begins here, read. None if there is none, or if it has no end."""
        close = self.source.closers.get(self.pos, self.end)
        if close >= self.end:
            return None
        inside = Reader(self.source, self.pos + 1, close, is_maths=self.is_maths if is_maths is None else is_maths)
        self.pos = close + 1
        return inside.read()

    def raw_group(self) -> str | None:
        """The group that begins here as it is written. None if there is none, or if it has no end."""
        self.skip_spaces()
        close = self.source.closers.get(self.pos, self.end)
        if close >= self.end:
            return None
        written = self.text[self.pos + 1 : close]
        self.pos = close + 1
        return written

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Take what the pattern matches here."""
        found = pattern.match(self.text, self.pos, self.end)
        if found:
            self.pos = found.end()
        return found

    def peek(self) -> str:
        """The character here; empty at the end."""
        return self.text[self.pos] if self.pos < self.end else ""

    def before(self, length: int = 1) -> str:
        """What is written just before the command in hand, within this group."""
        return self.text[max(self.start, self.at - length) : self.at]

    def skip_spaces(self) -> None:
        while self.peek() == " ":
            self.pos += 1

    def skip_empty_group(self) -> None:
        if self.text.startswith("{}", self.pos):
            self.pos += 2

    def _take_name(self) -> str:
        found = _SPECIAL.match(self.text, self.pos, self.end)
        self.at = self.pos
        self.pos = found.end() if found else self.end
        return found[0][1:] if found else ""

    def _command(self, name: str) -> str:
        return self.source.commands.get(name, self.source.unknown)(self, name)

    def _special(self, found: re.Match[str]) -> str:
        written = found[0]
        self.at, self.pos = found.span()
        formula = self.source.formulas.get(self.at)
        if formula is not None and formula.after <= self.end:
            self.pos = formula.after
            return Reader(self.source, formula.start, formula.end, is_maths=True).read()
        match written[0]:
            case "\\":
                return self._command(written[1:])
            case "{":
                self.pos = self.at
                inside = self.group()
                self.pos = max(self.pos, self.at + 1)
                if inside is not None:
                    return inside
                # Cut-off texts end inside a command's group; its brace is of no use to a reader.
                return " " if self.before().isalnum() else written
            case "}" | "$":
                return "" if self.is_maths else written
            case "^" | "_":
                return self._script(written)
            case "~":
                return self._tie()
            case "-":
                return _DASHES.get(written, written)
            case "`" | "'":
                return self._quote(written)
        return unescape_address(written)

    def _script(self, mark: str) -> str:
        if self.is_maths or (self.peek() == "{" and self.before().strip()):
            argument = self.argument(is_maths=True)
            return mark if argument is None else raise_or_lower(mark, argument)
        # Outside maths, people mean the whole number: 10^12. A bare `_` belongs to a name.
        number = self.match(_RAISED_NUMBER) if mark == "^" and self.before().isalnum() else None
        return raise_or_lower(mark, number[0]) if number else mark

    def _tie(self) -> str:
        """`~` is a space that does not break (Fig.~1), but people also write “about” with it (~5, 10~50)."""
        previous, following = self.before(), self.peek()
        if (previous.isdigit() or previous == "%") and following.isdigit():
            return "~"
        if previous and previous not in " ([{<=~":
            return " "
        rest = self.text[self.pos : self.pos + 3].lstrip(" \\")
        return "~" if rest[:1].isdigit() or rest[:1] in {"$", "."} else ""

    def _quote(self, marks: str) -> str:
        if marks == "``":
            return "“"
        if self.is_maths:
            return "′" * len(marks)
        if marks == "'":
            return marks
        previous, following = self.before(), self.peek()
        opens = (not previous or previous in " ([{-~") and following.isalnum()
        return "“" if opens else "”"


def _settle(text: str) -> str:
    if APART in text or GONE in text:
        return _MARKS.sub(lambda found: " " if found[0] == APART and _is_between(found) else "", text)
    return text


def _is_between(found: re.Match[str]) -> bool:
    text, at = found.string, found.start()
    previous = text[at - 1 : at]
    return (previous.isalnum() or previous == ")") and text[at + 1 : at + 2].isalpha()


def _match_braces(text: str) -> dict[int, int]:
    r"""Where each group ends, by where it begins. Braces without a partner, and `\{`, are no groups."""
    closers: dict[int, int] = {}
    open_braces: list[int] = []
    for found in re.finditer(r"\\[\s\S]|[{}]", text):
        if found[0] == "{":
            open_braces.append(found.start())
        elif found[0] == "}" and open_braces:
            closers[open_braces.pop()] = found.start()
    return closers

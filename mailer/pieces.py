"""Text that is made once and joined many times: pieces of a mail, with the bytes they have on the wire.

A digest is mostly the same for everybody. What is the same is rendered by Django's templates once, with a mark
where each personal part goes, and cut there; a mail is then joined from the pieces and the personal parts between them.
"""

import secrets
from collections.abc import Sequence

# Made anew in each process: nothing a feed or a reader can write contains them. Letters and digits, so that neither
# templates nor the CSS inliner change them, wherever they stand.
_SECRET = secrets.token_hex(8)


class Piece:
    """A run of text as part of a mail: the text itself, its bytes with the line ends of mail, and how long its lines
    are: the first, the last, and the longest of all."""

    __slots__ = ("begins_with_dot", "first", "has_break", "last", "longest", "stuffed", "text", "wire")

    def __init__(self, text: str) -> None:
        if "\r" in text:
            text = _one_line_end(text)
        self.text = text
        self.begins_with_dot = text.startswith(".")
        if "\n" in text:
            self.wire = text.encode().replace(b"\n", b"\r\n")
            lines = [len(line) for line in self.wire.split(b"\r\n")]
            self.has_break, self.first, self.last, self.longest = True, lines[0], lines[-1], max(lines)
            # As SMTP wants it: a dot that begins a line has another before it (RFC 5321, section 4.5.2).
            self.stuffed = self.wire.replace(b"\r\n.", b"\r\n..") if b"\r\n." in self.wire else self.wire
        else:
            self.wire = self.stuffed = text.encode()
            self.has_break, self.first = False, len(self.wire)
            self.last = self.longest = self.first


class Filled:
    """A template with its gaps filled, as a piece of a mail: the text is made only where somebody asks for it."""

    __slots__ = ("_template", "_values", "begins_with_dot", "first", "has_break", "last", "longest", "stuffed", "wire")

    def __init__(self, template: "Template", values: tuple[str, ...]) -> None:
        self._template = template
        self._values = values = tuple([value if "\r" not in value else _one_line_end(value) for value in values])
        octets = tuple([value.encode() for value in values])
        lengths = [len(octet) for octet in octets]
        if any(["\n" in value for value in values]):  # noqa: C419 - quicker
            octets = tuple([octet.replace(b"\n", b"\r\n") for octet in octets])
            lengths = [len(line) for octet in octets for line in octet.split(b"\r\n")]
        self.wire = template.wire % octets
        if any([value.startswith(".") or "\n." in value for value in values]):  # noqa: C419 - quicker
            self.stuffed = self.wire.replace(b"\r\n.", b"\r\n..")
        else:
            self.stuffed = template.stuffed % octets
        self.begins_with_dot = template.begins_with_dot
        self.longest = max(template.longest, *lengths)
        self.has_break, self.first, self.last = True, self.longest, self.longest

    @property
    def text(self) -> str:
        return self._template.text % self._values


class Template:
    """Text with gaps, between each two of `parts`. `samples` are as long as what will be filled in, or empty where that
    will be a whole line, or several."""

    __slots__ = ("begins_with_dot", "longest", "stuffed", "text", "wire")

    def __init__(self, parts: Sequence[str], samples: Sequence[str]) -> None:
        pieces = [Piece(part.replace("%", "%%")) for part in parts]
        self.text = "%s".join([piece.text for piece in pieces])
        self.wire = b"%b".join([piece.wire for piece in pieces])
        self.stuffed = b"%b".join([piece.stuffed for piece in pieces])
        self.begins_with_dot = pieces[0].begins_with_dot
        filled = "".join([text for pair in zip(parts, [*samples, ""], strict=True) for text in pair])
        self.longest = max(map(len, filled.encode().split(b"\n")))


class Joined:
    """Pieces in order, as one text. Whoever knows that no line has more than `at_most` octets saves the counting.

    `swap` is a mark that stands in the pieces, and what this mail has in its place: in ASCII, as long, within a line.
    """

    __slots__ = ("_at_most", "_swap", "pieces")

    def __init__(
        self, pieces: Sequence[Piece | Filled], *, at_most: int | None = None, swap: tuple[str, str] | None = None
    ) -> None:
        self.pieces = pieces
        self._at_most = at_most
        self._swap = swap

    @property
    def text(self) -> str:
        """The whole text."""
        found = "".join([piece.text for piece in self.pieces])
        return found.replace(*self._swap) if self._swap else found

    @property
    def wire(self) -> bytes:
        """The whole text in UTF-8, with the line ends of mail."""
        return self._swapped(b"".join([piece.wire for piece in self.pieces]))

    @property
    def stuffed(self) -> bytes:
        """The same with a dot before each dot that begins a line, for SMTP."""
        if any([piece.begins_with_dot for piece in self.pieces]):  # noqa: C419 - quicker than a generator
            found = self.wire.replace(b"\r\n.", b"\r\n..")
            return b"." + found if found.startswith(b".") else found
        return self._swapped(b"".join([piece.stuffed for piece in self.pieces]))

    def _swapped(self, octets: bytes) -> bytes:
        if not self._swap:
            return octets
        mark, value = self._swap
        return octets.replace(mark.encode(), value.encode())

    @property
    def size(self) -> int:
        """How many octets `wire` has."""
        return sum([len(piece.wire) for piece in self.pieces])

    @property
    def longest_line(self) -> int:
        """How many octets the longest line has, or at most has."""
        if self._at_most is not None:
            return self._at_most
        longest = running = 0
        for piece in self.pieces:
            running += piece.first
            if piece.has_break:
                longest = max(longest, running, piece.longest)
                running = piece.last
        return max(longest, running)


def make_mark(name: str, *, length: int = 0) -> str:
    """What to render in place of a personal part; with `length`, exactly as long as the real one will be."""
    mark = f"x{_SECRET}{name.encode().hex()}x"
    return mark.ljust(length, "z") if length else mark


def cut(text: str, marks: dict[str, str]) -> list[str]:
    """`text` cut at its marks (`marks` has them by name): what stands between them alternates with the names.

    The result begins and ends with text: [text, name, text, name, …, text].
    """
    found: list[str] = []
    rest = text
    while True:
        places = [(place, name) for name, mark in marks.items() if (place := rest.find(mark)) >= 0]
        if not places:
            return [*found, rest]
        place, name = min(places)
        found += [rest[:place], name]
        rest = rest[place + len(marks[name]) :]


def escape_text(text: str) -> str:
    """Text as it stands between the tags of our HTML, once the CSS inliner has written that: as in HTML's own way to
    write a document (HTML standard, 13.3)."""
    return text.replace("&", "&amp;").replace("\xa0", "&nbsp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_attribute(text: str) -> str:
    """Text as it stands in an attribute of our HTML, likewise."""
    return text.replace("&", "&amp;").replace("\xa0", "&nbsp;").replace('"', "&quot;")


def _one_line_end(text: str) -> str:
    """A bare carriage return is no line end in mail, and servers do not agree on what it is."""
    return text.replace("\r\n", "\n").replace("\r", "\n")

"""RSS, RDF and Atom bytes as feedparser's plain values, with everything around feedparser that makes it safe.

feedparser gets bytes only (a name or an address it would open), decoded and looked at before: no document type, which
is where entity bombs live, and a feed at its root. A document cut off in the middle, or broken somewhere inside, gives
the entries that are whole.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any
from xml.parsers import expat

import feedparser

from papers.entries import FeedRefusedError, Problem
from papers.feeds.decoding import decode_xml
from papers.feeds.pieces import Pieces, cut_into_pieces
from papers.feeds.quick import read_quickly
from papers.feeds.roots import find_root

MAX_ENTRIES = 20_000
# Off, everything is read by feedparser: for comparing the two.
QUICK_IS_ON = True
# Broken documents are read entry by entry, by a parser that takes nine seconds for the worst megabyte.
MAX_BROKEN_ENTRIES = 2_000
MAX_BROKEN_SIZE = 2_000_000
# XHTML in a feed is some twenty levels deep; twenty thousand entries of twenty elements are the largest feed we read.
MAX_DEPTH = 200
MAX_ELEMENTS = 600_000

_ROOTS = frozenset({"rss", "feed", "rdf"})


@dataclass(frozen=True, slots=True)
class Document:
    """What feedparser made of a document: its head, its entries as plain dicts, and what could not be read.

    `version` is feedparser's word for the format, like `rss20`, `rss10` or `atom10`.
    """

    version: str
    head: Mapping[str, Any]
    entries: Sequence[Mapping[str, Any]]
    problems: tuple[Problem, ...] = ()


def parse_document(*, body: bytes, content_type: str = "") -> Document:
    """Read a feed document. Raises FeedRefusedError, with a sentence for the owner, for what is no feed."""
    text = decode_xml(body, content_type=content_type)
    root = find_root(text, roots=_ROOTS, what="RSS or Atom feed")
    quick = read_quickly(text, root=root, limit=MAX_ENTRIES) if QUICK_IS_ON else None
    if quick:
        return Document(*quick)
    pieces = cut_into_pieces(text, root=root, limit=MAX_ENTRIES)
    document = _parse_whole(pieces) if _is_well_formed(pieces.text) else None
    document = document or _parse_singly(pieces)
    return Document(document.version, document.head, document.entries, (*document.problems, *pieces.problems))


def _is_well_formed(text: str) -> bool:
    """Whether feedparser will go over the document only once: a broken one it reads again, slowly.

    Raises FeedRefusedError for one that is made to keep it busy.
    """
    depth = elements = 0

    def begin(name: str, attributes: object) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MAX_DEPTH or elements > MAX_ELEMENTS:
            raise FeedRefusedError("The document is nested too deeply, or has far too many elements, for a feed.")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = begin, end
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _parse_whole(pieces: Pieces) -> Document | None:
    """The document in one go, or None where that fails; then the entries are read singly."""
    try:
        return _parse(pieces.text)
    except Exception:  # noqa: BLE001 - feedparser raises anything on what it does not expect
        return None


def _parse_singly(pieces: Pieces) -> Document:
    """Each entry by itself, so that feedparser's second, looser parser touches only those that are broken."""
    version, head, entries, problems = "", dict[str, Any](), list[Mapping[str, Any]](), list[Problem]()
    try:
        empty = _parse(pieces.around(""))
        version, head = empty.version, dict(empty.head)
    except Exception as error:  # noqa: BLE001 - as above
        problems.append(Problem(item="head of the feed", reason=f"could not be read: {error}"))
    taken = _within_limits(pieces.entries)
    for number, piece in enumerate(taken, start=1):
        try:
            document = _parse(pieces.around(piece))
        except Exception:  # noqa: BLE001 - as above
            problems.append(Problem(item=f"entry {number}", reason="is broken XML", excerpt=piece[:200]))
            continue
        version = version or document.version
        entries += document.entries
        if not document.entries:
            problems.append(Problem(item=f"entry {number}", reason="is broken XML", excerpt=piece[:200]))
    if len(taken) < len(pieces.entries):
        left = len(pieces.entries) - len(taken)
        item = f"entries after {len(taken):,}"
        problems.append(Problem(item=item, reason=f"{left:,} were not read, since the document is broken XML"))
    return Document(version, head, tuple(entries), tuple(problems))


def _within_limits(entries: tuple[str, ...]) -> tuple[str, ...]:
    sizes = accumulate(map(len, entries))
    return tuple(entry for entry, size in zip(entries, sizes, strict=True) if size <= MAX_BROKEN_SIZE)[
        :MAX_BROKEN_ENTRIES
    ]


def _parse(text: str) -> Document:
    parsed = feedparser.parse(
        io.BytesIO(text.encode("utf-8", "replace")),
        # Told what the bytes are, feedparser guesses nothing.
        response_headers={"content-type": "application/xml; charset=utf-8"},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    # As plain dicts: feedparser's own answer questions about other names than the one asked for.
    entries = tuple(dict(entry) for entry in parsed.entries)
    return Document(parsed.get("version") or "", dict(parsed.feed), entries)

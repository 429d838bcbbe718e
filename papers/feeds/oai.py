"""OAI-PMH documents (https://www.openarchives.org/OAI/openarchivesprotocol.html) as records, whatever is in them.

The same guards as for feeds: no document type, whole records out of a document that is cut off or broken.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError, fromstring

from papers.entries import FeedRefusedError, Problem
from papers.feeds.decoding import decode_xml
from papers.feeds.pieces import RECORD_START, Pieces, cut_into_pieces
from papers.feeds.refusals import ResumeRefusedError
from papers.feeds.roots import find_root
from papers.feeds.wording import count_of, take

MAX_RECORDS = 20_000

_TOKEN = re.compile(r"<(?:[\w.-]+:)?resumptionToken\b([^<>]*)>([^<>]*)</")
_SIZE = re.compile(r"\bcompleteListSize\s*=\s*[\"']\s*([0-9]{1,20})")
_VERBS = ("ListRecords", "GetRecord")


@dataclass(frozen=True, slots=True)
class Record:
    """One record: the header's fields and the metadata's root, None where the record was deleted."""

    identifier: str
    datestamp: str
    is_deleted: bool
    metadata: Element | None


@dataclass(frozen=True, slots=True)
class Harvest:
    """What one answer holds. `resume` is empty on the last page."""

    records: list[Record]
    resume: str
    total: int | None
    problems: tuple[Problem, ...]


def parse_oai(*, body: bytes, content_type: str = "") -> Harvest:
    """Read an answer to ListRecords or GetRecord.

    Raises FeedRefusedError for any other document, in the repository's words where it says error, and
    ResumeRefusedError where it no longer takes its own token. A list that holds nothing is no error.
    """
    text = decode_xml(body, content_type=content_type)
    root = find_root(text, roots=frozenset({"oai-pmh"}), what="answer of an OAI-PMH repository")
    pieces = cut_into_pieces(text, root=root, limit=MAX_RECORDS, start=RECORD_START)
    records, problems = _read_records(pieces)
    if not records and not problems and not re.search(r"<(?:[\w.-]+:)?(?:ListRecords|GetRecord)\b", text):
        _refuse_errors(pieces.text)
        return Harvest([], "", 0, pieces.problems)
    attributes, token = _find_token(text)
    size = _SIZE.search(attributes)
    return Harvest(records, token, count_of(size[1]) if size else None, (*problems, *pieces.problems))


def children(element: Element, name: str) -> Iterator[Element]:
    """The children of this name."""
    return element.iterfind(name)


def child_text(element: Element | None, name: str) -> str:
    """All text in the first child of this name; empty where there is none."""
    found = element.find(name) if element is not None else None
    if found is None:
        return ""
    return "".join(found.itertext()) if len(found) else found.text or ""


def _parse(text: str) -> Element:
    """The document with bare names: which namespace they stand in differs between servers."""
    root = fromstring(text)  # noqa: S314 - no DTD here
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _read_records(pieces: Pieces) -> tuple[list[Record], list[Problem]]:
    try:
        return [_read_record(found) for found in _records_in(_parse(pieces.text))], []
    except ParseError:
        return _read_singly(pieces)


def _read_singly(pieces: Pieces) -> tuple[list[Record], list[Problem]]:
    if not pieces.entries:
        raise FeedRefusedError("The document is broken XML, and holds no record.")
    records, problems = list[Record](), list[Problem]()
    for number, piece in enumerate(pieces.entries, start=1):
        try:
            document = _parse(pieces.around(piece))
        except ParseError:
            problems.append(Problem(item=f"record {number}", reason="is broken XML", excerpt=piece[:200]))
            continue
        records += [_read_record(found) for found in _records_in(document)]
    return records, problems


def _records_in(document: Element) -> Iterator[Element]:
    for part in document:
        if part.tag in _VERBS:
            yield from children(part, "record")


def _read_record(record: Element) -> Record:
    header = next(children(record, "header"), None)
    metadata = next(children(record, "metadata"), None)
    return Record(
        identifier=take(child_text(header, "identifier")),
        datestamp=take(child_text(header, "datestamp")),
        is_deleted=header is not None and header.get("status") == "deleted",
        metadata=next(iter(metadata), None) if metadata is not None else None,
    )


def _find_token(text: str) -> tuple[str, str]:
    # By its text, so that it is found behind a broken record, too.
    found = _TOKEN.search(text, max(text.rfind("</record"), text.rfind(":record"), 0))
    return (found[1], html.unescape(found[2]).strip()) if found else ("", "")


def _refuse_errors(text: str) -> None:
    errors = list(_parse(text).iterfind("error"))
    codes = {part.get("code") or "" for part in errors}
    words = "; ".join(filter(None, (take("".join(part.itertext())) for part in errors)))[:500]
    if not errors:
        raise FeedRefusedError("The document is an answer of an OAI-PMH repository, but holds no records.")
    if "badResumptionToken" in codes:
        raise ResumeRefusedError(f"badResumptionToken: {words or 'the token is not valid, or no longer'}")
    if codes != {"noRecordsMatch"}:
        raise FeedRefusedError(f"{', '.join(sorted(filter(None, codes)))}: {words}".strip(": ") or "OAI-PMH error")

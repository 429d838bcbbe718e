"""Reading the papers to measure on: JSON lines, gzipped or not. Pure but for the file."""

import datetime as dt
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class CorpusError(Exception):
    """The file cannot be measured on; the message says which line and what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusPaper:
    """A line of a corpus. `readers` and `categories` are the labels, `upvotes` came later than the judged moment."""

    id: str
    date: dt.date
    title: str
    abstract: str
    readers: frozenset[str] = frozenset()
    submitter: str = ""
    upvotes: int = 0
    category: str = ""


def read_corpus(path: Path) -> list[CorpusPaper]:
    """All papers, oldest first, those of a day by id, each once with its first date. Raises CorpusError."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{path} cannot be read: {reason}.") from error
    papers: dict[str, CorpusPaper] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            paper = _paper(json.loads(line))
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise CorpusError(f"{path}, line {number}: {_words(error)}.") from error
        # Announced again, in another category or a new version: what counts is when it was new.
        if paper.id not in papers or paper.date < papers[paper.id].date:
            papers[paper.id] = paper
    if not papers:
        raise CorpusError(f"{path} holds no papers.")
    return sorted(papers.values(), key=lambda paper: (paper.date, paper.id))


def _paper(row: Mapping[str, Any]) -> CorpusPaper:
    if not isinstance(row, Mapping):
        raise TypeError("not an object")
    authors, categories = row.get("reader_authors") or [], row.get("categories") or []
    for name, value in (("reader_authors", authors), ("categories", categories)):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise TypeError(f"{name} is not a list of strings")
    submitter = row.get("submitter") or ""
    if not isinstance(submitter, str):
        raise TypeError("submitter is no string")
    return CorpusPaper(
        id=_text(row, "id"),
        date=dt.date.fromisoformat(_text(row, "date")[:10]),
        title=_text(row, "title"),
        abstract=_text(row, "abstract"),
        readers=frozenset({*authors, submitter} - {""}),
        submitter=submitter,
        upvotes=int(row.get("upvotes") or 0),
        category=categories[0] if categories else "",
    )


def _text(row: Mapping[str, Any], name: str) -> str:
    if not isinstance(row[name], str) or (name == "id" and not row[name]):
        raise TypeError(f"{name} is no string")
    return str(row[name])


def _words(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)

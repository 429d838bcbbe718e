"""Each document beside its twin: `name.xml` or `name.json`, and `name.expected.json` with all that is no default.

The kind is the first word of the name, or its first two.
"""

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from papers.entries import Entry, FeedRefusedError, ParsedFeed
from papers.feeds import KINDS, parse_feed

FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
DOCUMENTS = sorted(path for path in FOLDER.iterdir() if ".expected." not in path.name)
DEFAULTS = asdict(Entry(key="", title=""))


def kind_of(path: Path) -> str:
    """The longest kind that the name begins with: `arxiv_oai_raw.xml` is of `arxiv_oai`, not of `arxiv`."""
    return max((kind for kind in KINDS if path.stem.startswith(kind)), key=len)


def as_told(value: object) -> object:
    """Dates as JSON has them; enumerations are texts already."""
    return value.isoformat() if isinstance(value, dt.date) else value


def told(feed: ParsedFeed) -> dict[str, Any]:
    told_feed = {
        "title": feed.title,
        "feed_date": as_told(feed.feed_date),
        "entries": [
            {name: as_told(value) for name, value in asdict(entry).items() if value != DEFAULTS[name]}
            for entry in feed.entries
        ],
        "problems": [{"item": problem.item, "reason": problem.reason} for problem in feed.problems],
    }
    told_feed |= {name: value for name in ("total", "resume") if (value := getattr(feed, name))}
    read_back: dict[str, Any] = json.loads(json.dumps(told_feed))
    return read_back


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_document_says_what_its_twin_says(path: Path) -> None:
    expected = json.loads((FOLDER / f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    try:
        found = told(parse_feed(body=path.read_bytes(), kind=kind_of(path)))
    except FeedRefusedError as refusal:
        found = {"refused": str(refusal)}
    assert found == expected


def test_every_kind_has_documents() -> None:
    assert {kind_of(path) for path in DOCUMENTS} == set(KINDS)


def test_reading_twice_says_the_same() -> None:
    body = (FOLDER / "arxiv_rss.xml").read_bytes()
    assert parse_feed(body=body, kind="arxiv") == parse_feed(body=body, kind="arxiv")

"""Each document beside its twin: `name.xml` or `name.json`, and `name.expected.json` with all that is no default.

The kind is the first word of the name.
"""

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from papers.entries import Entry, FeedRefusedError, ParsedFeed
from papers.feeds import parse_feed

FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
DOCUMENTS = sorted(path for path in FOLDER.iterdir() if ".expected." not in path.name)
DEFAULTS = asdict(Entry(key="", title=""))


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
    read_back: dict[str, Any] = json.loads(json.dumps(told_feed))
    return read_back


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_document_says_what_its_twin_says(path: Path) -> None:
    expected = json.loads((FOLDER / f"{path.stem}.expected.json").read_text(encoding="utf-8"))
    kind = path.name.partition("_")[0]
    try:
        found = told(parse_feed(body=path.read_bytes(), kind=kind))
    except FeedRefusedError as refusal:
        found = {"refused": str(refusal)}
    assert found == expected


def test_every_kind_has_documents() -> None:
    assert {path.name.partition("_")[0] for path in DOCUMENTS} == {"arxiv", "hf", "rss"}


def test_reading_twice_says_the_same() -> None:
    body = (FOLDER / "arxiv_rss.xml").read_bytes()
    assert parse_feed(body=body, kind="arxiv") == parse_feed(body=body, kind="arxiv")

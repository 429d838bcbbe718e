"""Feed documents by the million, mutated by what they make the adapters do. No test of the suite: it never ends.

It runs under Atheris (https://github.com/google/atheris), which is no requirement of the product:

    python3 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris -r requirements/production.txt
    /tmp/fuzz/bin/python -m tests.fuzz.fuzz_feeds /tmp/fuzz/corpus -max_total_time=600 -timeout=10

The first byte of an input says which kind of source it is read as; the documents of the tests are the seeds, each as
every kind. Every document must be read or refused; what was
read must be text that a database takes, whatever else went wrong; and the quick reader must agree with feedparser.
A crash is written beside you as `crash-…`; give its name as the only argument to see it again.
"""

import json
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["papers", "feedparser"]):
    from papers.entries import Entry, FeedRefusedError, ParsedFeed
    from papers.feeds import KINDS, find_feeds, is_short, next_page, parse_feed, xml
    from papers.feeds.kinds import SourceKind

SEEDS = Path(__file__).resolve().parents[1] / "data" / "feeds"
URL = "https://api.example.org/details/biorxiv/2026-01-01/2026-01-02/0"


def fuzz_one(data: bytes) -> None:
    """Read one input as Atheris gives it."""
    if not data:
        return
    kind, body = KINDS[data[0] % len(KINDS)], data[1:]
    find_feeds(body, url=URL)
    found = read(body, kind)
    if isinstance(found, ParsedFeed):
        for entry in found.entries:
            check_entry(entry)
        following = next_page(kind=SourceKind(kind), url=URL, feed=found)
        require(not following or following.startswith("https://api.example.org/"), following)
        is_short(kind=SourceKind(kind), url=URL, feed=found)
    xml.QUICK_IS_ON = False
    try:
        require(read(body, kind) == found, "the two readers differ")
    finally:
        xml.QUICK_IS_ON = True


def read(body: bytes, kind: str) -> ParsedFeed | str:
    """What a document says, or why it is refused."""
    try:
        return parse_feed(body=body, kind=kind)
    except FeedRefusedError as refusal:
        return str(refusal)


def check_entry(entry: Entry) -> None:
    """What every entry promises, whatever it came from."""
    require(0 < len(entry.title) <= 1_000, "title")
    require(0 < len(entry.key) <= 200 and entry.key.isascii(), "key")
    texts = [entry.title, entry.abstract, entry.link, entry.pdf_link, entry.doi, entry.submitter, *entry.authors]
    require("\0" not in "".join(texts), "zero")
    json.dumps(texts, ensure_ascii=False).encode()
    for link in (entry.link, entry.pdf_link, entry.code_link, entry.project_link):
        require(not link or link.lower().startswith(("http://", "https://")), link)


def require(holds: bool, what: str) -> None:
    """Raise where something does not hold; an assertion would go with `python -O`."""
    if not holds:
        raise RuntimeError(what)


def write_seeds(folder: Path) -> None:
    """Put the documents of the tests into a corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in SEEDS.iterdir():
        for number, kind in enumerate(KINDS):
            if ".expected." not in path.name:
                (folder / f"{kind}-{path.name}").write_bytes(bytes([number]) + path.read_bytes())


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        if not argument.startswith("-") and not Path(argument).is_file():
            write_seeds(Path(argument))
    atheris.Setup(sys.argv, fuzz_one)
    atheris.Fuzz()

"""What the benchmark of sources runs in processes of its own; see `children.py` for how."""

import datetime as dt
import io
import resource
import time
from collections.abc import Generator
from typing import Any

DAY = dt.date(2025, 4, 8)
NOW = dt.datetime(2025, 4, 8, 18, tzinfo=dt.UTC)
PAGE = 1_000
DAYS = 30
Measured = Generator[None, None, dict[str, float]]


def feedparser_alone(*, count: int) -> Measured:
    import feedparser

    from tests.benchmarks import documents

    body = documents.feed(count, day=DAY)
    yield
    started = time.process_time()
    found = feedparser.parse(io.BytesIO(body), sanitize_html=False, resolve_relative_uris=False)
    seconds = time.process_time() - started
    assert len(found.entries) == count
    return {"seconds": seconds}


def forget_papers() -> Measured:
    from papers.models import Paper, Source

    yield
    Source.objects.filter(slug="bench").delete()
    Paper.topics.through.objects.all().delete()
    Paper.objects.all().delete()
    return {}


def store_feed(*, count: int) -> Measured:
    from papers.ingest import take_document
    from tests.benchmarks import documents

    source, tex, body = _source("arxiv"), _time_tex(), documents.feed(count, day=DAY)
    yield
    started = time.process_time()
    visit = take_document(source=source, body=body, now=NOW)
    seconds, tex_seconds = time.process_time() - started, tex[0]
    started = time.process_time()
    again = take_document(source=source, body=body, now=NOW)
    assert (again.report.new, again.report.changed) == (0, 0)
    return {
        "seconds": seconds,
        "tex_seconds": tex_seconds,
        "again_seconds": time.process_time() - started,
        "new": visit.report.new,
        "peak_mb": _peak_mb(),
    }


def store_records(*, count: int) -> Measured:
    from papers.ingest import take_document
    from tests.benchmarks import documents

    source, tex = _source("arxiv_oai"), _time_tex()
    pages = documents.records(count, since=DAY - dt.timedelta(days=DAYS), days=DAYS, page=PAGE)
    yield
    seconds, new = 0.0, 0
    for page in pages:
        started = time.process_time()
        new += take_document(source=source, body=page, now=NOW).report.new
        seconds += time.process_time() - started
    return {"seconds": seconds, "tex_seconds": tex[0], "new": new, "peak_mb": _peak_mb()}


def _source(kind: str) -> Any:
    from papers.models import Source

    return Source.objects.create(slug="bench", name="Bench", kind=kind, url="https://bench.example.org/feed")


def _time_tex() -> list[float]:
    """Count the time in which texts are cleaned; the clock costs a little, which is counted as theirs."""
    from papers import changes

    clean, spent = changes.clean_text, [0.0]

    def timed(raw: str) -> Any:
        started = time.process_time()
        found = clean(raw)
        spent[0] += time.process_time() - started
        return found

    changes.clean_text = timed  # type: ignore[assignment]
    return spent


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

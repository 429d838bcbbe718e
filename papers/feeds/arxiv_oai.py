"""arXiv's records by OAI-PMH, in its formats `arXiv`, `arXivRaw` and `oai_dc` (https://info.arxiv.org/help/oa/).

A record's datestamp is the day it last changed, for whatever reason: it tells when a paper was announced only for one
that has no later version, and not even then for one whose journal reference came years after.
"""

import datetime as dt
import re
from functools import partial
from xml.etree.ElementTree import Element

from papers.entries import Entry, ParsedFeed
from papers.feeds.announcing import estimate_announced_date
from papers.feeds.arxiv_entry import arxiv_entry
from papers.feeds.collecting import collect_entries
from papers.feeds.days import parse_mail_date, plain_day
from papers.feeds.names import split_names, split_raw_names
from papers.feeds.oai import Record, child_text, children, parse_oai
from papers.feeds.wording import take
from papers.identity import ArxivId, parse_arxiv_id

TITLE = "arXiv"
# How long moderation holds a paper at most, mostly; a later datestamp means that something else was changed.
LONGEST_DELAY = dt.timedelta(days=10)

_VERSION = re.compile(r"v([0-9]{1,3})")
_COMMENT = re.compile(r"comments?:\s*", re.IGNORECASE)


def parse_arxiv_oai(*, body: bytes, content_type: str = "", holidays: frozenset[dt.date] = frozenset()) -> ParsedFeed:
    """Read an answer to ListRecords or GetRecord. Raises FeedRefusedError in arXiv's words where it says error, and
    ResumeRefusedError where it no longer takes its own token; a list that holds nothing is no error."""
    harvest = parse_oai(body=body, content_type=content_type)
    read = partial(_read_entry, holidays=holidays)
    entries, problems = collect_entries(items=harvest.records, read=read, name_of=lambda record: record.identifier)
    stamps = [day for record in harvest.records if (day := plain_day(record.datestamp))]
    return ParsedFeed(
        title=TITLE,
        feed_date=max(stamps, default=None),
        entries=entries,
        problems=(*problems, *harvest.problems),
        total=harvest.total,
        resume=harvest.resume,
    )


def _read_entry(record: Record, *, holidays: frozenset[dt.date]) -> Entry:
    if record.is_deleted:
        raise ValueError("was deleted by the source")
    if record.metadata is None:
        raise ValueError("has no metadata")
    read = {"arXiv": _read_arxiv, "arXivRaw": _read_raw, "dc": _read_dublin_core}.get(record.metadata.tag)
    if read is None:
        message = f"is in the format {record.metadata.tag[:60]}, not in arXiv, arXivRaw or oai_dc"
        raise ValueError(message)
    return read(record, record.metadata, holidays)


def _read_arxiv(record: Record, metadata: Element, holidays: frozenset[dt.date]) -> Entry:
    authors = next(children(metadata, "authors"), None)
    is_first = not child_text(metadata, "updated").strip()
    submitted = plain_day(child_text(metadata, "created"))
    return arxiv_entry(
        arxiv_id=_id_of(record, metadata, version=1 if is_first else None),
        title=child_text(metadata, "title"),
        abstract=child_text(metadata, "abstract"),
        authors=[_name_of(author) for author in children(authors, "author")] if authors is not None else [],
        categories=child_text(metadata, "categories").split(),
        announced_date=_announced_date(record, _start_of(submitted), is_first=is_first, holidays=holidays),
        found_type="new" if is_first else "replace",
        comment=child_text(metadata, "comments"),
        doi=child_text(metadata, "doi"),
    )


def _read_raw(record: Record, metadata: Element, holidays: frozenset[dt.date]) -> Entry:
    versions = {
        int(number[1]): parse_mail_date(child_text(version, "date"))
        for version in children(metadata, "version")
        if (number := _VERSION.fullmatch(version.get("version") or ""))
    }
    latest = max(versions, default=None)
    return arxiv_entry(
        arxiv_id=_id_of(record, metadata, version=latest),
        title=child_text(metadata, "title"),
        abstract=child_text(metadata, "abstract"),
        authors=split_raw_names(take(child_text(metadata, "authors"))),
        categories=child_text(metadata, "categories").split(),
        announced_date=_announced_date(record, versions.get(1), is_first=latest == 1, holidays=holidays),
        comment=child_text(metadata, "comments"),
        doi=child_text(metadata, "doi"),
    )


def _read_dublin_core(record: Record, metadata: Element, holidays: frozenset[dt.date]) -> Entry:
    """Dublin Core: the abstract and the comment are both descriptions, all dates are dates, and categories are words
    (`Computer Science - Computation and Language`), so that there are none."""
    abstract, *others = [*_texts(metadata, "description"), ""]
    days = sorted(filter(None, map(plain_day, _texts(metadata, "date"))))
    identifiers = _texts(metadata, "identifier")
    return arxiv_entry(
        arxiv_id=_id_of(record, metadata, version=1 if len(days) == 1 else None),
        title=child_text(metadata, "title"),
        abstract=abstract,
        authors=[name for creator in _texts(metadata, "creator") for name in split_names([creator])],
        categories=[],
        announced_date=_announced_date(
            record, _start_of(days[0] if days else None), is_first=len(days) == 1, holidays=holidays
        ),
        found_type="new" if len(days) == 1 else "replace",
        comment=" ".join(_COMMENT.sub("", text, count=1) for text in others),
        doi=next((text for text in identifiers if text.lower().startswith("doi:")), ""),
    )


def _id_of(record: Record, metadata: Element, *, version: int | None) -> ArxivId | None:
    found = parse_arxiv_id(take(child_text(metadata, "id"))) or parse_arxiv_id(record.identifier)
    return ArxivId(found.id, version) if found else None


def _announced_date(
    record: Record, submitted_at: dt.datetime | None, *, is_first: bool, holidays: frozenset[dt.date]
) -> dt.date | None:
    stamp = plain_day(record.datestamp)
    if submitted_at is None:
        return stamp if is_first else None
    estimate = estimate_announced_date(submitted_at, holidays=holidays)
    if is_first and stamp is not None and estimate <= stamp <= estimate + LONGEST_DELAY:
        return stamp
    return estimate


def _start_of(day: dt.date | None) -> dt.datetime | None:
    # The day is UTC's, and its hour is not told: no announcement can be earlier than for its first minute.
    return dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC) if day else None


def _name_of(author: Element) -> str:
    parts = (take(child_text(author, name)) for name in ("forenames", "keyname", "suffix"))
    name = " ".join(filter(None, parts))
    # Behind `Super-Kamiokande Collaboration` some put a colon, as an author of its own.
    return name if name.isalpha() or any(map(str.isalpha, name)) else ""


def _texts(metadata: Element, name: str) -> list[str]:
    return [text for child in children(metadata, name) if (text := take("".join(child.itertext())))]

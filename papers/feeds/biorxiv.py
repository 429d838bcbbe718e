"""bioRxiv and medRxiv: their RSS 1.0, and the answers of their API (https://api.biorxiv.org/), which are JSON."""

import re
from typing import Any

from papers.entries import AnnouncementKind, Entry, FeedRefusedError, ParsedFeed
from papers.feeds.collecting import collect_entries
from papers.feeds.days import plain_day
from papers.feeds.json_feed import is_json
from papers.feeds.json_list import JsonDocument, parse_json_object
from papers.feeds.names import split_names
from papers.feeds.rss import parse_rss
from papers.feeds.wording import as_text, count_of, markup_of, take, take_abstract, take_authors, take_title
from papers.identity import paper_key, parse_doi

_SITES = {"biorxiv": "https://www.biorxiv.org", "medrxiv": "https://www.medrxiv.org"}
_NAMES = {"biorxiv": "bioRxiv", "medrxiv": "medRxiv"}
_NOTHING = re.compile(r"no (?:posts|articles|papers) found", re.IGNORECASE)
_WITHDRAWN = re.compile(r"withdrawn\b", re.IGNORECASE)


def parse_biorxiv(*, body: bytes, content_type: str = "") -> ParsedFeed:
    """Read a feed or an answer of the API. Raises FeedRefusedError, in the API's words where it says error.

    `resume` is the cursor of the next page: how many items a page has is the API's to say, and it has changed.
    """
    if not is_json(body):
        return parse_rss(body=body, content_type=content_type)
    document = parse_json_object(body, list_name="collection")
    message = _message_of(document)
    entries, problems = collect_entries(items=document.items, read=_read_entry, name_of=_name_of)
    days = [entry.announced_date for entry in entries if entry.announced_date]
    return ParsedFeed(
        title=_title_of(document.items),
        feed_date=max(days, default=None),
        entries=entries,
        problems=(*problems, *document.problems),
        total=count_of(message.get("total")),
        resume=_next_cursor(message, len(document.items)),
    )


def _message_of(document: JsonDocument) -> dict[str, Any]:
    messages = document.head.get("messages")
    message = messages[0] if isinstance(messages, list) and messages else {}
    if not isinstance(message, dict):
        return {}
    status = take(message.get("status"))
    if status and status.lower() != "ok" and not _NOTHING.search(status):
        raise FeedRefusedError(status[:500])
    return message


def _next_cursor(message: dict[str, Any], found: int) -> str:
    cursor, total = count_of(message.get("cursor")), count_of(message.get("total"))
    if cursor is None or total is None or not found or cursor + found >= total:
        return ""
    return str(cursor + found)


def _read_entry(item: object) -> Entry:
    if not isinstance(item, dict):
        raise ValueError("is no paper")  # noqa: TRY004 - the reason of a problem, not a bug of ours
    doi = parse_doi(take(item.get("doi")))
    if not doi:
        raise ValueError("has no DOI")
    title, abstract = (
        as_text(text) if isinstance(text := item.get(name), str) else "" for name in ("title", "abstract")
    )
    version = count_of(item.get("version")) or None
    site = _SITES.get(_server_of(item), _SITES["biorxiv"])
    return Entry(
        key=paper_key(doi=doi),
        title=take_title(title),
        abstract=take_abstract(abstract),
        authors=take_authors(split_names([take(item.get("authors"))])),
        announced_date=plain_day(item.get("date")),
        announcement=_announcement(item, version),
        version=version,
        doi=doi,
        link=f"{site}/content/{doi}v{version}" if version else f"{site}/content/{doi}",
        markup=markup_of(title, abstract),
    )


def _announcement(item: dict[str, Any], version: int | None) -> AnnouncementKind:
    # A withdrawal is a new version, whose title says so in front.
    if any(_WITHDRAWN.match(take(item.get(name))) for name in ("type", "title")):
        return AnnouncementKind.WITHDRAWAL
    return AnnouncementKind.REPLACEMENT if version and version > 1 else AnnouncementKind.NEW


def _title_of(items: list[Any]) -> str:
    servers = (_server_of(item) for item in items if isinstance(item, dict))
    return next((_NAMES[server] for server in servers if server in _NAMES), "")


def _server_of(item: dict[str, Any]) -> str:
    return take(item.get("server")).lower()


def _name_of(item: object) -> str:
    return take(item.get("doi") or item.get("title")) if isinstance(item, dict) else ""

"""JSON Feed, versions 1 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

import datetime as dt
from functools import partial
from typing import Any

from papers.entries import Entry, FeedRefusedError, ParsedFeed
from papers.feeds.collecting import collect_entries
from papers.feeds.days import announcement_day, parse_instant
from papers.feeds.json_list import parse_json_object
from papers.feeds.names import split_names
from papers.feeds.taxonomy import arxiv_categories
from papers.feeds.wording import as_text, markup_of, take, take_abstract, take_authors, take_link, take_title
from papers.identity import paper_key, parse_arxiv_id, parse_doi
from papers.text import html_to_text


def is_json(body: bytes) -> bool:
    """Whether a document is a JSON object rather than XML."""
    return body[:1_000].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def parse_json_feed(body: bytes) -> ParsedFeed:
    """Read a JSON Feed. Raises FeedRefusedError for any other object."""
    document = parse_json_object(body, list_name="items")
    version = document.head.get("version")
    if not isinstance(version, str) or "jsonfeed.org/version/" not in version:
        raise FeedRefusedError("The document is a JSON object, but no JSON Feed: its version does not say so.")
    read = partial(_read_entry, home=take_link(document.head.get("home_page_url")))
    entries, problems = collect_entries(items=document.items, read=read, name_of=_name_of)
    days = [entry.announced_date for entry in entries if entry.announced_date]
    return ParsedFeed(
        title=take(document.head.get("title")),
        feed_date=max(days, default=None),
        entries=entries,
        problems=(*problems, *document.problems),
    )


def _read_entry(item: object, *, home: str) -> Entry:
    if not isinstance(item, dict):
        raise ValueError("is no item of a JSON Feed")  # noqa: TRY004 - the reason of a problem, not a bug of ours
    title = take_title(as_text(_text(item, "title")))
    abstract = take_abstract(_words_of(item))
    link = next(filter(None, (take_link(item.get(name), base=home) for name in ("url", "external_url"))), "")
    guid = _id_of(item)
    arxiv_id = parse_arxiv_id(link)
    doi = parse_doi(guid)
    authors = take_authors(split_names(_author_fields(item)))
    return Entry(
        key=paper_key(arxiv_id=arxiv_id, doi=doi, link=link, guid=guid or "\n".join([title.casefold(), *authors[:1]])),
        title=title,
        abstract=abstract,
        authors=authors,
        categories=arxiv_categories(tags) if isinstance(tags := item.get("tags"), list) else (),
        announced_date=_announced_date(item),
        version=arxiv_id.version if arxiv_id else None,
        doi=doi or parse_doi(link),
        link=link,
        markup=markup_of(title, abstract),
    )


def _words_of(item: dict[str, Any]) -> str:
    # A summary is plain text, and so is content_text; content_html is the whole article, where there is no other.
    plain = _text(item, "summary") or _text(item, "content_text")
    return plain or html_to_text(_text(item, "content_html"))


def _author_fields(item: dict[str, Any]) -> list[str]:
    # Version 1 had one author, 1.1 has a list.
    people = authors if isinstance(authors := item.get("authors"), list) else [item.get("author")]
    return [take(person.get("name")) for person in people if isinstance(person, dict)]


def _announced_date(item: dict[str, Any]) -> dt.date | None:
    moments = (parse_instant(item.get(name)) for name in ("date_published", "date_modified"))
    return next((announcement_day(moment) for moment in moments if moment), None)


def _id_of(item: dict[str, Any]) -> str:
    # It should be a text, and readers are asked to take a number for one.
    found = item.get("id")
    return take(str(found)[:2_000]) if isinstance(found, str | int | float) and not isinstance(found, bool) else ""


def _text(item: dict[str, Any], name: str) -> str:
    found = item.get(name)
    return found if isinstance(found, str) else ""


def _name_of(item: object) -> str:
    return _id_of(item) or take(item.get("url") or item.get("title")) if isinstance(item, dict) else ""

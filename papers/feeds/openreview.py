"""OpenReview: the notes its API gives (https://docs.openreview.net/reference/api-v2/entities/note).

Version 2 wraps each field of the content, `{"title": {"value": "…"}}`; version 1 does not.
"""

import datetime as dt
from typing import Any

from papers.entries import AnnouncementKind, Entry, ParsedFeed
from papers.feeds.collecting import collect_entries
from papers.feeds.days import day_of_milliseconds
from papers.feeds.json_list import parse_json_object
from papers.feeds.wording import count_of, markup_of, take, take_abstract, take_authors, take_link, take_title
from papers.identity import paper_key

SITE = "https://openreview.net"
TITLE = "OpenReview"

# When it was published; went on line; was made.
_DATES = ("pdate", "odate", "cdate", "tcdate")
_WITHDRAWN = ("Withdrawn_Submission", "Desk_Rejected_Submission")
_NO_NOTE = "is no note of OpenReview"


def parse_openreview(*, body: bytes, content_type: str = "") -> ParsedFeed:
    """Read an answer to a search for notes. Raises FeedRefusedError, in the API's words where it says error.

    Reviews and comments are notes, too: each is a problem that says so.
    """
    document = parse_json_object(body, list_name="notes")
    entries, problems = collect_entries(items=document.items, read=_read_entry, name_of=_name_of)
    days = [entry.announced_date for entry in entries if entry.announced_date]
    return ParsedFeed(
        title=TITLE,
        feed_date=max(days, default=None),
        entries=entries,
        problems=(*problems, *document.problems),
        total=count_of(document.head.get("count")),
    )


def _read_entry(note: object) -> Entry:
    if not isinstance(note, dict) or not isinstance(note.get("content"), dict):
        raise ValueError(_NO_NOTE)  # noqa: TRY004 - the reason of a problem, not a bug of ours
    note_id, forum = take(note.get("id")), take(note.get("forum"))
    if not (forum or note_id):
        raise ValueError("has no id")
    content = note["content"]
    title = take(_value(content, "title"))
    if note.get("replyto") or (forum and note_id and forum != note_id) or not title:
        raise ValueError("is no submission but a reply to one, or has no title")
    abstract = take(_value(content, "abstract"))
    link = take_link(f"{SITE}/forum?id={forum or note_id}")
    return Entry(
        key=paper_key(link=link, guid=f"openreview:{forum or note_id}"),
        title=take_title(title),
        abstract=take_abstract(abstract),
        authors=take_authors(_authors(_value(content, "authors"))),
        announced_date=_announced_date(note),
        announcement=AnnouncementKind.WITHDRAWAL if _is_withdrawn(note) else AnnouncementKind.NEW,
        link=link,
        pdf_link=take_link(_value(content, "pdf"), base=SITE),
        markup=markup_of(title, abstract),
    )


def _value(content: dict[str, Any], name: str) -> object:
    found = content.get(name)
    return found.get("value") if isinstance(found, dict) else found


def _authors(found: object) -> list[str]:
    people = found if isinstance(found, list) else [found]
    names = [person.get("fullname") or person.get("name") if isinstance(person, dict) else person for person in people]
    return [name for name in names if isinstance(name, str)]


def _announced_date(note: dict[str, Any]) -> dt.date | None:
    return next(filter(None, (day_of_milliseconds(note.get(name)) for name in _DATES)), None)


def _is_withdrawn(note: dict[str, Any]) -> bool:
    # Version 1 moves the note to another invitation, version 2 to another venue.
    places = (_value(note["content"], "venueid"), note.get("invitation"))
    return any(isinstance(place, str) and place.endswith(_WITHDRAWN) for place in places)


def _name_of(note: object) -> str:
    return take(note.get("id") or note.get("forum")) if isinstance(note, dict) else ""

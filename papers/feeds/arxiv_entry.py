"""What all of arXiv's documents have in common, whatever they are written in: how one of its papers becomes an entry,
and how arXiv says error and withdrawn."""

import datetime as dt
import re
from collections.abc import Iterable

from papers.entries import AnnouncementKind, Entry, FeedRefusedError, Markup
from papers.feeds.taxonomy import arxiv_categories
from papers.feeds.wording import as_text, take, take_abstract, take_authors, take_title
from papers.feeds.xml import Document
from papers.identity import ArxivId, paper_key, parse_doi

NO_ID = "has no arXiv id"

_WITHDRAWN = re.compile(
    r"\b(?:this|the) (?:paper|article|submission|manuscript|work|preprint|note|version)\b[\w ,]{0,40}?"
    r"\b(?:has been|have been|was|is|is being) (?:temporarily )?withdrawn\b",
    re.IGNORECASE,
)
_TYPES = {
    "new": AnnouncementKind.NEW,
    "cross": AnnouncementKind.CROSS_LIST,
    "cross listed": AnnouncementKind.CROSS_LIST,
    "replace": AnnouncementKind.REPLACEMENT,
    "replace-cross": AnnouncementKind.REPLACEMENT,
    "updated": AnnouncementKind.REPLACEMENT,
}


def arxiv_entry(
    *,
    arxiv_id: ArxivId | None,
    title: str,
    abstract: str,
    authors: list[str],
    categories: Iterable[object],
    announced_date: dt.date | None,
    found_type: str = "",
    comment: object = "",
    doi: object = "",
    pdf_link: str = "",
) -> Entry:
    """One paper of arXiv's. `found_type` is arXiv's word for the announcement, like `replace-cross`; without one, a
    later version is a replacement. Raises ValueError where there is no id or no title."""
    if arxiv_id is None:
        raise ValueError(NO_ID)
    abstract = take_abstract(abstract)
    return Entry(
        key=paper_key(arxiv_id=arxiv_id),
        title=take_title(title),
        abstract=abstract,
        authors=take_authors(authors),
        categories=arxiv_categories(categories),
        announced_date=announced_date,
        announcement=_announcement(found_type, arxiv_id.version, abstract, comment),
        version=arxiv_id.version,
        doi=parse_doi(take(doi)) if doi else "",
        link=f"https://arxiv.org/abs/{arxiv_id.id}",
        pdf_link=pdf_link,
        markup=Markup.TEX,
    )


def refuse_arxiv_errors(document: Document) -> None:
    """Raise FeedRefusedError, in arXiv's own words, where the document is one of its ways of saying error."""
    title = take(document.head.get("title"))
    if title.lower().startswith("feed error"):
        raise FeedRefusedError(". ".join(filter(None, [title, take(as_text(document.head.get("subtitle") or ""))])))
    for entry in document.entries:
        if "arxiv.org/api/errors" in str(entry.get("id", "")):
            raise FeedRefusedError(take(entry.get("summary")) or "arXiv answered with an error.")


def _announcement(found_type: str, version: int | None, abstract: str, comment: object) -> AnnouncementKind:
    # A later version is never new, though a first version may come as a cross-list.
    default = AnnouncementKind.REPLACEMENT if version and version > 1 else AnnouncementKind.NEW
    announcement = _TYPES.get(found_type.lower(), default)
    if announcement is not AnnouncementKind.REPLACEMENT:
        return announcement
    words = f"{abstract} {take(comment)}"
    # The plain word first, since the pattern takes its time and few texts have it.
    is_withdrawn = "withdrawn" in words.lower() and _WITHDRAWN.search(words)
    return AnnouncementKind.WITHDRAWAL if is_withdrawn else announcement

"""Any RSS, Atom or JSON feed: bioRxiv, a journal, a lab's blog. Nothing is taken for granted but a title."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from papers.entries import Entry, ParsedFeed
from papers.feeds.collecting import collect_entries
from papers.feeds.days import day_of
from papers.feeds.json_feed import is_json, parse_json_feed
from papers.feeds.names import split_names
from papers.feeds.raw import name_of
from papers.feeds.taxonomy import arxiv_categories
from papers.feeds.wording import as_text, is_html, markup_of, take, take_abstract, take_authors, take_link, take_title
from papers.feeds.xml import Document, parse_document
from papers.identity import paper_key, parse_arxiv_id, parse_doi

_PARAGRAPH = re.compile(r"</?(?:p|div|br|li|h[1-6]|jats:p|section)\b[^<>]*>", re.IGNORECASE)
_LABEL = re.compile(r"(?P<label>abstract|authors?|doi)\s*:\s*", re.IGNORECASE)
_LINK_ALONE = re.compile(
    r"\s*<a\s[^<>]*?href\s*=\s*[\"']?(?P<href>[^\s\"'<>]+)[^<>]*>(?P<text>[^<>]*)</a>\s*", re.IGNORECASE
)
_DOI_FIELDS = ("prism_doi", "dc_identifier", "id")


@dataclass(frozen=True, slots=True)
class Description:
    """What an item's description says: some journals put authors and DOI there, each in a paragraph of its own."""

    abstract: str
    authors: str = ""
    doi: str = ""
    pdf_link: str = ""


def parse_rss(*, body: bytes, content_type: str = "") -> ParsedFeed:
    """Read any feed. Raises FeedRefusedError for what is none."""
    if is_json(body):
        return parse_json_feed(body)
    document = parse_document(body=body, content_type=content_type)
    read = partial(_read_entry, document=document)
    entries, problems = collect_entries(items=document.entries, read=read, name_of=name_of)
    return ParsedFeed(
        title=take(as_text(document.head.get("title") or "")),
        feed_date=day_of(document.head, "published", "updated") or _newest(entries),
        entries=entries,
        problems=(*problems, *document.problems),
    )


def _read_entry(raw: Mapping[str, Any], *, document: Document) -> Entry:
    description = read_description(_description_of(raw, document))
    title = take_title(_text(raw, "title", document))
    abstract = take_abstract(description.abstract)
    authors = take_authors(split_names(_author_fields(raw) or [description.authors]))
    link = _link_of(raw, document)
    doi = next(filter(None, (parse_doi(take(raw.get(name))) for name in _DOI_FIELDS)), "") or description.doi
    arxiv_id = parse_arxiv_id(link)
    # Without a link and an id, title and first author are what is left to tell a paper by.
    guid = take(raw.get("id")) or "\n".join([title.casefold(), *authors[:1]])
    return Entry(
        key=paper_key(arxiv_id=arxiv_id, doi=doi, link=link, guid=guid),
        title=title,
        abstract=abstract,
        authors=authors,
        categories=arxiv_categories(tag.get("term") for tag in raw.get("tags", [])),
        announced_date=day_of(raw, "published", "updated", "created"),
        version=arxiv_id.version if arxiv_id else None,
        doi=doi or parse_doi(link),
        link=link,
        pdf_link=_pdf_link_of(raw) or description.pdf_link,
        markup=markup_of(title, abstract),
    )


def read_description(text: str) -> Description:
    """Take a description apart: `Authors: …`, `DOI: …` and `Abstract: …` paragraphs where it has them.

    With an abstract so named, only what follows it is the abstract; else all of the text is.
    """
    if not is_html(text):
        return _from_paragraphs([as_text(text)])
    pieces = [piece for piece in _PARAGRAPH.split(text) if piece.strip()]
    links = [match for piece in pieces if (match := _LINK_ALONE.fullmatch(piece))]
    pdf = next((match["href"] for match in links if match["text"].strip().lower() == "pdf"), "")
    paragraphs = [take(as_text(piece)) for piece in pieces if not _LINK_ALONE.fullmatch(piece)]
    return _from_paragraphs(paragraphs, pdf_link=take_link(pdf))


def _from_paragraphs(paragraphs: list[str], *, pdf_link: str = "") -> Description:
    named: dict[str, str] = {}
    text: list[str] = []
    for paragraph in paragraphs:
        label = _LABEL.match(paragraph)
        if label is None:
            text.append(paragraph)
        elif label["label"].lower() == "abstract":
            text = [paragraph[label.end() :]]
        else:
            named[label["label"].lower().rstrip("s")] = paragraph[label.end() :]
    return Description(
        abstract=" ".join(filter(None, text)),
        authors=named.get("author", ""),
        doi=parse_doi(named.get("doi", "")),
        pdf_link=pdf_link,
    )


def _description_of(raw: Mapping[str, Any], document: Document) -> str:
    if raw.get("summary"):
        return _markup(raw, "summary", document)
    return next((content["value"] for content in raw.get("content", []) if content.get("value")), "")


def _markup(raw: Mapping[str, Any], name: str, document: Document) -> str:
    """The element's text; one that Atom declares to be plain comes out so that it cannot be taken for HTML."""
    text = raw.get(name) or ""
    is_plain = document.version.startswith("atom") and raw.get(f"{name}_detail", {}).get("type") == "text/plain"
    return text.replace("&", "&amp;").replace("<", "&lt;") if is_plain else text


def _text(raw: Mapping[str, Any], name: str, document: Document) -> str:
    return as_text(_markup(raw, name, document))


def _author_fields(raw: Mapping[str, Any]) -> list[str]:
    found = [author.get("name") or "" for author in raw.get("authors", [])]
    return [take(as_text(name)) for name in found if name.strip()]


def _link_of(raw: Mapping[str, Any], document: Document) -> str:
    home = take_link(document.head.get("link"))
    link = take_link(raw.get("link"), base=home)
    # A feed whose items all lead to its own home has no links to tell them by.
    return "" if link == home else link


def _pdf_link_of(raw: Mapping[str, Any]) -> str:
    links = (link for link in raw.get("links", []) if link.get("type") == "application/pdf")
    return next((take_link(link.get("href")) for link in links), "")


def _newest(entries: tuple[Entry, ...]) -> dt.date | None:
    return max((entry.announced_date for entry in entries if entry.announced_date), default=None)

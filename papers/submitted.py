"""Reading the one paper that a reader points to: from arXiv's API, from Crossref, or from the tags of its own page.

It is fetched as sources are (`fetching.py`, `gates.py`), and what a page says is as hostile as a feed.
"""

import datetime as dt
import html
import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urlencode

from papers.changes import TextCleaner
from papers.entries import Entry, FeedRefusedError, Markup
from papers.feeds import parse_feed
from papers.feeds.kinds import SourceKind
from papers.feeds.wording import markup_of, take_abstract, take_authors, take_link, take_title
from papers.fetching import AddressRefusedError, BadStatusError, FetchError
from papers.identity import paper_key, parse_arxiv_id, parse_doi
from papers.ingest import fetch_page, fetch_policy

# https://info.arxiv.org/help/api/user-manual.html and https://api.crossref.org
ARXIV_API = "https://export.arxiv.org/api/query"
CROSSREF = "https://api.crossref.org/works/"
PATIENCE = 20.0
MAX_PAGE_BYTES = 2_000_000
_GONE = {400, 404, 410, 451}
_TAGS = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was found: the paper, and in whose words."""

    entry: Entry
    kind: SourceKind


class CannotReadError(Exception):
    """It cannot be read; the message is for the reader. Unless final, it may be possible later."""

    def __init__(self, sentence: str, *, is_final: bool) -> None:
        super().__init__(sentence)
        self.is_final = is_final


def read_submitted(given: str, *, now: dt.datetime) -> Submitted:
    """The paper behind an arXiv id, a DOI or an address. Raises CannotReadError, or HostClosedError where it is not our
    turn at the host."""
    if arxiv_id := parse_arxiv_id(given):
        return _from_arxiv(arxiv_id.id, now=now)
    if doi := parse_doi(given):
        return _from_crossref(doi, now=now)
    found = _from_page(given, now=now)
    # Its own page may say that it is on arXiv, whose word is the better one.
    arxiv_id = parse_arxiv_id(found.entry.key)
    return _from_arxiv(arxiv_id.id, now=now) if arxiv_id else found


def preview_of(found: Submitted) -> dict[str, Any]:
    """As JSON can hold it."""
    entry = asdict(found.entry)
    kept = ("key", "title", "abstract", "authors", "categories", "doi", "link", "pdf_link", "version", "markup")
    cleaner = TextCleaner()
    return {
        **{name: entry[name] for name in kept},
        "authors": list(entry["authors"]),
        "kind": found.kind.value,
        # As it will be shown, without TeX.
        "shown_title": cleaner.readable(found.entry.title, found.entry.markup),
        "shown_abstract": cleaner.readable(found.entry.abstract, found.entry.markup),
    }


def entry_from_preview(preview: dict[str, Any]) -> Entry:
    """The entry that `preview_of` kept."""
    values = {name: value for name, value in preview.items() if name not in {"kind", "shown_title", "shown_abstract"}}
    names = {name: tuple(values[name]) for name in ("authors", "categories")}
    return Entry(**{**values, **names, "markup": Markup(values["markup"])})


def kind_of_preview(preview: dict[str, Any]) -> SourceKind:
    """In whose words it is."""
    return SourceKind(preview["kind"])


def _from_arxiv(arxiv_id: str, *, now: dt.datetime) -> Submitted:
    body, content_type, _ = _fetch(f"{ARXIV_API}?{urlencode({'id_list': arxiv_id})}", now=now)
    try:
        feed = parse_feed(body=body, kind=SourceKind.ARXIV_API, content_type=content_type)
    except FeedRefusedError as error:
        raise CannotReadError("arXiv knows no paper of this id.", is_final=True) from error
    entry = next((entry for entry in feed.entries if entry.key == f"arxiv:{arxiv_id}"), None)
    if entry is None:
        raise CannotReadError("arXiv knows no paper of this id.", is_final=True)
    return Submitted(entry, SourceKind.ARXIV_API)


def _from_crossref(doi: str, *, now: dt.datetime) -> Submitted:
    body, _, _ = _fetch(f"{CROSSREF}{quote(doi, safe='')}", now=now)
    try:
        work = json.loads(body)["message"]
        people = [f"{who.get('given', '')} {who.get('family', '') or who.get('name', '')}" for who in work["author"]]
        title = take_title(_words(" ".join(work["title"])))
        abstract = take_abstract(_words(work.get("abstract", "")))
        authors = take_authors([person.strip() for person in people])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotReadError("Crossref tells no title and authors for this DOI.", is_final=True) from error
    entry = Entry(
        key=paper_key(doi=doi),
        title=title,
        abstract=abstract,
        authors=authors,
        doi=doi,
        link=take_link(f"https://doi.org/{doi}"),
        markup=markup_of(title, abstract),
    )
    return Submitted(entry, SourceKind.RSS)


def _from_page(address: str, *, now: dt.datetime) -> Submitted:
    body, _, url = _fetch(address, now=now)
    told = _tags_of(body)
    # Highwire Press tags, which Google Scholar asks publishers for, and then Open Graph.
    title = _first(told, "citation_title", "dc.title", "og:title")
    if not title:
        raise CannotReadError("This page does not say of which paper it is. An arXiv id or a DOI works.", is_final=True)
    authors = told.get("citation_author") or told.get("dc.creator") or []
    abstract = _first(told, "citation_abstract", "dc.description", "og:description", "description")
    try:
        title, abstract = take_title(title), take_abstract(_words(abstract))
        arxiv_id = parse_arxiv_id(_first(told, "citation_arxiv_id"))
        doi = parse_doi(_first(told, "citation_doi", "dc.identifier"))
        entry = Entry(
            key=paper_key(arxiv_id=arxiv_id, doi=doi, link=address),
            title=title,
            abstract=abstract,
            authors=take_authors(authors[:1000]),
            doi=doi,
            link=take_link(url),
            pdf_link=_link(_first(told, "citation_pdf_url"), base=url),
            markup=markup_of(title, abstract),
        )
    except ValueError as error:
        raise CannotReadError(f"The page cannot be taken: it {error}.", is_final=True) from error
    return Submitted(entry, SourceKind.RSS)


def _fetch(url: str, *, now: dt.datetime) -> tuple[bytes, str, str]:
    try:
        found = fetch_page(url, policy=fetch_policy(), now=now, patience=PATIENCE)
    except AddressRefusedError as error:
        raise CannotReadError(str(error), is_final=True) from error
    except BadStatusError as error:
        raise CannotReadError(str(error), is_final=error.status in _GONE) from error
    except FetchError as error:
        raise CannotReadError(str(error), is_final=False) from error
    return found.body, found.content_type, found.url


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, list[str]] = defaultdict(list)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            values = {name: value or "" for name, value in attrs}
            name = (values.get("name") or values.get("property") or "").lower()
            if name and (content := values.get("content", "").strip()):
                self.told[name].append(content)


def _tags_of(body: bytes) -> dict[str, list[str]]:
    reader = _Tags()
    reader.feed(body[:MAX_PAGE_BYTES].decode("utf-8", "replace"))
    return dict(reader.told)


def _first(told: dict[str, list[str]], *names: str) -> str:
    return next((told[name][0] for name in names if told.get(name)), "")


def _words(text: str) -> str:
    """Crossref's abstracts are JATS: the tags go."""
    return html.unescape(_TAGS.sub(" ", str(text)))


def _link(address: str, *, base: str) -> str:
    try:
        return take_link(address, base=base) if address else ""
    except ValueError:
        return ""

"""Well-formed RSS 2.0 and Atom of the simple kind that arXiv writes, as feedparser's plain values, many times as fast.

It knows a few elements, in the places where they belong, and what feedparser makes of each. Whatever else a document
holds (another element or attribute, CDATA, a comment, a namespace by another name, an odd date) makes it step back: the
document is then feedparser's. So the result is always feedparser's own, as far as the adapters read it.
"""

import datetime as dt
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

_ATOM = "{http://www.w3.org/2005/Atom}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_SEARCH = "{http://a9.com/-/spec/opensearch/1.1/}"
_PREFIXES = {"arxiv": _ARXIV, "dc": _DC, "atom": _ATOM, "": _ATOM, "opensearch": _SEARCH}
_DECLARATION = re.compile(r"xmlns(?::([\w.-]+))?\s*=\s*[\"']([^\"']*)[\"']")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

# Elements that hold nothing but text, each at most once: feedparser's name for it.
_RSS_TEXTS = {
    "title": "title",
    "description": "summary",
    f"{_ARXIV}announce_type": "arxiv_announce_type",
    f"{_ARXIV}comment": "arxiv_comment",
    f"{_ARXIV}DOI": "arxiv_doi",
}
_ATOM_TEXTS = {
    f"{_ATOM}title": "title",
    f"{_ATOM}summary": "summary",
    f"{_ARXIV}announce_type": "arxiv_announce_type",
    f"{_ARXIV}comment": "arxiv_comment",
    f"{_ARXIV}doi": "arxiv_doi",
    f"{_ARXIV}DOI": "arxiv_doi",
}
_RSS_HEAD_TEXTS = {"title": "title", "description": "subtitle"}
_ATOM_HEAD_TEXTS = {
    f"{_ATOM}title": "title",
    f"{_ATOM}subtitle": "subtitle",
    f"{_SEARCH}totalResults": "opensearch_totalresults",
}
_DATES = {
    "pubDate": "published",
    "lastBuildDate": "updated",
    f"{_ATOM}published": "published",
    f"{_ATOM}updated": "updated",
}
# Elements that no adapter reads, and that change nothing about those beside them.
_UNREAD = frozenset(
    [
        *("docs", "language", "managingEditor", "webMaster", "generator", "ttl", "day", "hour", f"{_DC}rights"),
        *(f"{_ARXIV}journal_reference", f"{_ARXIV}journal_ref", f"{_SEARCH}itemsPerPage", f"{_SEARCH}startIndex"),
    ]
)
_LISTS = frozenset(["skipDays", "skipHours"])
_LINK_ATTRIBUTES = frozenset(["href", "rel", "type", "title"])
_PAGES = ("text/html", "application/xhtml+xml", "html", "xhtml")
_PLAIN = {"type": "text/plain"}

_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_MAIL_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{1,2}) ([A-Z][a-z]{2}) ([12][0-9]{3})"
    r" ([0-9]{2}):([0-9]{2}):([0-9]{2}) (?:GMT|([+-])([0-9]{2})([0-9]{2}))"
)
_ISO_DATE = re.compile(
    r"([12][0-9]{3})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
# What Windows-1252 has in the places where Unicode has control characters.
_WINDOWS = {
    code: char for code in range(0x80, 0xA0) if (char := bytes([code]).decode("windows-1252", "replace")) != "\ufffd"
}


class _UnsureError(Exception):
    """The document holds something whose meaning is feedparser's to say."""


def read_quickly(
    text: str, *, root: re.Match[str], limit: int
) -> tuple[str, dict[str, Any], list[dict[str, Any]]] | None:
    """The format, the head and the entries of a document with this root, or None for what is left to feedparser.

    `text` is decoded and has no document type; it may be broken. More entries than `limit` are left to others, too.
    """
    if not _is_simple(text, root):
        return None
    try:
        document = fromstring(text)  # noqa: S314 - there is no document type in it
        if root["name"] == "rss":
            version, (head, entries) = "rss20", _read_rss(document)
        else:
            version, (head, entries) = "atom10", _read_atom(document)
    except (ParseError, _UnsureError, ValueError, OverflowError):
        return None
    starts = text.count("<item") + text.count("<entry")
    return (version, head, entries) if len(entries) == starts <= limit else None


def _is_simple(text: str, root: re.Match[str]) -> bool:
    """Whether each `<` of the document begins an element, and each namespace has the name and the place we know."""
    if root["name"] not in {"rss", "feed"} or text[: root.start()].strip() or "<!" in text or "<?" in text:
        return False
    opening = text[root.start() : text.find(">", root.end())]
    declared = _DECLARATION.findall(opening)
    if len(declared) != text.count("xmlns"):
        return False
    return all(_PREFIXES.get(prefix) == f"{{{uri}}}" for prefix, uri in declared)


def _read_rss(root: Element) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if root.attrib != {"version": "2.0"} or len(root) != 1 or root[0].tag != "channel" or root[0].attrib:
        raise _UnsureError
    head, entries = dict[str, Any](), list[dict[str, Any]]()
    for child in root[0]:
        tag = child.tag
        if tag == "item":
            entries.append(_read_item(child))
        elif tag in _RSS_HEAD_TEXTS:
            _put(head, _RSS_HEAD_TEXTS[tag], _text_of(child))
        elif tag == "link":
            _put(head, "link", _address_of(child))
        elif tag in _DATES:
            _put_date(head, _DATES[tag], child)
        elif tag == f"{_ATOM}link":
            if _link_of(child)["rel"] != "self":
                raise _UnsureError
        else:
            _pass_over(child)
    return head, entries


def _read_item(item: Element) -> dict[str, Any]:
    if item.keys():
        raise _UnsureError
    raw = dict[str, Any]()
    authors, tags = list[dict[str, str]](), list[dict[str, str]]()
    for child in item:
        tag = child.tag
        name = _RSS_TEXTS.get(tag)
        if name:
            _put(raw, name, _text_of(child))
        elif tag == "category":
            if child.keys() not in ([], ["domain"]):
                raise _UnsureError
            tags.append({"term": _text_of(child, attributes=True)})
        elif tag == "link":
            _put(raw, "link", _address_of(child))
        elif tag == "guid":
            _put(raw, "id", _guid_of(child))
        elif tag == f"{_DC}creator":
            authors.append(_creator_of(child))
        elif tag == "pubDate":
            _put_date(raw, "published", child)
        else:
            _pass_over(child)
    if "link" not in raw:
        raise _UnsureError
    return raw | {"authors": authors, "tags": tags}


def _read_atom(root: Element) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if root.tag != f"{_ATOM}feed" or root.attrib.keys() - {_XML_LANG}:
        raise _UnsureError
    entries = [_read_entry(child) for child in root if child.tag == f"{_ATOM}entry"]
    head = _read_common((child for child in root if child.tag != f"{_ATOM}entry"), _ATOM_HEAD_TEXTS)
    return head, entries


def _read_entry(entry: Element) -> dict[str, Any]:
    if entry.keys():
        raise _UnsureError
    raw = _read_common(entry, _ATOM_TEXTS)
    return raw | {"title_detail": _PLAIN, "summary_detail": _PLAIN}


def _read_common(children: Iterable[Element], texts: dict[str, str]) -> dict[str, Any]:
    raw = dict[str, Any]()
    authors, tags, links = list[dict[str, str]](), list[dict[str, str]](), list[dict[str, str]]()
    has_creator = False
    for child in children:
        tag = child.tag
        name = texts.get(tag)
        if name:
            _put(raw, name, _text_of(child))
        elif tag == f"{_ATOM}link":
            links.append(_link_of(child))
        elif tag == f"{_ATOM}author":
            # Behind a creator, feedparser writes its name over the creator's.
            if has_creator:
                raise _UnsureError
            authors.append(_author_of(child))
        elif tag == f"{_ATOM}category":
            tags.append({"term": _term_of(child)})
        elif tag in _DATES:
            _put_date(raw, _DATES[tag], child)
        elif tag == f"{_ATOM}id":
            _put(raw, "id", _guid_of(child))
        elif tag == f"{_DC}creator":
            has_creator = True
            authors.append(_creator_of(child))
        elif tag == f"{_ARXIV}primary_category":
            _put(raw, "arxiv_primary_category", {"term": _term_of(child)})
        else:
            _pass_over(child)
    pages = [link["href"] for link in links if link["rel"] == "alternate" and link["type"] in _PAGES]
    # The last page counts; without one, the id is taken for the link.
    return raw | {"authors": authors, "tags": tags, "links": links, "link": pages[-1] if pages else raw.get("id", "")}


def _put(raw: dict[str, Any], name: str, value: object) -> None:
    if name in raw:
        raise _UnsureError
    raw[name] = value


def _put_date(raw: dict[str, Any], name: str, element: Element) -> None:
    _put(raw, f"{name}_parsed", _parse_date(_text_of(element)))


def _text_of(element: Element, *, attributes: bool = False) -> str:
    # Asked for its keys, an element without attributes makes no dictionary to keep.
    if len(element) or (not attributes and element.keys()):
        raise _UnsureError
    text = (element.text or "").strip()
    return text if text.isascii() else _mended(text)


def _mended(text: str) -> str:
    # UTF-8 taken for Latin-1 and encoded again; Windows-1252 taken for Latin-1.
    with suppress(UnicodeError):
        text = text.encode("iso-8859-1").decode("utf-8")
    return text.translate(_WINDOWS)


def _address_of(element: Element) -> str:
    text = _text_of(element)
    # feedparser repairs entities and slashes in addresses.
    if not text or "&" in text or "///" in text:
        raise _UnsureError
    return text


def _guid_of(element: Element) -> str:
    if element.keys() not in ([], ["isPermaLink"]):
        raise _UnsureError
    text = _text_of(element, attributes=True)
    if "///" in text:
        raise _UnsureError
    return text


def _creator_of(element: Element) -> dict[str, str]:
    name = _text_of(element)
    if "@" in name:
        raise _UnsureError
    return {"name": name} if name else {}


def _author_of(element: Element) -> dict[str, str]:
    if element.attrib:
        raise _UnsureError
    names = []
    for child in element:
        if len(child) or child.attrib or child.tag not in {f"{_ATOM}name", f"{_ARXIV}affiliation"}:
            raise _UnsureError
        if child.tag == f"{_ATOM}name":
            names.append((child.text or "").strip())
    if len(names) != 1 or "".join([element.text or "", *(child.tail or "" for child in element)]).strip():
        raise _UnsureError
    return {"name": names[0]}


def _term_of(element: Element) -> str:
    term = element.attrib.get("term")
    if not term or element.attrib.keys() - {"term", "scheme"} or _text_of(element, attributes=True):
        raise _UnsureError
    return term


def _link_of(element: Element) -> dict[str, str]:
    found = element.attrib
    if "href" not in found or found.keys() - _LINK_ATTRIBUTES or _text_of(element, attributes=True):
        raise _UnsureError
    if not found["href"] or "///" in found["href"]:
        raise _UnsureError
    rel = found.get("rel", "alternate").lower()
    default = "application/atom+xml" if rel == "self" else "text/html"
    return {**found, "rel": rel, "type": found.get("type", default).lower()}


def _pass_over(element: Element) -> None:
    if element.tag in _LISTS and not element.attrib:
        for child in element:
            _pass_over(child)
    elif element.tag not in _UNREAD or element.keys() or len(element):
        raise _UnsureError


@lru_cache(maxsize=1024)
def _parse_date(text: str) -> time.struct_time:
    found = _MAIL_DATE.fullmatch(text)
    if found:
        day, month, year, *rest = found.groups(default="0")
        return _utc(int(year), _MONTHS.get(month, 0), int(day), rest)
    found = _ISO_DATE.fullmatch(text)
    if found is None:
        raise _UnsureError
    year, month, day, *rest = found.groups(default="0")
    return _utc(int(year), int(month), int(day), rest)


def _utc(year: int, month: int, day: int, rest: list[str]) -> time.struct_time:
    hour, minute, second, sign, zone_hours, zone_minutes = rest
    offset = dt.timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    moment = dt.datetime(year, month, day, int(hour), int(minute), int(second), tzinfo=dt.UTC)
    return (moment + offset if sign == "-" else moment - offset).utctimetuple()

"""Which work a text points to: arXiv ids, DOIs, and the one key a paper is known by.

Pure. arXiv ids follow https://info.arxiv.org/help/arxiv_identifier.html, DOIs https://www.doi.org/the-identifier/.
"""

import hashlib
import posixpath
import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

KEY_LENGTH = 200
DOI_LENGTH = 200  # Longer ones exist nowhere; what looks like one is a text gone wrong.

_NEW_STYLE = re.compile(r"(?P<id>(?P<year>[0-9]{2})(?P<month>[0-9]{2})\.(?P<number>[0-9]{4,5}))(?:v(?P<v>[0-9]{1,3}))?")
_OLD_STYLE = re.compile(
    r"(?P<archive>[a-z]+(?:-[a-z]+)?)(?:\.[a-z]{2}|\.[a-z]+-[a-z]+)?"
    r"/(?P<number>[0-9]{2}(?P<month>[0-9]{2})[0-9]{3})(?:v(?P<v>[0-9]{1,3}))?",
    re.IGNORECASE,
)
_ARXIV_PREFIX = re.compile(r"(?:oai:arxiv\.org:|arxiv:\s*|(?:doi:\s*)?10\.48550/arxiv\.)", re.IGNORECASE)
_SUBJECT = re.compile(r"\s\[[^\[\]]*\]$")  # as people quote it: arXiv:2509.02547v1 [cs.CL]
_ARXIV_HOSTS = ("arxiv.org", "huggingface.co", "alphaxiv.org")
_ARXIV_PATH = re.compile(r"/(?:abs|pdf|html|format|ps|src|e-print|papers)/(?P<id>.+?)(?:\.pdf)?/?", re.IGNORECASE)

# The archives that ever gave out ids of the old style, which ended in March 2007.
_OLD_ARCHIVES = re.compile(
    "acc-phys|adap-org|alg-geom|ao-sci|astro-ph|atom-ph|bayes-an|chao-dyn|chem-ph|cmp-lg|comp-gas|cond-mat|cs|dg-ga"
    "|funct-an|gr-qc|hep-ex|hep-lat|hep-ph|hep-th|math|math-ph|mtrl-th|nlin|nucl-ex|nucl-th|patt-sol|physics|plasm-ph"
    "|q-alg|q-bio|quant-ph|solv-int|supr-con"
)

_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/[^\s\"]+")
_DOI_PREFIX = re.compile(r"(?:doi:\s*|info:doi/|urn:doi:|https?://(?:dx\.|www\.)?doi\.org/)", re.IGNORECASE)
_PREPRINT_HOSTS = ("biorxiv.org", "medrxiv.org")
_PREPRINT_TAIL = re.compile(r"(?:v[0-9]{1,3})?(?:\.(?:abstract|full|full-text|full\.pdf|short))*", re.IGNORECASE)

# Parameters that say where a click came from, not which page is meant.
_TRACKING = re.compile(r"utm_.*|fbclid|gclid|mc_[ce]id|rss|feed|af|ref|cmpid|.*campaign.*", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._/:;()-]")


@dataclass(frozen=True, slots=True)
class ArxivId:
    """An arXiv id in its canonical form, like `2509.02547` or `math/0611800`, and the version where one was given."""

    id: str
    version: int | None = None


def parse_arxiv_id(text: str) -> ArxivId | None:
    """The arXiv id that the whole of this text is: bare, with `arXiv:`, an OAI id, an address of the paper, or its DOI.

    The subject class of an old id is dropped (`math.CA/0611800` is `math/0611800`); its archive is part of the id. A
    text that only mentions an id is none.
    """
    text = text.strip()
    if len(text) > 500:
        return None
    text = _SUBJECT.sub("", text)
    bare = _arxiv_part_of_address(text) if "://" in text else _ARXIV_PREFIX.sub("", text, count=1)
    return _new_style(bare) or _old_style(bare)


def parse_doi(text: str) -> str:
    """The DOI that this text is, or that stands in its address, in lower case; empty where there is none.

    DOIs are compared without regard to case (DOI Handbook, 2.4). bioRxiv and medRxiv write the version behind it.
    """
    text = text.strip()
    if _DOI_PREFIX.match(text):
        return _tidy_doi(unquote(_DOI_PREFIX.sub("", text, count=1)))
    if not text.lower().startswith(("http://", "https://")):
        return _tidy_doi(text)
    parts = _split(text)
    found = _DOI.search(unquote(parts.path)) if parts else None
    if parts is None or found is None:
        return ""
    doi = found[0].rstrip("/")
    if _is_host(parts.hostname, _PREPRINT_HOSTS):
        stem = re.match(r"10\.[0-9]+/(?:[0-9.]*[0-9])", doi)
        doi = stem[0] if stem and _PREPRINT_TAIL.fullmatch(doi[stem.end() :]) else doi
    return _tidy_doi(doi)


def paper_key(*, arxiv_id: ArxivId | None = None, doi: str = "", link: str = "", guid: str = "") -> str:
    """The version-less key of a paper: its arXiv id, else its DOI, else its address, else a hash of the source's id.

    `arxiv:2509.02547`, `doi:10.1101/287961`, `url:lab.example.org/papers/7`, `guid:` and 32 hexadecimal digits. At most
    200 characters, of letters, digits and `._/:;()-~` only: other characters of a DOI or an address are written as `~`
    and the hexadecimal digits of their bytes. Raises ValueError where all four are empty.
    """
    found = arxiv_id or next(filter(None, map(parse_arxiv_id, (doi, link))), None) or _arxiv_id_of_guid(guid)
    if found:
        return f"arxiv:{found.id}"
    known_doi = parse_doi(doi) or parse_doi(guid) or parse_doi(link)
    if known_doi:
        return _bounded("doi:" + _safe(known_doi))
    address = _normal_address(link)
    # A bare host is the home of all items rather than the address of one.
    if address and ("/" in address or "?" in address or not guid.strip()):
        return _bounded("url:" + _safe(address))
    if not guid.strip():
        raise ValueError("has no arXiv id, DOI, link or id to know it by")
    return "guid:" + _digest(guid.strip())


def _arxiv_part_of_address(text: str) -> str:
    parts = _split(text)
    if parts is None:
        return ""
    if _is_host(parts.hostname, ("doi.org",)):
        prefix = _ARXIV_PREFIX.match(parts.path.lstrip("/"))
        return parts.path.lstrip("/")[prefix.end() :] if prefix else ""
    path = _ARXIV_PATH.fullmatch(parts.path) if _is_host(parts.hostname, _ARXIV_HOSTS) else None
    return path["id"] if path else ""


def _new_style(text: str) -> ArxivId | None:
    match = _NEW_STYLE.fullmatch(text)
    # Numbers have five digits since January 2015, four before; the style began in April 2007.
    if match is None or not "01" <= match["month"] <= "12" or match["id"] < "0704":
        return None
    digits = 4 if match["year"] <= "14" else 5
    return ArxivId(match["id"], _version(match["v"])) if len(match["number"]) == digits else None


def _old_style(text: str) -> ArxivId | None:
    match = _OLD_STYLE.fullmatch(text)
    if match is None or not "01" <= match["month"] <= "12":
        return None
    if not _OLD_ARCHIVES.fullmatch(match["archive"].lower()):
        return None
    return ArxivId(f"{match['archive'].lower()}/{match['number']}", _version(match["v"]))


def _version(digits: str | None) -> int | None:
    return int(digits) or None if digits else None


def _arxiv_id_of_guid(guid: str) -> ArxivId | None:
    # A source may number its items as it likes; only one that says arXiv is believed.
    return parse_arxiv_id(guid) if "arxiv" in guid.lower() else None


def _tidy_doi(text: str) -> str:
    match = _DOI.fullmatch(text.strip().rstrip(".,;"))
    return match[0].lower() if match and len(match[0]) <= DOI_LENGTH else ""


def _normal_address(link: str) -> str:
    """Host, path and the query that matters. Without the scheme, since a page is the same by http and https."""
    parts = _split(link.strip())
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    path = posixpath.normpath(parts.path).strip("/") if parts.path.strip("/") else ""
    kept = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True)
        if not _TRACKING.fullmatch(name) and not (name == "source" and value.startswith("rss"))
    ]
    query = f"?{urlencode(sorted(kept))}" if kept else ""
    return f"{parts.hostname.rstrip('.')}{parts.port}/{path}".rstrip("/") + query


@dataclass(frozen=True, slots=True)
class _Parts:
    scheme: str
    hostname: str
    port: str  # with its colon; empty where it goes without saying
    path: str
    query: str


def _split(address: str) -> _Parts | None:
    try:
        parts = urlsplit(address)
        port = f":{parts.port}" if parts.port not in {None, 80, 443} else ""
        return _Parts(parts.scheme, (parts.hostname or "").lower(), port, parts.path, parts.query)
    except ValueError:  # http://[ or http://host:port
        return None


def _is_host(hostname: str, wanted: tuple[str, ...]) -> bool:
    return any(hostname == host or hostname.endswith("." + host) for host in wanted)


def _safe(text: str) -> str:
    return _UNSAFE.sub(lambda match: "".join(f"~{byte:02x}" for byte in match[0].encode("utf-8", "replace")), text)


def _bounded(key: str) -> str:
    return key if len(key) <= KEY_LENGTH else f"{key[: KEY_LENGTH - 33]}~{_digest(key)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]

"""Addresses of the pages of a long list: the first, with the span of days it takes, and each next one.

Every page stays on the host of the source: what a document gives is a token or a number, put into the source's own
address. A list always ends, since each page must bring something and none may lie beyond MAX_ITEMS.
"""

import datetime as dt
import re
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from papers.entries import ParsedFeed
from papers.feeds.kinds import SourceKind

MAX_ITEMS = 1_000_000
HF_PAGE = 100  # The most it gives; asked for none, it silently gives 50.
HF_SILENT_PAGE = 50
ARXIV_PAGE = 200
OPENREVIEW_PAGE = 1_000

_BIORXIV = re.compile(
    r"(?P<server>.*/details/[^/]+)/(?P<since>[^/]+)/(?P<until>[^/]+?)(?:/(?P<cursor>[0-9]+|\{cursor\}))?"
)
_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|\{(?:from|to)\}")


def first_page(*, kind: SourceKind, url: str, since: dt.date | None = None, until: dt.date | None = None) -> str:
    """The address to begin with, asking for these days (both included) where the kind has a way to.

    An address that already says something more exact, or is no list (a feed, one record), stays as it is.
    """
    match kind:
        case SourceKind.HF if _path(url).endswith("/daily_papers"):
            day = {"date": since.isoformat()} if since and since == until else {}
            return _with(url, day | {"limit": str(HF_PAGE)})
        case SourceKind.ARXIV_API if _path(url).endswith("/query"):
            return _first_of_search(url)
        case SourceKind.ARXIV_OAI:
            return _first_of_records(url, since, until)
        case SourceKind.BIORXIV:
            return _first_of_details(url, since, until)
        case SourceKind.OPENREVIEW if _path(url).endswith("/notes"):
            # The newest first, so that a look at the first page tells whether there is more.
            return _with_default(url, {"limit": str(OPENREVIEW_PAGE), "sort": "cdate:desc"})
    return url


def next_page(*, kind: SourceKind, url: str, feed: ParsedFeed) -> str:
    """The address of the page after the one at `url`, which held `feed`; empty after the last one.

    A page that holds nothing ends the list, though see `is_short`.
    """
    found = _count(feed)
    match kind:
        case SourceKind.ARXIV_OAI:
            return _resumed(url, feed.resume)
        case SourceKind.HF if found and _path(url).endswith("/daily_papers"):
            limit = min(_number(url, "limit") or HF_SILENT_PAGE, HF_PAGE)
            page = _number(url, "p") + 1
            return _with(url, {"p": str(page)}) if found >= limit and page * limit < MAX_ITEMS else ""
        case SourceKind.ARXIV_API if found and _path(url).endswith("/query"):
            return _from_number(url, "start", feed, found)
        case SourceKind.OPENREVIEW if found and _path(url).endswith("/notes"):
            return _from_number(url, "offset", feed, found)
        case SourceKind.BIORXIV if found and feed.resume.isascii() and feed.resume.isdigit():
            return _at_cursor(url, int(feed.resume))
    return ""


def is_short(*, kind: SourceKind, url: str, feed: ParsedFeed) -> bool:
    """Whether the page lacks what its source has: it is cut off, or empty before the list's end, as arXiv's API
    sometimes gives it. Asking once more for the same page mends that."""
    if any(_is_cut(problem.reason) for problem in feed.problems):
        return True
    name = {SourceKind.ARXIV_API: "start", SourceKind.OPENREVIEW: "offset"}.get(kind)
    return name is not None and _count(feed) == 0 and _number(url, name) < (feed.total or 0)


def _first_of_search(url: str) -> str:
    url = _with_default(url, {"max_results": str(ARXIV_PAGE)})
    if not _query(url).get("search_query") or "sortBy" in _query(url):
        return url
    # By relevance, which is its default, a list changes its order between two pages.
    return _with(url, {"sortBy": "submittedDate", "sortOrder": "descending"})


def _first_of_records(url: str, since: dt.date | None, until: dt.date | None) -> str:
    query = _query(url)
    is_endpoint = re.search(r"/oai[0-9]?/?$", _path(url)) is not None or "verb" in query
    if not is_endpoint or "resumptionToken" in query or query.get("verb", "ListRecords") != "ListRecords":
        return url
    url = _with_default(url, {"verb": "ListRecords", "metadataPrefix": "arXiv"})
    span = {name: day.isoformat() for name, day in (("from", since), ("until", until)) if day}
    return _with(url, span)


def _first_of_details(url: str, since: dt.date | None, until: dt.date | None) -> str:
    parts = _BIORXIV.fullmatch(_path(url).rstrip("/"))
    if parts is None or not (_ISO_DAY.fullmatch(parts["since"]) and _ISO_DAY.fullmatch(parts["until"])):
        return url
    days = (since.isoformat() if since else parts["since"], until.isoformat() if until else parts["until"])
    return _with_path(url, f"{parts['server']}/{days[0]}/{days[1]}/0")


def _at_cursor(url: str, cursor: int) -> str:
    parts = _BIORXIV.fullmatch(_path(url).rstrip("/"))
    if parts is None or not int(parts["cursor"] or 0) < cursor < MAX_ITEMS:
        return ""
    return _with_path(url, f"{parts['server']}/{parts['since']}/{parts['until']}/{cursor}")


def _resumed(url: str, token: str) -> str:
    query = _query(url)
    if not token or token == query.get("resumptionToken"):
        return ""
    # An exclusive argument: a request that repeats the others is refused.
    parts = urlsplit(url)
    words = f"verb={quote(query.get('verb') or 'ListRecords', safe='')}&resumptionToken={quote(token, safe='')}"
    return urlunsplit((parts.scheme, parts.netloc, parts.path, words, ""))


def _from_number(url: str, name: str, feed: ParsedFeed, found: int) -> str:
    following = _number(url, name) + found
    return _with(url, {name: str(following)}) if following < min(feed.total or 0, MAX_ITEMS) else ""


def _count(feed: ParsedFeed) -> int:
    """How many items the page brought whole; those of a page that was cut off come again with the next one."""
    return len(feed.entries) + sum(not _is_cut(problem.reason) for problem in feed.problems)


def _is_cut(reason: str) -> bool:
    return "cut off" in reason


def _path(url: str) -> str:
    return urlsplit(url).path


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def _number(url: str, name: str) -> int:
    digits = _query(url).get(name, "")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0


def _with_default(url: str, values: dict[str, str]) -> str:
    query = _query(url)
    return _with(url, {name: value for name, value in values.items() if name not in query})


def _with(url: str, values: dict[str, str]) -> str:
    """The address with these arguments; its others stay, letter for letter."""
    parts = urlsplit(url)
    kept = [piece for piece in parts.query.split("&") if piece and piece.partition("=")[0] not in values]
    added = [f"{name}={quote(value, safe='')}" for name, value in values.items()]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "&".join([*kept, *added]), ""))


def _with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))

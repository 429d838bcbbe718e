"""The feeds that a web page names, for an owner who gives the address of a page instead of its feed's
(https://www.rssboard.org/rss-autodiscovery)."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from papers.entries import FeedRefusedError
from papers.feeds.decoding import decode_xml
from papers.feeds.wording import take, take_link

MAX_FEEDS = 20
MAX_PAGE = 1_000_000  # Characters; the head of a page is a fraction of this.
TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# Each tag is read by itself: Python's parser takes quadratic time over some pages that are made for it.
_TAG = re.compile(r"<(?:link|base)\b[^<>]{1,2000}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed that a page names: what the page calls it, its full address, and its media type."""

    title: str
    url: str
    type: str


def find_feeds(body: bytes, *, url: str, content_type: str = "") -> tuple[FoundFeed, ...]:
    """The feeds of the page at this address, in its order, each once. Empty for what is no page; never raises."""
    try:
        text = decode_xml(body[: 4 * MAX_PAGE], content_type=content_type)[:MAX_PAGE]
    except FeedRefusedError:
        return ()
    base, found = url, dict[str, FoundFeed]()
    for tag in _TAG.findall(_COMMENT.sub("", text)):
        name, attributes = _read_tag(tag)
        if name == "base" and base == url:
            base = take_link(attributes.get("href"), base=url) or url
        feed = _feed_of(attributes, base=base) if name == "link" else None
        if feed and feed.url not in found and len(found) < MAX_FEEDS:
            found[feed.url] = feed
    return tuple(found.values())


def _feed_of(attributes: dict[str, str], *, base: str) -> FoundFeed | None:
    kind = attributes.get("type", "").partition(";")[0].strip().lower()
    address = take_link(attributes.get("href"), base=base)
    if kind not in TYPES or "alternate" not in attributes.get("rel", "").lower().split() or not address:
        return None
    return FoundFeed(title=take(attributes.get("title"))[:200], url=address, type=kind)


class _Tag(HTMLParser):
    """Keeps the one tag it is given."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.name = ""
        self.attributes: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.name = tag
        # The first of two attributes of one name counts, as in a browser.
        self.attributes = {name: value or "" for name, value in reversed(attrs)}


def _read_tag(tag: str) -> tuple[str, dict[str, str]]:
    reader = _Tag()
    reader.feed(tag)
    return reader.name, reader.attributes

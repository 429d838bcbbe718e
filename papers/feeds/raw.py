"""What feedparser's plain values say of an entry, for the adapters that read them."""

from collections.abc import Mapping
from typing import Any

from papers.feeds.wording import take, take_link
from papers.identity import ArxivId, parse_arxiv_id


def arxiv_id_of(raw: Mapping[str, Any]) -> ArxivId | None:
    """The arXiv id that the entry's id is or its link leads to."""
    # The id carries the version, the link does not.
    for name in ("id", "link"):
        found = parse_arxiv_id(str(raw.get(name) or ""))
        if found:
            return found
    return None


def author_fields(raw: Mapping[str, Any]) -> list[str]:
    """The author elements that say something."""
    return [author["name"] for author in raw.get("authors", ()) if author.get("name")]


def pdf_link_of(raw: Mapping[str, Any]) -> str:
    """The link that is titled pdf, which is how arXiv's Atom marks it."""
    return next((take_link(link.get("href")) for link in raw.get("links", ()) if link.get("title") == "pdf"), "")


def name_of(raw: Mapping[str, Any]) -> str:
    """What to call the entry in a problem."""
    return take(raw.get("id") or raw.get("link") or raw.get("title"))

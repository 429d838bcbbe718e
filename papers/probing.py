"""Trying an address before it becomes a source: what would come in, and from which feed. Nothing is kept."""

import datetime as dt
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from papers.entries import FeedRefusedError, ParsedFeed
from papers.feeds import FoundFeed, find_feeds, first_page, parse_feed
from papers.feeds.kinds import KIND_NAMES, SourceKind
from papers.fetching import FetchError
from papers.gates import HostClosedError
from papers.holidays import announcement_holidays
from papers.ingest import announcement_today, explain, fetch_page, fetch_policy, wait_after

# Somebody waits in front of the page.
PATIENCE = 5.0
LONGEST = 20.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What an address gave: the entries of its first page, or why there are none; `feeds` are those a page names.

    `url` is where the answer came from in the end, `asked` what was asked for.
    """

    asked: str
    kind: SourceKind
    url: str = ""
    feed: ParsedFeed | None = None
    error: str = ""
    feeds: tuple[FoundFeed, ...] = ()

    @property
    def kind_name(self) -> str:
        return KIND_NAMES[self.kind]


def probe(*, url: str, kind: str = "", now: dt.datetime) -> Probe:
    """Fetch the address as a source of this kind would be fetched, within the same limits, and read the answer."""
    expected = SourceKind(kind) if kind else guess_kind(url)
    today = announcement_today(now)
    asked = first_page(kind=expected, url=url, since=today - dt.timedelta(days=2), until=today)
    policy = replace(fetch_policy(), total_timeout=LONGEST)
    try:
        fetched = fetch_page(asked, policy=policy, now=now, patience=PATIENCE)
    except FetchError as error:
        wait_after(error)  # A host that asks for silence gets it from all of us.
        return Probe(asked, expected, error=explain(error, kind=expected))
    except HostClosedError as closed:
        return Probe(asked, expected, error=str(closed))
    try:
        feed = parse_feed(
            body=fetched.body,
            kind=expected,
            content_type=fetched.content_type,
            holidays=announcement_holidays().dates,
        )
    except FeedRefusedError as refusal:
        feeds = find_feeds(fetched.body, url=fetched.url, content_type=fetched.content_type)
        return Probe(asked, expected, url=fetched.url, error=str(refusal), feeds=feeds)
    return Probe(asked, expected, url=fetched.url, feed=feed)


def guess_kind(url: str) -> SourceKind:
    """The kind of source that an address looks like; any other is taken for a feed."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path
    if host == "arxiv.org" or host.endswith(".arxiv.org"):
        if "oai" in host or path.startswith("/oai"):
            return SourceKind.ARXIV_OAI
        return SourceKind.ARXIV_API if path.startswith("/api/") else SourceKind.ARXIV
    if host == "huggingface.co" and path.startswith("/api/daily_papers"):
        return SourceKind.HF
    if host.endswith(("biorxiv.org", "medrxiv.org")):
        return SourceKind.BIORXIV
    return SourceKind.OPENREVIEW if host.startswith("api") and host.endswith("openreview.net") else SourceKind.RSS

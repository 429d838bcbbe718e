"""A channel in Atom (RFC 4287) and RSS 2.0, both by Django's own writers, and in JSON Feed 1.1 (jsonfeed.org)."""

import datetime as dt
import json
from typing import Any

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed

from digests.syndication.channels import Channel, Item

CONTENT_TYPES = {
    "atom": "application/atom+xml; charset=utf-8",
    "rss": "application/rss+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}


class _AtomFeed(Atom1Feed):
    """Atom with all authors of a paper, and the same instant each time it is asked."""

    def latest_post_date(self) -> dt.datetime:
        return self.feed["updated_at"]  # type: ignore[no-any-return]

    def add_item_elements(self, handler: Any, item: dict[str, Any]) -> None:
        for name in item["authors"]:
            handler.startElement("author", {})
            handler.addQuickElement("name", name)
            handler.endElement("author")
        super().add_item_elements(handler, item)


class _RssFeed(Rss201rev2Feed):
    def latest_post_date(self) -> dt.datetime:
        return self.feed["updated_at"]  # type: ignore[no-any-return]

    def add_item_elements(self, handler: Any, item: dict[str, Any]) -> None:
        for name in item["authors"]:
            handler.addQuickElement("dc:creator", name, {"xmlns:dc": "http://purl.org/dc/elements/1.1/"})
        super().add_item_elements(handler, item)


def write_feed(channel: Channel, form: str) -> str:
    """The document. `form` is atom, rss or json."""
    if form == "json":
        return _json(channel)
    writer = {"atom": _AtomFeed, "rss": _RssFeed}[form]
    feed = writer(
        title=channel.title,
        link=channel.url,
        description=channel.subtitle,
        subtitle=channel.subtitle if form == "atom" else None,
        language="en",
        author_name=settings.SITE_NAME if form == "atom" else None,
        feed_url=channel.self_url,
        feed_guid=channel.id,
        ttl=60 if form == "rss" else None,
        updated_at=channel.updated_at,
    )
    for item in channel.items:
        feed.add_item(
            title=item.title,
            link=item.url,
            description=item.abstract,
            unique_id=item.id,
            unique_id_is_permalink=False,
            pubdate=item.published_at,
            updateddate=item.updated_at,
            categories=item.topics,
            authors=item.authors,
        )
    return feed.writeString("utf-8")


def _json(channel: Channel) -> str:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "description": channel.subtitle,
        "home_page_url": channel.url,
        "feed_url": channel.self_url,
        "language": "en",
        "authors": [{"name": settings.SITE_NAME, "url": f"{settings.SITE_URL}/"}],
        "items": [_json_item(item) for item in channel.items],
    }
    return json.dumps(feed, ensure_ascii=False, indent=1)


def _json_item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "url": item.url,
        "title": item.title,
        "content_text": item.abstract or item.title,
        "date_published": item.published_at.isoformat(),
        "date_modified": item.updated_at.isoformat(),
        "authors": [{"name": name} for name in item.authors],
        "tags": list(item.topics),
    }

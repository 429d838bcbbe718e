"""The feeds that a web page names."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from papers.feeds import FoundFeed, find_feeds
from papers.feeds.discovery import MAX_FEEDS

PAGE = "https://lab.example.org/papers/index.html"
RSS, ATOM, JSON = "application/rss+xml", "application/atom+xml", "application/feed+json"


def found(html: str) -> list[tuple[str, str]]:
    return [(feed.title, feed.url) for feed in find_feeds(html.encode(), url=PAGE)]


def test_page_names_its_feeds_with_full_addresses() -> None:
    html = f"""<!doctype html><html><head><title>Lab</title>
    <link rel="alternate" type="{RSS}" title="Papers &amp; notes" href="/feed.xml">
    <LINK REL='Alternate Home' TYPE='{ATOM}; charset=utf-8' HREF=atom>
    <link rel="alternate" type="{JSON}" href="//cdn.example.org/feed.json"/>
    </head><body></body></html>"""
    assert find_feeds(html.encode(), url=PAGE) == (
        FoundFeed(title="Papers & notes", url="https://lab.example.org/feed.xml", type=RSS),
        FoundFeed(title="", url="https://lab.example.org/papers/atom", type=ATOM),
        FoundFeed(title="", url="https://cdn.example.org/feed.json", type=JSON),
    )


def test_addresses_are_relative_to_the_base_of_the_page() -> None:
    html = f'<base href="https://www.example.org/a/"><base href="/b/"><link rel=alternate type={RSS} href=feed>'
    assert found(html) == [("", "https://www.example.org/a/feed")]


@pytest.mark.parametrize(
    "html",
    [
        "",
        "plain words",
        f'<link rel="stylesheet" type="{RSS}" href="/feed">',
        '<link rel="alternate" hreflang="de" href="/de">',
        '<link rel="alternate" type="text/html" href="/de">',
        f'<link rel="alternate" type="{RSS}">',
        f'<link rel="alternate" type="{RSS}" href="javascript:alert(1)">',
        f'<link rel="alternate" type="{RSS}" href="file:///etc/passwd">',
        f'<link rel="alternate" type="{RSS}" href="http://[">',
        f'<!-- <link rel="alternate" type="{RSS}" href="/feed"> -->',
        f'<!-- <link rel="alternate" type="{RSS}" href="/feed">',
        "\x1f\x8b\x08",
    ],
)
def test_whatever_is_no_link_to_a_feed_is_left_out(html: str) -> None:
    assert found(html) == []


def test_feed_named_twice_comes_once_and_the_list_has_an_end() -> None:
    same = f'<link rel="alternate" type="{RSS}" href="/feed">' * 3
    many = "".join(f'<link rel="alternate" type="{RSS}" href="/feed/{number}">' for number in range(100))
    assert len(found(same)) == 1
    assert len(found(many)) == MAX_FEEDS


@pytest.mark.parametrize(
    "piece", ["<link ", "<!--", "<link a=", "<base ", "<![", '<link rel="', "<", "&", "<link <link>"]
)
def test_page_made_to_take_long_does_not(piece: str) -> None:
    began = time.process_time()
    find_feeds(piece.encode() * (3_000_000 // len(piece)), url=PAGE)
    assert time.process_time() - began < 5


@given(st.binary(max_size=300), st.text(max_size=50))
def test_any_bytes_name_feeds_or_none(noise: bytes, url: str) -> None:
    for body in (noise, b'<link rel="alternate" type="application/rss+xml" href="' + noise + b'">'):
        assert all(feed.url.startswith("http") for feed in find_feeds(body, url=url))

"""The quick reader beside feedparser: the same result for every document, or none."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any
from unittest import mock

import feedparser.html
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papers.entries import FeedRefusedError, ParsedFeed
from papers.feeds import parse_feed, quick, xml

FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
CAPTURES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "feeds"
KINDS = ("arxiv", "arxiv_api", "rss")
RSS = (FOLDER / "arxiv_rss.xml").read_text()
ATOM = (FOLDER / "arxiv_atom_plain.xml").read_text()
ANSWER = (FOLDER / "arxiv_api_answer.xml").read_text()

WORDS = st.text(alphabet="abc &<>\"';#xé\x85ÃŒ©\u2028\n\t\\$%@(),.:/?=-[]{}İ", max_size=40)
DATES = st.one_of(
    st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30)).flatmap(  # noqa: DTZ001
        lambda moment: st.sampled_from(
            [
                moment.strftime("%a, %d %b %Y %H:%M:%S -0400"),
                moment.strftime("%a, %d %b %Y %H:%M:%S +0530"),
                moment.strftime("%a, %d %b %Y %H:%M:%S GMT"),
                moment.strftime("%d %b %Y"),
                moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                moment.strftime("%Y-%m-%dT%H:%M:%S.%f+00:00"),
                moment.strftime("%Y-%m-%dT%H:%M:%S-11:30"),
                moment.strftime("%Y-%m-%d"),
            ]
        )
    ),
    st.sampled_from(["", "yesterday", "Mon, 31 Feb 2025 00:00:00 GMT", "2025-02-30T00:00:00Z", "1e5-01-01T00:00:00Z"]),
)
LINKS = st.one_of(
    st.sampled_from(
        [
            "https://arxiv.org/abs/2509.02547",
            "https://arxiv.org/abs/2509.02547v3",
            "https://x.example.org/a?b=1&c;=2",
            "https:////x.example.org//a",
            "/relative",
            "",
            "http://[",
            "oai:arXiv.org:2509.02547v2",
            "javascript:alert(1)",
        ]
    ),
    WORDS,
)


@contextmanager
def only_feedparser() -> Iterator[None]:
    with mock.patch.object(xml, "QUICK_IS_ON", new=False):
        yield


def read(body: bytes, kind: str) -> ParsedFeed | str:
    try:
        return parse_feed(body=body, kind=kind)
    except FeedRefusedError as refusal:
        return str(refusal)


def compare(body: bytes) -> None:
    for kind in KINDS:
        found = read(body, kind)
        with only_feedparser():
            assert found == read(body, kind)


def is_read_quickly(body: bytes) -> bool:
    with mock.patch.object(xml, "cut_into_pieces", side_effect=AssertionError):
        try:
            parse_feed(body=body, kind="rss")
        except AssertionError:
            return False
    return True


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.xml")), ids=lambda path: path.name)
def test_document_of_ours_reads_the_same(path: Path) -> None:
    compare(path.read_bytes())


@pytest.mark.slow
@pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured feeds are not here")
@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.xml")), ids=lambda path: path.name)
def test_captured_document_reads_the_same(path: Path) -> None:
    compare(path.read_bytes())


@pytest.mark.parametrize("body", [RSS, ATOM, ANSWER], ids=["rss", "atom", "api"])
def test_what_arxiv_sends_every_day_is_read_quickly(body: str) -> None:
    assert is_read_quickly(body.encode())


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("<title>", '<title type="html">'),
        ("<title>", "<title><b>x</b>"),
        ("</title>", "</title><title>Another</title>"),
        ("<title>", "<title><![CDATA[<item>]]>"),
        ("<item>", "<!-- <item> --><item>"),
        ("<item>", '<item xml:base="https://x.example.org/">'),
        ("<item>", '<item xmlns:arxiv="https://x.example.org/">'),
        ("<item>", '<item><content:encoded xmlns:content="http://purl.org/rss/1.0/modules/content/">x</content:encoded>'),
        ("<item>", "<item><author>a@example.org (Ann Lee)</author>"),
        ("<item>", "<item><svg>"),
        ("<item>", "<item><enclosure url='https://x.example.org/a.pdf' type='application/pdf'/>"),
        ("<item>", "<item><source url='https://x.example.org/'>x</source>"),
        ("<item>", "<x:item xmlns:x='http://purl.org/rss/1.0/'><title>y</title></x:item><item>"),
        ("<channel>", "<channel><image><url>https://x.example.org/i.png</url><title>I</title></image>"),
        ("<channel>", "<channel xml:lang='de'>"),
        ("<atom:link ", "<atom:link rel='alternate' "),
        ('rel="self"', 'rel="alternate"'),
        ('rel="self"', 'rel="self" href2="x"'),
        ('href="http://rss', 'href="" title="'),
        ("<link>", "<link/><x>"),
        ("<docs>", "<docs><b/>"),
        ("<day>", "<day><b/>"),
        ("xmlns:dc=", "xmlns:DC="),
        ("http://arxiv.org/schemas/atom", "http://x.example.org/"),
        ('version="2.0"', 'version="0.91"'),
        ('isPermaLink="false"', 'isPermaLink="true"'),
        ('isPermaLink="false"', ""),
        ("</rss>", "</rss><!-- 3 ms -->"),
        ("</rss>", ""),
        ("<link>https", "<link>https:///"),
        ("<dc:creator>", "<dc:creator>a@b.example.org, "),
        ("<category>", '<category domain="https://x.example.org/">'),
        ("<category>", '<category term="cs.AI">'),
    ],
)  # fmt: skip
def test_whatever_else_stands_in_a_feed_means_what_feedparser_says(what: str, instead: str) -> None:
    assert what in RSS
    compare(RSS.replace(what, instead).encode())
    compare(RSS.replace(what, instead, 1).encode())


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("<summary>", '<summary type="html">&lt;p&gt;'),
        ("<summary>", '<summary type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">x</div>'),
        ("<summary>", "<content>Whole text</content><summary>"),
        ("<summary>", "<summary>&lt;b&gt;not bold&lt;/b&gt; &amp;amp; "),
        ('rel="alternate"', ""),
        ('rel="alternate"', 'rel="related"'),
        ('rel="alternate"', 'rel="ALTERNATE"'),
        ('type="text/html"', 'type="application/pdf" title="pdf"'),
        ('href="', 'xml:base="https://x.example.org/" href="'),
        ("<author>", "<author>Somebody "),
        ("<author>", "<author><email>a@example.org</email>"),
        ("<author>", "<author><arxiv:affiliation>MIT</arxiv:affiliation>"),
        ("<dc:creator>", "<dc:creator>Cy Wu</dc:creator><author><name>Di Xu</name></author><dc:creator>"),
        ("<dc:creator>", "<author><name>Di Xu</name></author><dc:creator>"),
        ("<entry>", "<entry><contributor><name>Cy Wu</name></contributor>"),
        ("<entry>", "<entry><dc:creator>Ann Lee, Bo Li</dc:creator>"),
        ("<feed ", '<feed xml:lang="en-us" '),
        ("<feed ", '<feed xml:base="https://x.example.org/" '),
        ("<feed ", '<feed lang="de" '),
        ("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#"),
        ('term="', 'label="x" term="'),
    ],
)
def test_whatever_else_stands_in_an_atom_feed_means_what_feedparser_says(what: str, instead: str) -> None:
    assert what in ANSWER + ATOM
    for document in (ANSWER, ATOM):
        compare(document.replace(what, instead).encode())
        compare(document.replace(what, instead, 1).encode())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_rss_items_read_the_same(data: st.DataObject) -> None:
    names = {
        "title": WORDS,
        "link": LINKS,
        "description": WORDS,
        'guid isPermaLink="false"': LINKS,
        "guid": LINKS,
        "category": st.sampled_from(["cs.CL", " cs.AI ", "68U10", "", "é"]),
        "pubDate": DATES,
        "arxiv:announce_type": st.sampled_from(["new", "cross", "replace", "", "é"]),
        "arxiv:DOI": WORDS,
        "dc:creator": WORDS,
        "dc:rights": WORDS,
    }
    compare(_document(data, names, RSS.partition("<item>")[0], "item", "</channel></rss>").encode())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_atom_entries_read_the_same(data: st.DataObject) -> None:
    names = {
        "title": WORDS,
        "id": LINKS,
        "summary": WORDS,
        "published": DATES,
        "updated": DATES,
        "arxiv:announce_type": st.sampled_from(["new", "cross", "replace"]),
        "arxiv:comment": st.sampled_from(["This paper has been withdrawn", "é"]),
        "dc:creator": WORDS,
        "author><name": WORDS,
    }
    head = data.draw(st.sampled_from([ANSWER.partition("<entry>")[0], ATOM.partition("<entry>")[0]]))
    if "xmlns:dc" not in head:
        del names["dc:creator"]
    compare(_document(data, names, head, "entry", "</feed>").encode())


def _document(data: st.DataObject, names: dict[str, Any], head: str, entry: str, end: str) -> str:
    """Entries of some of these elements, in any order, each now and then twice."""
    entries = []
    for _ in range(data.draw(st.integers(1, 3))):
        parts = []
        for name in data.draw(st.lists(st.sampled_from(sorted(names)), max_size=9)):
            closing = "".join(f"</{part.split()[0]}>" for part in reversed(name.split("><")))
            parts.append(f"<{name}>{escape(data.draw(names[name]), quote=False)}{closing}")
        if entry == "entry" and data.draw(st.booleans()):
            href = escape(data.draw(LINKS))
            rel = data.draw(st.sampled_from(["", 'rel="alternate"', 'rel="x"']))
            parts.insert(0, f'<link href="{href}" {rel}/>')
        entries.append(f"<{entry}>{''.join(parts)}</{entry}>")
    return f"{head}{''.join(entries)}{end}"


@settings(max_examples=300, deadline=None)
@given(DATES)
def test_dates_are_read_as_feedparser_reads_them(date: str) -> None:
    try:
        found = quick._parse_date(date)
    except (quick._UnsureError, ValueError, OverflowError):
        return
    body = f"<rss version='2.0'><channel><pubDate>{date}</pubDate></channel></rss>".encode()
    assert feedparser.parse(body)["feed"]["published_parsed"] == found


def test_windows_characters_are_those_of_feedparser() -> None:
    assert feedparser.html._cp1252 == quick._WINDOWS


def test_more_entries_than_the_limit_are_left_to_the_other_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "MAX_ENTRIES", 2)
    compare(RSS.encode())

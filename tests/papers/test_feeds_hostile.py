"""Documents that are broken, cut off, too large, or made to hurt."""

import contextlib
import datetime as dt
import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papers import feeds
from papers.entries import FeedRefusedError, ParsedFeed
from papers.feeds import MAX_PROBLEMS, parse_feed, xml
from papers.feeds.json_list import MAX_ITEMS

HEAD = b'<rss version="2.0"><channel><title>A feed</title>'
TAIL = b"</channel></rss>"
FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
SMALL = {kind: (FOLDER / name).read_bytes() for kind, name in (("arxiv", "arxiv_rss.xml"), ("hf", "hf_2025.json"))}
SMALL["rss"] = (FOLDER / "rss_journal.xml").read_bytes()


def item(number: int, inside: bytes = b"") -> bytes:
    return b"<item><title>Title %d</title><link>https://x.example.org/%d</link>%b</item>" % (number, number, inside)


def rss(*items: bytes, content_type: str = "", before: bytes = b"", after: bytes = b"") -> ParsedFeed:
    body = before + HEAD + b"".join(items) + TAIL + after
    return parse_feed(body=body, kind="rss", content_type=content_type)


def titles(feed: ParsedFeed) -> list[str]:
    return [entry.title for entry in feed.entries]


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "empty"),
            (b" \n\t", "empty"),
            (b"<?xml version='1.0'?><!-- nothing -->", "empty"),
            (b"<!DOCTYPE html><html><body>Not found</body></html>", "web page"),
            (b"\n<!-- hello --><HTML lang='en'>", "web page"),
            (b"plain words", "not XML"),
            (b"[1]", "not XML"),
            (b"/etc/passwd", "not XML"),
            (b"http://127.0.0.1:1/", "not XML"),
            (b"\x1f\x8b\x08\x00rest", "compressed"),
            (b"<OAI-PMH><x/></OAI-PMH>", "OAI-PMH"),
            (b'<!DOCTYPE r [<!ENTITY lol "lol">]><rss><channel/></rss>', "document type"),
            (b'<?xml version="1.0"?><!-- x --><!doctype rss SYSTEM "http://127.0.0.1:1/x"><rss/>', "document type"),
            (b'<!ENTITY a "b"><rss/>', "entities"),
            ('<!DOCTYPE r [<!ENTITY lol "lol">]><rss/>'.encode("utf-16"), "document type"),
            (b"<?xml version='1.0' encoding='utf-7'?>+ADwAIQ-DOCTYPE r+AD4-<rss/>", "not XML"),
        ],
    )
    @pytest.mark.parametrize("kind", ["arxiv", "rss"])
    def test_what_is_no_feed_is_refused_with_a_sentence(self, body: bytes, message: str, kind: str) -> None:
        with pytest.raises(FeedRefusedError, match=message):
            parse_feed(body=body, kind=kind)

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "empty"),
            (b"<html>", "web page"),
            (b"null", "begins with 'null'"),
            (b'{"error": "Invalid date"}', "^Invalid date$"),
            (b'{"papers": []}', "JSON object"),
            (b"{", "JSON object"),
        ],
    )
    def test_what_is_no_list_is_refused_with_a_sentence(self, body: bytes, message: str) -> None:
        with pytest.raises(FeedRefusedError, match=message):
            parse_feed(body=body, kind="hf")

    def test_unknown_kind_is_refused(self) -> None:
        with pytest.raises(FeedRefusedError, match="'gopher'"):
            parse_feed(body=HEAD + TAIL, kind="gopher")

    def test_markup_that_only_speaks_of_document_types_is_none(self) -> None:
        feed = rss(item(1, b"<description><![CDATA[Write <!DOCTYPE html> and <!ENTITY x>.]]></description>"))
        assert len(feed.entries) == 1


class TestBroken:
    def test_bad_entry_between_good_ones_does_not_stop_them(self) -> None:
        feed = rss(item(1), b"<item><title>&#99999999999;</title></item>", item(2))
        assert titles(feed) == ["Title 1", "Title 2"]
        assert [problem.item for problem in feed.problems] == ["entry 2"]

    def test_good_entries_keep_their_text_beside_a_broken_one(self) -> None:
        escaped = b"<description>$a&lt;b$ and &lt;think&gt; stay</description>"
        feed = rss(item(1, escaped), item(2, b"<description>Salt & pepper<br></description>"))
        assert feed.entries[0].abstract == "$a<b$ and <think> stay"
        assert feed.entries[1].abstract.startswith("Salt & pepper")

    def test_entry_without_an_end_is_followed_by_the_next(self) -> None:
        assert titles(rss(item(1), b"<item><title>No end</title>", item(2))) == ["Title 1", "No end", "Title 2"]

    def test_words_behind_the_feed_do_not_matter(self) -> None:
        feed = rss(item(1), after=b"\n<!-- 3 ms --><script>x()</script>")
        assert (titles(feed), feed.problems) == (["Title 1"], ())

    def test_control_characters_do_not_matter(self) -> None:
        assert titles(rss(b"<item><title>A\x00 \x0bB</title><guid>1</guid></item>")) == ["A B"]

    @pytest.mark.parametrize("end", range(5, len(SMALL["rss"]) - 20, 97))
    def test_wherever_a_feed_is_cut_its_whole_entries_come_in(self, end: int) -> None:
        whole = SMALL["rss"][:end].count(b"</item>")
        try:
            feed = parse_feed(body=SMALL["rss"][:end], kind="rss")
        except FeedRefusedError:
            assert end < SMALL["rss"].index(b"<channel>")
            return
        assert (len(feed.entries), len(feed.problems)) == (whole, 1)
        assert "cut off" in feed.problems[0].reason

    @pytest.mark.parametrize("end", range(1, len(SMALL["hf"]) - 2, 131))
    def test_wherever_a_list_is_cut_its_whole_items_come_in(self, end: int) -> None:
        feed = parse_feed(body=SMALL["hf"][:end], kind="hf")
        all_keys = [entry.key for entry in parse_feed(body=SMALL["hf"], kind="hf").entries]
        assert [entry.key for entry in feed.entries] == all_keys[: len(feed.entries)]
        assert "cut off" in feed.problems[-1].reason

    def test_items_of_odd_shapes_are_problems(self) -> None:
        good = {"paper": {"id": "2509.02547", "title": "Good\ud800\u0000 one", "authors": 5, "upvotes": 1e99}}
        feed = parse_feed(body=json.dumps([1, None, "x", {}, {"paper": []}, {"paper": {}}, good]).encode(), kind="hf")
        [entry] = feed.entries
        assert len(feed.problems) == 6
        entry.title.encode()
        assert "\x00" not in entry.title
        assert entry.signals.upvotes is None

    def test_deep_nesting_is_a_problem(self) -> None:
        feed = parse_feed(body=b'[{"paper":{"id":"2509.02547","title":"x"}},' + b"[" * 100_000, kind="hf")
        assert (len(feed.entries), len(feed.problems)) == (1, 1)


class TestLimits:
    def test_title_of_a_megabyte_is_a_problem(self) -> None:
        feed = rss(b"<item><title>" + b"x" * 10**6 + b"</title></item>", item(2))
        assert titles(feed) == ["Title 2"]
        assert "1,000,000 characters" in feed.problems[0].reason

    def test_endless_abstract_ends_in_an_ellipsis(self) -> None:
        [entry] = rss(item(1, b"<description>" + b"word " * 50_000 + b"</description>")).entries
        assert len(entry.abstract) <= 20_000
        assert entry.abstract.endswith("word…")

    def test_endless_authors_are_cut(self) -> None:
        [entry] = rss(item(1, b"<author>" + b"a, " * 20_000 + b"b" * 5_000 + b"</author>")).entries
        assert len(entry.authors) <= 6_000
        assert max(map(len, entry.authors)) <= 300

    def test_entries_beyond_the_limit_are_counted_in_a_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xml, "MAX_ENTRIES", 3)
        feed = rss(*map(item, range(5)))
        assert titles(feed) == ["Title 0", "Title 1", "Title 2"]
        assert [problem.reason for problem in feed.problems] == ["2 were not read"]

    def test_broken_entries_beyond_their_limit_are_counted_in_a_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(xml, "MAX_BROKEN_ENTRIES", 2)
        feed = rss(*(item(number, b"<x>") for number in range(5)))
        assert titles(feed) == ["Title 0", "Title 1"]
        assert feed.problems[-1].reason.startswith("3 were not read")

    @pytest.mark.parametrize("piece", [(b"<a>", b"</a>"), (b"<a/>", b""), (b"<item>", b"</item>")])
    def test_document_made_to_keep_the_reader_busy_is_refused_or_read_in_time(self, piece: tuple[bytes, bytes]) -> None:
        began = time.process_time()
        with contextlib.suppress(FeedRefusedError):
            parse_feed(body=HEAD + piece[0] * 700_000 + piece[1] * 700_000 + TAIL, kind="rss")
        assert time.process_time() - began < 20

    def test_long_lists_end_with_a_problem(self) -> None:
        feed = parse_feed(body=b"[" + b",".join([b"0"] * (MAX_ITEMS + 1)) + b"]", kind="hf")
        assert len(feed.problems) == MAX_PROBLEMS + 1
        assert feed.problems[-1].reason == f"{MAX_ITEMS + 1 - MAX_PROBLEMS:,} more could not be taken"

    @pytest.mark.parametrize(
        "date", ["0000-01-01", "Mon, 01 Jan 9999 00:00:00 GMT", "0001-01-01T00:00:00Z", "yesterday", ""]
    )
    def test_impossible_dates_are_no_dates(self, date: str) -> None:
        [entry] = rss(item(1, f"<pubDate>{date}</pubDate>".encode())).entries
        assert entry.announced_date is None

    @pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon", 5, None])
    def test_impossible_instants_are_no_dates(self, date: object) -> None:
        paper = {"id": "2509.02547", "title": "x", "submittedOnDailyAt": date, "publishedAt": date}
        [entry] = parse_feed(body=json.dumps([{"paper": paper, "publishedAt": date}]).encode(), kind="hf").entries
        assert entry.announced_date is None

    @pytest.mark.parametrize("link", ["javascript:alert(1)", "http://[", "http://a b/", "https://x.org/" + "y" * 600])
    def test_links_no_browser_should_follow_are_left_out(self, link: str) -> None:
        feed = rss(b"<item><title>A title</title><link>" + link.encode() + b"</link></item>")
        assert feed.entries[0].link == ""
        assert feed.entries[0].key.startswith(("guid:", "url:"))


class TestDays:
    @pytest.mark.parametrize(
        ("written", "day"),
        [
            ("Tue, 05 May 2026 00:00:00 -0400", dt.date(2026, 5, 5)),  # midnight in New York, summer
            ("Tue, 06 Jan 2026 00:00:00 -0500", dt.date(2026, 1, 6)),  # and winter
            ("Wed, 03 Sep 2025 00:00:00 +0000", dt.date(2025, 9, 3)),  # a bare day
            ("2018-03-23", dt.date(2018, 3, 23)),
            ("Wed, 03 Sep 2025 01:00:00 +0000", dt.date(2025, 9, 2)),  # still the evening before in New York
            ("2025-09-03T23:30:00-07:00", dt.date(2025, 9, 4)),
        ],
    )
    def test_day_is_the_one_in_new_york(self, written: str, day: dt.date) -> None:
        [entry] = rss(item(1, f"<pubDate>{written}</pubDate>".encode())).entries
        assert entry.announced_date == day


class TestEncodings:
    TEXT = "Erdős – naïve"

    def feed(self, encoding: str, declared: str = "") -> bytes:
        declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
        return f"{declaration}{HEAD.decode()}<item><title>{self.TEXT}</title></item>{TAIL.decode()}".encode(encoding)

    @pytest.mark.parametrize(
        ("encoding", "declared", "content_type"),
        [
            ("utf-8", "", ""),
            ("utf-8-sig", "", ""),
            ("utf-8", "iso-8859-1", "text/xml; charset=iso-8859-1"),  # UTF-8, whatever the server says
            ("utf-8", "zlib", "text/xml; charset=rot13"),
            ("utf-16", "utf-16", ""),
            ("utf-16-le", "", "application/xml; charset=utf-16le"),
            ("iso-8859-16", "", 'application/xml; charset="ISO-8859-16"'),
        ],
    )
    def test_text_arrives_as_written(self, encoding: str, declared: str, content_type: str) -> None:
        text = self.TEXT if encoding != "iso-8859-16" else self.TEXT.replace("–", "-")
        body = self.feed("utf-8", declared).replace(self.TEXT.encode(), text.encode()).decode().encode(encoding)
        assert titles(parse_feed(body=body, kind="rss", content_type=content_type)) == [text]

    def test_one_bad_byte_changes_no_other_letter(self) -> None:
        [title] = titles(rss("<item><title>äöü çé ñ ß å ø æ".encode() + b"\xff!</title><guid>1</guid></item>"))
        assert title == "äöü çé ñ ß å ø æ\ufffd!"

    def test_windows_text_without_a_word_about_it_is_guessed(self) -> None:
        assert titles(rss(b"<item><title>\x93na\xefve\x94</title><guid>1</guid></item>")) == ["“naïve”"]


class TestFuzz:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def test_damaged_documents_are_read_or_refused(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(sorted(SMALL)))
        body = bytearray(SMALL[kind])
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(body) - 1))
            damage = data.draw(
                st.sampled_from([b"", b"<", b">", b"&", b'"', b"]]>", b"\x00", b"\xff", b"<item>", b"{"])
            )
            body[at : at + data.draw(st.integers(0, 12))] = damage
        try:
            feed = parse_feed(body=bytes(body), kind=kind)
        except FeedRefusedError:
            return
        for entry in feed.entries:
            assert entry.key
            assert 0 < len(entry.title) <= 1_000
            json.dumps([entry.title, entry.abstract, entry.authors], ensure_ascii=False).encode()

    @settings(max_examples=40, deadline=None)
    @given(st.binary(max_size=200), st.sampled_from(feeds.KINDS))
    def test_any_bytes_are_read_or_refused(self, noise: bytes, kind: str) -> None:
        for body in (noise, HEAD + b"<item><title>" + noise + b"</title></item>" + TAIL, b"[" + noise):
            with contextlib.suppress(FeedRefusedError):
                parse_feed(body=body, kind=kind)

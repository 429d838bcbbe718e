"""The APIs of sources gone wrong: what they send that nobody asked for, and what somebody made to hurt."""

import contextlib
import datetime as dt
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papers.entries import AnnouncementKind, Entry, FeedRefusedError, ParsedFeed
from papers.feeds import KINDS, ResumeRefusedError, parse_feed
from papers.feeds.collecting import collect_entries

FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
SAMPLES = {
    "arxiv_oai": "arxiv_oai_records.xml",
    "arxiv_api": "arxiv_api_answer.xml",
    "biorxiv": "biorxiv_api.json",
    "openreview": "openreview_notes.json",
    "rss": "rss_json_feed.json",
}
SMALL = {kind: (FOLDER / name).read_bytes() for kind, name in SAMPLES.items()}
JSON_KINDS = {"biorxiv": "collection", "openreview": "notes", "rss": "items"}
ODD = [
    None,
    True,
    0,
    -1,
    10**400,
    1e308,
    "",
    "x" * 5_000,
    "\ud800\u0000",
    [],
    [[]],
    {},
    {"value": {"value": 1}},
    [None],
]


def records(*inside: str, after: str = "", head: str = "") -> bytes:
    namespace = "http://www.openarchives.org/OAI/2.0/"
    return f'{head}<OAI-PMH xmlns="{namespace}"><ListRecords>{"".join(inside)}</ListRecords>{after}</OAI-PMH>'.encode()


def record(number: int, inside: str = "", *, title: str = "A title") -> str:
    return (
        f"<record><header><identifier>oai:arXiv.org:2603.{number:05}</identifier><datestamp>2026-03-04</datestamp>"
        f'</header><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2603.{number:05}</id>'
        f"<created>2026-03-03</created><title>{title}</title>{inside}</arXiv></metadata></record>"
    )


def wrapped(kind: str, items: list[Any], **head: Any) -> bytes:
    start = {"version": "https://jsonfeed.org/version/1.1"} if kind == "rss" else {}
    return json.dumps({**start, **head, JSON_KINDS[kind]: items}).encode()


def good_item(kind: str, number: int = 1) -> dict[str, Any]:
    return {
        "biorxiv": {"doi": f"10.1101/{number}", "title": "Good", "server": "bioRxiv"},
        "openreview": {"id": f"n{number}", "forum": f"n{number}", "content": {"title": {"value": "Good"}}},
        "rss": {"id": f"i{number}", "title": "Good", "url": f"https://x.example.org/{number}"},
    }[kind]


def titles(feed: ParsedFeed) -> list[str]:
    return [entry.title for entry in feed.entries]


class TestCollecting:
    def test_item_of_a_shape_nobody_thought_of_is_a_problem_beside_the_others(self) -> None:
        def read(item: str) -> Entry:
            return Entry(key=item, title=["x"][len(item) - 1])

        def name_of(item: str) -> str:
            return {"a": "A", "bbb": "B"}[item]

        entries, problems = collect_entries(items=["a", "bbb", "cc", "a"], read=read, name_of=name_of)
        assert [entry.key for entry in entries] == ["a", "a"]
        assert [problem.item for problem in problems] == ["B", "entry 3"]
        assert "unexpected shape (IndexError" in problems[0].reason


class TestRecords:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b"", "empty"),
            (b"<html><body>Too many requests</body></html>", "web page"),
            (b"<rss version='2.0'><channel/></rss>", "no answer of an OAI-PMH repository"),
            (records(head='<!DOCTYPE r [<!ENTITY a "b">]>'), "document type"),
            (records(head='<!DOCTYPE r SYSTEM "file:///etc/passwd">'), "document type"),
            (b"<OAI-PMH><Identify><repositoryName>x</repositoryName></Identify></OAI-PMH>", "no records"),
            (b"<OAI-PMH><error code='badArgument'>from is no date</error></OAI-PMH>", "^badArgument: from is no date$"),
            (b"<OAI-PMH><error/></OAI-PMH>", "OAI-PMH error"),
            (b"<OAI-PMH><error code='noRecordsMatch'/><error code='badVerb'>x</error></OAI-PMH>", "badVerb"),
            (b"<OAI-PMH><error code='badVerb'>x &bogus; y</error></OAI-PMH>", "broken"),
            (b"{}", "not XML"),
        ],
    )
    def test_what_holds_no_records_is_refused_with_a_sentence(self, body: bytes, message: str) -> None:
        with pytest.raises(FeedRefusedError, match=message):
            parse_feed(body=body, kind="arxiv_oai")

    def test_token_that_is_no_longer_taken_is_told_apart(self) -> None:
        with pytest.raises(ResumeRefusedError, match="badResumptionToken"):
            parse_feed(body=b"<OAI-PMH><error code='badResumptionToken'/></OAI-PMH>", kind="arxiv_oai")

    def test_list_that_holds_nothing_is_no_error(self) -> None:
        assert parse_feed(body=records(), kind="arxiv_oai").entries == ()

    def test_bad_record_between_good_ones_does_not_stop_them(self) -> None:
        body = records(
            record(1),
            record(2, "<broken"),
            record(3, title=""),
            "<record/>",
            "<record><header/><metadata/></record>",
            record(4).replace("arXiv xmlns", "marc xmlns").replace("</arXiv>", "</marc>"),
            record(5, "<created>0000-00-00</created><doi>x</doi><categories>a b</categories>"),
            after="<resumptionToken completeListSize='99999999999999'>next</resumptionToken>",
        )
        feed = parse_feed(body=body, kind="arxiv_oai")
        assert [entry.key for entry in feed.entries] == ["arxiv:2603.00001", "arxiv:2603.00005"]
        assert len(feed.problems) == 5
        assert (feed.resume, feed.total) == ("next", None)

    @pytest.mark.parametrize("end", range(60, len(SMALL["arxiv_oai"]) - 20, 61))
    def test_wherever_an_answer_is_cut_its_whole_records_come_in(self, end: int) -> None:
        body = SMALL["arxiv_oai"][:end]
        try:
            feed = parse_feed(body=body, kind="arxiv_oai")
        except FeedRefusedError:
            assert b"<ListRecords>" not in body
            return
        assert len(feed.entries) == min(body.count(b"</record>"), 3)
        assert feed.problems or b"</ListRecords>" in body

    def test_markup_in_a_title_is_its_text(self) -> None:
        [entry] = parse_feed(body=records(record(1, title="A <b>bold</b> &lt;script&gt;")), kind="arxiv_oai").entries
        assert entry.title == "A bold <script>"

    @pytest.mark.parametrize("date", ["Tue, 31 Feb 2026 09:00:00 GMT", "Fri, 17 Jan 1025 09:00:00 GMT", "soon", ""])
    def test_version_without_a_possible_date_is_dated_by_its_stamp(self, date: str) -> None:
        raw = record(1, f"<version version='v1'><date>{date}</date></version><version version='x'/>")
        body = records(raw.replace("arXiv xmlns", "arXivRaw xmlns").replace("</arXiv>", "</arXivRaw>"))
        [entry] = parse_feed(body=body, kind="arxiv_oai").entries
        assert (entry.version, entry.announced_date) == (1, dt.date(2026, 3, 4))

    def test_version_date_without_a_zone_is_utc(self) -> None:
        raw = record(1, "<version version='v1'><date>Tue, 3 Mar 2026 18:59:00</date></version>")
        body = records(raw.replace("arXiv xmlns", "arXivRaw xmlns").replace("</arXiv>", "</arXivRaw>"))
        assert parse_feed(body=body, kind="arxiv_oai").entries[0].announced_date == dt.date(2026, 3, 4)

    @pytest.mark.parametrize("created", ["0000-01-01", "9999-12-31", "1899-01-01", "soon", ""])
    def test_impossible_dates_are_no_dates(self, created: str) -> None:
        body = records(record(1).replace("2026-03-03", created).replace("2026-03-04", created))
        assert parse_feed(body=body, kind="arxiv_oai").entries[0].announced_date is None

    def test_deep_nesting_and_many_records_are_read_in_time(self) -> None:
        began = time.process_time()
        deep = records(record(1, "<a>" * 50_000 + "</a>" * 50_000), record(2))
        with contextlib.suppress(FeedRefusedError):
            parse_feed(body=deep, kind="arxiv_oai")
        feed = parse_feed(body=records(*map(record, range(30_000))), kind="arxiv_oai")
        assert len(feed.entries) == 20_000
        assert feed.problems[-1].reason == "10,000 were not read"
        assert time.process_time() - began < 20


class TestApi:
    def test_announcements_are_no_answers(self) -> None:
        with pytest.raises(FeedRefusedError, match="no answer of arXiv's API"):
            parse_feed(body=(FOLDER / "arxiv_rss.xml").read_bytes(), kind="arxiv_api")

    def test_answer_is_understood_by_both_kinds(self) -> None:
        assert parse_feed(body=SMALL["arxiv_api"], kind="arxiv_api") == parse_feed(
            body=SMALL["arxiv_api"], kind="arxiv"
        )

    def test_holidays_move_the_day_of_announcement(self) -> None:
        usual = parse_feed(body=SMALL["arxiv_api"], kind="arxiv_api")
        holidays = frozenset({dt.date(2025, 12, 2)})
        moved = parse_feed(body=SMALL["arxiv_api"], kind="arxiv_api", holidays=holidays)
        assert usual.entries[1].announced_date == dt.date(2025, 12, 3)
        assert moved.entries[1].announced_date == dt.date(2025, 12, 4)

    @pytest.mark.parametrize("total", ["-1", "9" * 30, "many", ""])
    def test_impossible_totals_are_none(self, total: str) -> None:
        body = SMALL["arxiv_api"].replace(b"totalResults>2<", f"totalResults>{total}<".encode())
        assert parse_feed(body=body, kind="arxiv_api").total is None


class TestJson:
    @pytest.mark.parametrize("kind", JSON_KINDS)
    @pytest.mark.parametrize("odd", ODD, ids=repr)
    def test_odd_values_in_every_place_never_stop_the_others(self, kind: str, odd: Any) -> None:
        names = [*good_item(kind), "authors", "date", "version", "abstract", "tags", "content_html", "author"]
        fields = ["title", "abstract", "authors", "pdf", "venueid"]
        items: list[Any] = [odd, *({**good_item(kind), name: odd} for name in names)]
        items += [{**good_item(kind), "content": {"title": {"value": "Good"}, name: {"value": odd}}} for name in fields]
        feed = parse_feed(
            body=wrapped(kind, [*items, good_item(kind, 7)], count=odd, messages=odd, title=odd), kind=kind
        )
        assert titles(feed)[-1] == "Good"
        for entry in feed.entries:
            json.dumps([entry.title, entry.abstract, entry.authors], ensure_ascii=False).encode()

    @pytest.mark.parametrize("kind", JSON_KINDS)
    @pytest.mark.parametrize("body", [b"{", b'{"a', b'{"a": 1}', b"{}", b"[]", b"null", b"<html>", b"", b"{" * 100_000])
    def test_what_has_no_list_is_refused_with_a_sentence(self, kind: str, body: bytes) -> None:
        with pytest.raises(FeedRefusedError) as caught:
            parse_feed(body=body, kind=kind)
        assert str(caught.value).endswith(".")

    @pytest.mark.parametrize("kind", JSON_KINDS)
    def test_deep_nesting_is_a_problem(self, kind: str) -> None:
        whole = wrapped(kind, [good_item(kind)])
        for deep in ("[" * 100_000, '{"a":' * 100_000):
            feed = parse_feed(body=whole[:-2] + b"," + deep.encode(), kind=kind)
            assert (titles(feed), len(feed.problems)) == (["Good"], 1)

    @pytest.mark.parametrize("kind", JSON_KINDS)
    @pytest.mark.parametrize(
        "bad",
        [
            "[" * 100_000 + "]" * 100_000,
            '{"a": nul, "b": "]}\\"}"}',
            '{"a": 1, }',
            "{'a': 1}",
            '{"a": "\\x"}',
            '["a" "b"]',
        ],
        ids=["deep", "half", "comma", "quotes", "escape", "between"],
    )
    def test_item_that_is_no_json_does_not_stop_the_others(self, kind: str, bad: str) -> None:
        whole = wrapped(kind, [good_item(kind, 1), "HERE", good_item(kind, 2)])
        feed = parse_feed(body=whole.replace(b'"HERE"', bad.encode()), kind=kind)
        assert titles(feed) == ["Good", "Good"]
        assert [problem.item for problem in feed.problems] == ["item 2"]

    @pytest.mark.parametrize("kind", JSON_KINDS)
    def test_endless_numbers_are_read_in_time(self, kind: str) -> None:
        began = time.process_time()
        whole = wrapped(kind, [{**good_item(kind), "cdate": "HERE", "version": "HERE"}])
        feed = parse_feed(body=whole.replace(b'"HERE"', b"9" * 1_000_000), kind=kind)
        assert titles(feed) == ["Good"]
        assert time.process_time() - began < 5

    @pytest.mark.parametrize("kind", JSON_KINDS)
    def test_wherever_a_document_is_cut_its_whole_items_come_in(self, kind: str) -> None:
        keys = [entry.key for entry in parse_feed(body=SMALL[kind], kind=kind).entries]
        start = SMALL[kind].index(f'"{JSON_KINDS[kind]}"'.encode())
        for end in range(start + 30, len(SMALL[kind]) - 3, 37):
            feed = parse_feed(body=SMALL[kind][:end], kind=kind)
            assert [entry.key for entry in feed.entries] == keys[: len(feed.entries)]
            assert "cut off" in feed.problems[-1].reason

    @pytest.mark.parametrize("kind", JSON_KINDS)
    def test_a_hundred_thousand_items_are_read_to_the_limit_in_time(self, kind: str) -> None:
        began = time.process_time()
        feed = parse_feed(body=wrapped(kind, [good_item(kind, number) for number in range(100_000)]), kind=kind)
        assert len(feed.entries) == 20_000
        assert feed.problems[-1].reason == "were not read"
        assert time.process_time() - began < 20

    @pytest.mark.parametrize("kind", JSON_KINDS)
    def test_title_of_a_megabyte_is_a_problem(self, kind: str) -> None:
        item = good_item(kind)
        long = {**item, "title": "x" * 10**6, "content": {"title": {"value": "x" * 10**6}}}
        feed = parse_feed(body=wrapped(kind, [long, item]), kind=kind)
        assert titles(feed) == ["Good"]
        assert "1,000,000 characters" in feed.problems[0].reason

    @pytest.mark.parametrize("kind", ["biorxiv", "rss"])
    def test_script_in_a_title_or_a_text_is_gone(self, kind: str) -> None:
        script = "<p>Fine</p><script>alert(1)</script><img src=x onerror=alert(1)>"
        item = {**good_item(kind), "title": script, "abstract": script, "content_html": script}
        [entry] = parse_feed(body=wrapped(kind, [item]), kind=kind).entries
        assert (entry.title, entry.abstract) == ("Fine", "Fine")

    @pytest.mark.parametrize("date", ["0000-1-1", "9999-12-31", "2026-13-01", "2026-02-30", "20260301", 20260301, None])
    def test_impossible_days_are_none(self, date: object) -> None:
        [entry] = parse_feed(body=wrapped("biorxiv", [{**good_item("biorxiv"), "date": date}]), kind="biorxiv").entries
        assert entry.announced_date is None

    @pytest.mark.parametrize("date", [-1e18, 1e18, 10**30, float("nan"), float("inf"), "1772400000000", True, None, []])
    def test_impossible_milliseconds_are_no_day(self, date: object) -> None:
        [entry] = parse_feed(
            body=wrapped("openreview", [{**good_item("openreview"), "cdate": date}]), kind="openreview"
        ).entries
        assert entry.announced_date is None

    @pytest.mark.parametrize("note", [{"content": {"title": "x"}}, {"id": "", "forum": None, "content": {}}])
    def test_note_without_an_id_is_a_problem(self, note: dict[str, Any]) -> None:
        feed = parse_feed(body=wrapped("openreview", [note]), kind="openreview")
        assert [problem.reason for problem in feed.problems] == ["has no id"]

    def test_server_that_is_no_server_of_theirs_is_not_linked_to(self) -> None:
        item = {**good_item("biorxiv"), "server": "evil.example/"}
        [entry] = parse_feed(body=wrapped("biorxiv", [item]), kind="biorxiv").entries
        assert entry.link == "https://www.biorxiv.org/content/10.1101/1"

    @pytest.mark.parametrize("place", ["R/-/Withdrawn_Submission", "R/Desk_Rejected_Submission", "R/-/Submission"])
    def test_withdrawn_submissions_are_withdrawals(self, place: str) -> None:
        former = {**good_item("openreview"), "invitation": place}
        [entry] = parse_feed(body=wrapped("openreview", [former]), kind="openreview").entries
        assert (entry.announcement is AnnouncementKind.WITHDRAWAL) is not place.endswith("-/Submission")

    def test_cursor_leads_on_only_while_more_is_promised(self) -> None:
        items = [good_item("biorxiv", number) for number in range(3)]
        for total, cursor, resume in (
            ("9", 0, "3"),
            (9, "6", ""),
            (3, 0, ""),
            (None, 0, ""),
            ("x", 0, ""),
            (9, -1, ""),
        ):
            messages = [{"status": "ok", "total": total, "cursor": cursor}]
            assert parse_feed(body=wrapped("biorxiv", items, messages=messages), kind="biorxiv").resume == resume


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2026-3-4"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "title abstract authors content value id forum doi date version server url tags name cdate pdf "
                "summary content_html status total cursor".split()
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)


class TestFuzz:
    @settings(max_examples=80, deadline=None)
    @given(st.sampled_from(sorted(JSON_KINDS)), st.lists(JSON, max_size=4), JSON)
    def test_json_of_any_shape_is_read_beside_a_good_item(self, kind: str, items: list[Any], head: Any) -> None:
        body = wrapped(kind, [*items, good_item(kind, 7)], count=head, title=head, home_page_url=head)
        feed = parse_feed(body=body, kind=kind)
        assert titles(feed)[-1] == "Good"
        assert len(feed.entries) + len(feed.problems) == len(items) + 1

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def test_damaged_documents_are_read_or_refused(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(sorted(SMALL)))
        body = bytearray(SMALL[kind])
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(0, len(body) - 1))
            damage = data.draw(
                st.sampled_from([b"", b"<", b">", b"&", b'"', b"\\", b"]", b"}", b"\x00", b"\xff", b"<record>"])
            )
            body[at : at + data.draw(st.integers(0, 12))] = damage
        with contextlib.suppress(FeedRefusedError):
            for entry in parse_feed(body=bytes(body), kind=kind).entries:
                assert entry.key
                assert 0 < len(entry.title) <= 1_000
                json.dumps([entry.title, entry.abstract, entry.authors], ensure_ascii=False).encode()

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(sorted(SMALL)), st.sampled_from(KINDS), st.integers(0, 5_000))
    def test_document_of_another_kind_is_read_or_refused(self, sample: str, kind: str, end: int) -> None:
        with contextlib.suppress(FeedRefusedError):
            parse_feed(body=SMALL[sample][:end], kind=kind)

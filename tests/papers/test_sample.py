"""The bundled sample: true to the captured papers, in the two real formats, dated and served like a source."""

import datetime as dt
import gzip
import hashlib
import http.client
import json
import re
import threading
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

from papers import sample
from papers.entries import ParsedFeed
from papers.feeds import parse_feed
from papers.sample.server import SAMPLE_PATHS, WRITTEN_FOR, serve_sample, stamp

FOLDER = Path(sample.__file__).parent
ARXIV = (FOLDER / "arxiv.xml").read_bytes()
HF = (FOLDER / "daily_papers.json").read_bytes()
CORPORA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "corpora"
SUMMER_DAY, WINTER_DAY = dt.date(2026, 7, 14), dt.date(2027, 1, 5)
DEFAULT_CATEGORIES = {"cs.AI", "cs.CL", "cs.CV", "cs.LG"}
LONGEST_SHARED_RUN = 6  # Words in a row that a description may have in common with the abstract it retells.


def arxiv_items(document: bytes = ARXIV) -> list[ElementTree.Element]:
    return ElementTree.fromstring(document).findall("./channel/item")  # noqa: S314 - our own document


def text_of(item: ElementTree.Element, tag: str) -> str:
    return item.findtext(tag) or ""


def arxiv_id(item: ElementTree.Element) -> str:
    return text_of(item, "link").removeprefix("https://arxiv.org/abs/")


def described() -> dict[str, list[tuple[str, str]]]:
    """For each id, the title and description of each place where it stands."""
    found: dict[str, list[tuple[str, str]]] = {}
    for item in arxiv_items():
        description = text_of(item, "description").partition("Abstract: ")[2]
        found.setdefault(arxiv_id(item), []).append((text_of(item, "title"), description))
    for row in json.loads(HF):
        found.setdefault(row["paper"]["id"], []).append((row["title"], row["paper"]["summary"]))
    return found


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def bare(name: str) -> str:
    """The letters of a name without accents, whether they are written in TeX or in Unicode."""
    letters = unicodedata.normalize("NFD", re.sub(r"\\[kv]\b", "", name).replace("ø", "o"))
    return re.sub(r"[^A-Za-z]", "", letters)


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    all_words = words(text)
    return {tuple(all_words[start : start + length]) for start in range(len(all_words) - length + 1)}


def moved(instant: str, shift: dt.timedelta) -> str:
    return (dt.date.fromisoformat(instant[:10]) + shift).isoformat() + instant[10:]


@pytest.fixture(scope="module")
def captured() -> dict[str, list[dict[str, Any]]]:
    """The captured rows of the papers of the sample, by id."""
    if not CORPORA.is_dir():
        pytest.skip("the captured corpora are not here")
    wanted = described()
    rows: dict[str, list[dict[str, Any]]] = {}
    for name in ("arxiv_daily.jsonl.gz", "hf_daily.jsonl.gz"):
        with gzip.open(CORPORA / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                # Only two dozen of many thousand lines are worth decoding; each begins with its id.
                if line[8:18] in wanted:
                    row = json.loads(line)
                    rows.setdefault(row["id"], []).append(row)
    return rows


@pytest.fixture
def base_url() -> Iterator[str]:
    with serve_sample(today=lambda: SUMMER_DAY) as url:
        yield url


def ask(url: str, *, method: str = "GET", if_none_match: str = "") -> tuple[int, http.client.HTTPMessage, bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, headers={"If-None-Match": if_none_match} if if_none_match else {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def parsed(document: bytes, kind: str) -> ParsedFeed:
    content_type = "application/json" if kind == "hf" else "application/rss+xml"
    return parse_feed(body=document, kind=kind, content_type=content_type)


class TestContents:
    def test_eighteen_papers_in_arxivs_format_twelve_in_hugging_faces_and_six_in_both(self) -> None:
        in_arxiv = {arxiv_id(item) for item in arxiv_items()}
        in_hf = {row["paper"]["id"] for row in json.loads(HF)}
        assert (len(arxiv_items()), len(in_arxiv), len(json.loads(HF)), len(in_hf)) == (18, 18, 12, 12)
        assert len(in_arxiv & in_hf) == 6

    def test_arxiv_items_say_id_version_and_type_in_all_the_places_the_service_says_them(self) -> None:
        for item in arxiv_items():
            paper, kind = arxiv_id(item), text_of(item, "{http://arxiv.org/schemas/atom}announce_type")
            assert text_of(item, "guid") == f"oai:arXiv.org:{paper}v1"
            assert text_of(item, "description").startswith(f"arXiv:{paper}v1 Announce Type: {kind} \nAbstract: ")
            assert len(item.findall("{http://purl.org/dc/elements/1.1/}creator")) == 1

    def test_arxiv_papers_of_another_primary_category_are_cross_lists(self) -> None:
        for item in arxiv_items():
            categories = [category.text or "" for category in item.findall("category")]
            kind = text_of(item, "{http://arxiv.org/schemas/atom}announce_type")
            assert kind == ("new" if categories[0] in DEFAULT_CATEGORIES else "cross")
            assert DEFAULT_CATEGORIES & set(categories)

    def test_arxiv_text_is_ascii_with_tex_as_the_service_sends_it(self) -> None:
        assert ARXIV.isascii()
        for piece in (r"Csord\'as", r"Sj{\o}rup", r"Pi\k{e}kos", "$O(k^2 + T)$", r"59.78\%", r"\textit{"):
            assert piece in ARXIV.decode()

    def test_hugging_face_items_without_a_summary_of_their_own_have_the_papers(self) -> None:
        rows = json.loads(HF)
        assert {"summary" in row for row in rows} == {True, False}
        assert all(row["paper"]["summary"] for row in rows)

    def test_subjects_go_beyond_the_default_categories(self) -> None:
        seen = {category.text for item in arxiv_items() for category in item.findall("category")}
        assert seen >= DEFAULT_CATEGORIES | {"cs.RO", "cs.IR", "cs.SD", "stat.ML", "q-bio.QM"}


class TestTruth:
    def test_each_paper_stands_in_the_captures_with_the_same_title(self, captured: dict[str, list[dict[str, Any]]]):
        for paper, places in described().items():
            titles = {" ".join(title.split()) for title, _ in places}
            assert titles == {" ".join(row["title"].split()) for row in captured[paper]}

    def test_categories_and_authors_are_the_captured_ones(self, captured: dict[str, list[dict[str, Any]]]):
        for item in arxiv_items():
            categories = [category.text for category in item.findall("category")]
            authors = text_of(item, "{http://purl.org/dc/elements/1.1/}creator").split(", ")
            for row in captured[arxiv_id(item)]:
                if "categories" in row:
                    # The captures hold ACM and MSC codes besides, and at most twelve authors.
                    assert categories == [
                        name for name in row["categories"] if re.fullmatch(r"[a-z-]+\.[A-Za-z-]+", name)
                    ]
                    assert [bare(name) for name in authors[:12]] == [bare(name) for name in row["authors"]]

    def test_counts_are_the_captured_ones(self, captured: dict[str, list[dict[str, Any]]]):
        for row in json.loads(HF):
            ours = (row["paper"]["upvotes"], row["numComments"], row["paper"].get("githubStars"))
            [counts] = [found for found in captured[row["paper"]["id"]] if "upvotes" in found]
            assert ours == (counts["upvotes"], counts["comments"], counts["github_stars"])

    def test_descriptions_are_in_our_own_words(self, captured: dict[str, list[dict[str, Any]]]):
        too_long = LONGEST_SHARED_RUN + 1
        for paper, places in described().items():
            for _, description in places:
                for row in captured[paper]:
                    assert not runs(description, too_long) & runs(row["abstract"], too_long), paper

    def test_descriptions_have_two_or_three_sentences(self) -> None:
        for paper, places in described().items():
            for _, description in places:
                assert len(re.findall(r"[.?](?=\s|$)", description)) in {2, 3}, paper


class TestStamp:
    def test_arxiv_dates_are_midnight_in_eastern_time_on_the_day_asked_for(self) -> None:
        summer, winter = stamp(ARXIV, day=SUMMER_DAY).decode(), stamp(ARXIV, day=WINTER_DAY).decode()
        assert set(re.findall("<pubDate>(.*?)<", summer)) == {"Tue, 14 Jul 2026 00:00:00 -0400"}
        assert set(re.findall("<pubDate>(.*?)<", winter)) == {"Tue, 05 Jan 2027 00:00:00 -0500"}
        assert "<lastBuildDate>Tue, 14 Jul 2026 04:00:02 +0000<" in summer
        assert "<lastBuildDate>Tue, 05 Jan 2027 05:00:02 +0000<" in winter

    def test_hugging_face_dates_move_together(self) -> None:
        shift = SUMMER_DAY - WRITTEN_FOR
        before, after = json.loads(HF), json.loads(stamp(HF, day=SUMMER_DAY))
        for old, new in zip(before, after, strict=True):
            assert new["paper"]["submittedOnDailyAt"][:10] == SUMMER_DAY.isoformat()
            # The two other dates tell of the first version on arXiv, which came some days earlier.
            assert moved(old["paper"]["publishedAt"], shift) == new["paper"]["publishedAt"]
            assert moved(old["publishedAt"], shift) == new["publishedAt"]

    @pytest.mark.parametrize("document", [ARXIV, HF], ids=["arxiv", "hf"])
    def test_the_day_the_files_are_written_for_changes_nothing(self, document: bytes) -> None:
        assert stamp(document, day=WRITTEN_FOR) == document

    @pytest.mark.parametrize("document", [ARXIV, HF], ids=["arxiv", "hf"])
    def test_nothing_but_dates_changes(self, document: bytes) -> None:
        date = rb"\d{4}-\d\d-\d\d(?=T)|\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}"
        assert re.sub(date, b"", stamp(document, day=WINTER_DAY)) == re.sub(date, b"", document)


class TestServing:
    @pytest.mark.parametrize(
        ("kind", "content_type"), [("arxiv", "application/rss+xml"), ("hf", "application/json")], ids=["arxiv", "hf"]
    )
    def test_documents_come_dated_today_with_type_and_etag(self, base_url: str, kind: str, content_type: str) -> None:
        status, headers, body = ask(base_url + SAMPLE_PATHS[kind])
        assert (status, body) == (200, stamp({"arxiv": ARXIV, "hf": HF}[kind], day=SUMMER_DAY))
        assert headers.get_content_type() == content_type
        assert headers["ETag"] == f'"{hashlib.sha256(body).hexdigest()}"'
        assert headers["Content-Length"] == str(len(body))

    @pytest.mark.parametrize("form", ["{tag}", "W/{tag}", '"other", {tag}', "*"])
    def test_known_document_is_answered_304_without_a_body(self, base_url: str, form: str) -> None:
        url = base_url + SAMPLE_PATHS["arxiv"]
        tag = ask(url)[1]["ETag"]
        status, headers, body = ask(url, if_none_match=form.format(tag=tag))
        assert (status, headers["ETag"], body) == (304, tag, b"")

    def test_another_tag_gets_the_document(self, base_url: str) -> None:
        assert ask(base_url + SAMPLE_PATHS["hf"], if_none_match='"other"')[0] == 200

    def test_the_next_day_brings_another_document(self) -> None:
        days = iter([SUMMER_DAY, SUMMER_DAY + dt.timedelta(days=1)])
        with serve_sample(today=lambda: next(days)) as url:
            tag = ask(url + SAMPLE_PATHS["arxiv"])[1]["ETag"]
            assert ask(url + SAMPLE_PATHS["arxiv"], if_none_match=tag)[0] == 200

    def test_head_says_what_get_would_say_without_the_body(self, base_url: str) -> None:
        url = base_url + SAMPLE_PATHS["hf"]
        status, headers, body = ask(url, method="HEAD")
        _, of_get, document = ask(url)
        assert (status, body, headers["ETag"]) == (200, b"", of_get["ETag"])
        assert headers["Content-Length"] == str(len(document))

    def test_query_parameters_do_not_hide_the_document_and_later_pages_are_empty(self, base_url: str) -> None:
        url = base_url + SAMPLE_PATHS["hf"]
        assert ask(f"{url}?limit=100&p=0")[2] == ask(url)[2]
        assert ask(f"{url}?limit=100&p=1")[2] == b"[]"

    @pytest.mark.parametrize("path", ["/", "/server.py", "/arxiv.xml/", "/../sample/arxiv.xml", "/%61rxiv.xml"])
    def test_anything_else_is_not_found(self, base_url: str, path: str) -> None:
        assert ask(base_url + path)[0] == 404

    def test_it_listens_on_this_machine_only_and_says_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        with serve_sample(today=lambda: SUMMER_DAY) as url:
            assert url.startswith("http://127.0.0.1:")
            ask(url + SAMPLE_PATHS["arxiv"])
            ask(url + "/nothing")
        assert capfd.readouterr() == ("", "")

    def test_after_the_block_the_port_is_free_and_no_thread_serves_on(self) -> None:
        threads = threading.active_count()
        with serve_sample(today=lambda: SUMMER_DAY) as url:
            port = urlsplit(url).port or 0
        with serve_sample(port=port, today=lambda: SUMMER_DAY) as again:
            assert again == url
        with pytest.raises(ConnectionRefusedError):
            ask(url + SAMPLE_PATHS["arxiv"])
        assert threading.active_count() == threads

    def test_a_taken_port_is_an_error(self, base_url: str) -> None:
        with pytest.raises(OSError, match="in use"), serve_sample(port=urlsplit(base_url).port or 0):
            pass


class TestParsed:
    @pytest.mark.parametrize(("document", "kind", "count"), [(ARXIV, "arxiv", 18), (HF, "hf", 12)], ids=["arxiv", "hf"])
    @pytest.mark.parametrize("day", [SUMMER_DAY, WINTER_DAY], ids=["summer", "winter"])
    def test_every_entry_comes_in_on_the_day_asked_for(
        self, document: bytes, kind: str, count: int, day: dt.date
    ) -> None:
        feed = parsed(stamp(document, day=day), kind)
        assert feed.problems == ()
        assert len(feed.entries) == count
        assert {entry.announced_date for entry in feed.entries} == {day}
        assert all(entry.title and entry.abstract and entry.authors for entry in feed.entries)

    def test_six_papers_have_the_same_key_in_both(self) -> None:
        keys = [
            {entry.key for entry in parsed(document, kind).entries} for document, kind in ((ARXIV, "arxiv"), (HF, "hf"))
        ]
        assert len(keys[0] & keys[1]) == 6

    def test_code_and_upvotes_come_through(self) -> None:
        [entry] = [entry for entry in parsed(HF, "hf").entries if entry.key == "arxiv:2509.01055"]
        assert entry.code_link == "https://github.com/TIGER-AI-Lab/verl-tool"
        assert (entry.signals.upvotes, entry.signals.comments, entry.signals.github_stars) == (25, 1, 358)

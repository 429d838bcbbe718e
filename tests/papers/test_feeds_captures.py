"""The adapters over captured documents: how many entries, and what the first and the last of them say."""

import datetime as dt
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papers.entries import AnnouncementKind, FeedRefusedError, Markup, ParsedFeed
from papers.feeds import parse_feed, xml

CAPTURES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "feeds"
pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captured feeds are not here")


@cache
def capture(name: str, kind: str) -> ParsedFeed:
    return parse_feed(body=(CAPTURES / name).read_bytes(), kind=kind)


@pytest.mark.parametrize(
    ("name", "kind", "entries", "feed_date", "first", "last"),
    [
        ("arxiv_rss_csCL_2026-04-27.xml", "arxiv", 3, "2026-04-27", "arxiv:2604.22002", "arxiv:2604.22038"),
        ("arxiv_rss_day_2025-04-07_cs.CL.xml", "arxiv", 406, "2025-04-07", "arxiv:2504.02853", "arxiv:2504.02737"),
        ("arxiv_rss_day_2025-04-07_cs.SD.xml", "arxiv", 10, "2025-04-07", "arxiv:2504.02988", "arxiv:2412.16915"),
        ("arxiv_rss_day_2025-04-08_cs.CL.xml", "arxiv", 871, "2025-04-08", "arxiv:2504.03650", "arxiv:2504.03160"),
        ("arxiv_rss_day_2025-04-08_cs.SD.xml", "arxiv", 23, "2025-04-08", "arxiv:2504.03998", "arxiv:2503.05794"),
        ("arxiv_rss_day_2025-04-09_cs.CL.xml", "arxiv", 493, "2025-04-09", "arxiv:2504.05325", "arxiv:2504.05220"),
        ("arxiv_rss_day_2025-04-09_cs.SD.xml", "arxiv", 18, "2025-04-09", "arxiv:2504.05364", "arxiv:2412.15322"),
        ("arxiv_atom_csAI_2025-08-20.xml", "arxiv", 86, "2025-08-20", "arxiv:2508.13167", "arxiv:2508.13434"),
        ("arxiv_atom_empty_sunday.xml", "arxiv", 0, "2025-11-23", None, None),
        ("arxiv_rdf_old.xml", "arxiv", 3, "2018-05-23", "arxiv:1805.08875", "arxiv:1805.06430"),
        ("arxiv_api_query.xml", "arxiv", 100, "2026-04-12", "arxiv:2202.12139", "arxiv:gr-qc/0103067"),
        ("hf_daily_2024-12-05.json", "hf", 18, "2024-12-05", "arxiv:2412.02687", "arxiv:2412.00177"),
        ("hf_daily_2025-06-10.json", "hf", 28, "2025-06-10", "arxiv:2506.08007", "arxiv:2505.23473"),
        ("hf_daily_2025-09-03.json", "hf", 26, "2025-09-03", "arxiv:2509.02547", "arxiv:2509.02046"),
        ("biorxiv_rss_one_subject.xml", "rss", 30, "2018-03-23", "doi:10.1101/287961", "doi:10.1101/269613"),
        ("journal_phytokeys_rss.xml", "rss", 100, "2021-12-21", "doi:10.3897/phytokeys.187.77035", None),
        ("seed_daily_papers.xml", "rss", 89, "2025-09-03", "url:papers.example.org/p/8d6994cae14b", None),
    ],
)
def test_every_whole_entry_comes_in_once(
    name: str, kind: str, entries: int, feed_date: str, first: str | None, last: str | None
) -> None:
    feed = capture(name, kind)
    assert (len(feed.entries), feed.feed_date) == (entries, dt.date.fromisoformat(feed_date))
    assert len({entry.key for entry in feed.entries}) == entries
    assert first is None or feed.entries[0].key == first
    assert last is None or feed.entries[-1].key == last
    assert len(feed.problems) == (1 if name.startswith("arxiv_atom_csAI") else 0)
    assert all(entry.title and entry.abstract for entry in feed.entries)


def test_cut_off_document_names_the_entry_it_lost() -> None:
    [problem] = capture("arxiv_atom_csAI_2025-08-20.xml", "arxiv").problems
    assert problem.item == "oai:arXiv.org:2508.13435v1"
    assert "SVDformer" in problem.excerpt


def test_error_of_the_api_is_refused_in_its_own_words() -> None:
    with pytest.raises(FeedRefusedError, match="incorrect id format for abc"):
        capture("arxiv_api_error.xml", "arxiv")


def test_records_of_another_protocol_are_refused() -> None:
    with pytest.raises(FeedRefusedError, match="OAI-PMH"):
        capture("arxiv_oai_records.xml", "arxiv")


def test_journal_feed_is_not_arxivs() -> None:
    with pytest.raises(FeedRefusedError, match="not arXiv's"):
        capture("journal_phytokeys_rss.xml", "arxiv")


def test_full_day_has_its_announcement_types() -> None:
    feed = capture("arxiv_rss_day_2025-04-08_cs.CL.xml", "arxiv")
    kinds = Counter(entry.announcement for entry in feed.entries)
    body = (CAPTURES / "arxiv_rss_day_2025-04-08_cs.CL.xml").read_text()
    replaced = body.count("announce_type>replace</") + body.count("announce_type>replace-cross</")
    assert kinds[AnnouncementKind.NEW] == body.count("announce_type>new</") == 394
    assert kinds[AnnouncementKind.CROSS_LIST] == body.count("announce_type>cross</") == 140
    assert kinds[AnnouncementKind.REPLACEMENT] + kinds[AnnouncementKind.WITHDRAWAL] == replaced == 337


def test_no_arxiv_abstract_keeps_its_heading_or_a_second_layer_of_entities() -> None:
    for day in ("07", "08", "09"):
        for entry in capture(f"arxiv_rss_day_2025-04-{day}_cs.CL.xml", "arxiv").entries:
            assert "Announce Type" not in entry.abstract
            assert not entry.abstract.startswith(("arXiv:", "Abstract:"))
            assert "&amp;" not in entry.title + entry.abstract
            assert entry.announced_date == dt.date.fromisoformat(f"2025-04-{day}")
            assert entry.markup is Markup.TEX


def test_seed_keeps_the_text_of_its_twin_letter_for_letter() -> None:
    papers = json.loads((CAPTURES / "seed_daily_papers.json").read_text())["papers"]
    entries = capture("seed_daily_papers.xml", "rss").entries
    for paper, entry in zip(papers, entries, strict=True):
        assert entry.title == " ".join(paper["title"].split())
        assert entry.abstract == " ".join(paper["abstract"].split())
    assert all(entry.markup is Markup.TEX for entry in entries if "\\" in entry.abstract + entry.title)
    assert Counter(entry.markup for entry in entries) == {Markup.PLAIN: 83, Markup.TEX: 6}


def test_daily_papers_are_dated_by_the_day_they_entered_the_list() -> None:
    for day in ("2024-12-05", "2025-06-10", "2025-09-03"):
        entries = capture(f"hf_daily_{day}.json", "hf").entries
        assert {entry.announced_date for entry in entries} == {dt.date.fromisoformat(day)}
        assert all(entry.signals.upvotes is not None and entry.signals.comments is not None for entry in entries)
        assert all(entry.authors and entry.submitter for entry in entries)


def test_daily_papers_carry_code_and_project() -> None:
    entries = capture("hf_daily_2025-06-10.json", "hf").entries
    assert sum(bool(entry.code_link) for entry in entries) == 13
    assert sum(bool(entry.project_link) for entry in entries) == 13
    assert entries[0].signals.upvotes == 97


def test_old_arxiv_items_give_up_what_is_in_their_titles() -> None:
    new, cross, update = capture("arxiv_rdf_old.xml", "arxiv").entries
    assert new.title == "Measurement of Transverse Single Spin Asymmetries"
    assert "2.6<\\eta<4" in new.abstract
    assert new.authors == ("Christopher Dilks",)
    assert [entry.announcement for entry in (new, cross, update)] == [
        AnnouncementKind.NEW,
        AnnouncementKind.CROSS_LIST,
        AnnouncementKind.REPLACEMENT,
    ]
    assert (update.version, update.categories, len(update.authors)) == (2, ("nucl-th",), 6)


def test_journal_paragraphs_are_taken_apart() -> None:
    feed = capture("journal_phytokeys_rss.xml", "rss")
    assert all(entry.authors and entry.doi.startswith("10.3897/phytokeys.") for entry in feed.entries)
    assert all(entry.pdf_link.endswith("/download/pdf/") for entry in feed.entries)
    assert not any("Authors:" in entry.abstract or "</" in entry.abstract for entry in feed.entries)
    assert sum("P < 0.05" in entry.abstract for entry in feed.entries) == 1
    assert feed.entries[0].authors[0] == "Yi-Hsuan Wu"
    assert feed.entries[0].title.startswith("Two new species")


def test_preprint_authors_come_first_name_first() -> None:
    entry = capture("biorxiv_rss_one_subject.xml", "rss").entries[0]
    assert entry.authors[:2] == ("C. Martinez-Ortiz", "A. Carrillo-Garmendia")
    assert entry.announced_date == dt.date(2018, 3, 23)


@pytest.mark.parametrize("kind", ["arxiv", "arxiv_api"])
def test_answers_of_the_api_are_dated_by_the_schedule_and_tell_how_many_there_are(kind: str) -> None:
    feed = capture("arxiv_api_query.xml", kind)
    assert feed.total == 214_881
    assert feed.entries[0].categories == ("cs.SE", "cs.LG")
    # Submitted on a Thursday at noon, New York time.
    assert feed.entries[0].announced_date == dt.date(2022, 2, 25)
    assert all(entry.announced_date and entry.announced_date.weekday() < 5 for entry in feed.entries)


def test_records_are_dated_by_their_stamp_where_that_is_near_the_schedule() -> None:
    body = (CAPTURES / "arxiv_oai_records.xml").read_text()
    feed = capture("arxiv_oai_records.xml", "arxiv_oai")
    stamps = dict(re.findall(r"arXiv.org:(.+?)</identifier>\s*<datestamp>(.+?)</", body))
    found = {entry.key.removeprefix("arxiv:"): str(entry.announced_date) for entry in feed.entries}
    assert (len(feed.entries), feed.problems, feed.resume) == (12, (), "")
    assert sum(stamps[key] == day for key, day in found.items()) >= 10
    assert feed.entries[0].authors[:2] == ("Planck Collaboration", "Jieci Wang")
    assert all(any(map(str.isalpha, author)) for entry in feed.entries for author in entry.authors)


def test_preprint_feed_is_read_by_its_own_kind_as_well() -> None:
    assert capture("biorxiv_rss_one_subject.xml", "biorxiv") == capture("biorxiv_rss_one_subject.xml", "rss")


DAMAGE = [
    b"",
    b"<",
    b">",
    b"&",
    b"&#0;",
    b'"',
    b"\\",
    b"]",
    b"}",
    b"\x00",
    b"\xff",
    b"<item>",
    b"</entry>",
    b"<record>",
]
KIND_OF = {"arxiv_api": "arxiv_api", "arxiv_oai": "arxiv_oai", "arxiv": "arxiv", "hf": "hf", "biorxiv": "biorxiv"}


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_captures_are_read_or_refused_by_both_readers_alike(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(path for path in CAPTURES.iterdir() if path.suffix in {".xml", ".json"})))
    kind = next((kind for start, kind in KIND_OF.items() if path.name.startswith(start)), "rss")
    body = bytearray(path.read_bytes()[: data.draw(st.sampled_from([3_000, 15_000]))])
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 12))] = data.draw(st.sampled_from(DAMAGE))
    if data.draw(st.booleans()):
        body += b"</description></item></channel></rss>"
    found = read(bytes(body), kind)
    with mock.patch.object(xml, "QUICK_IS_ON", new=False):
        assert read(bytes(body), kind) == found
    for entry in found.entries if isinstance(found, ParsedFeed) else ():
        assert 0 < len(entry.title) <= 1_000
        json.dumps([entry.title, entry.abstract, entry.authors], ensure_ascii=False).encode()


def read(body: bytes, kind: str) -> ParsedFeed | str:
    try:
        return parse_feed(body=body, kind=kind)
    except FeedRefusedError as refusal:
        return str(refusal)

"""Which texts point to which work, and what key it gets."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papers.identity import ArxivId, paper_key, parse_arxiv_id, parse_doi

SAFE_KEY = re.compile(r"(?:arxiv|doi|url|guid):[A-Za-z0-9._/:;()~-]+")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2509.02547", ArxivId("2509.02547")),
        ("2509.02547v12", ArxivId("2509.02547", 12)),
        ("0704.0001", ArxivId("0704.0001")),
        ("1412.9999v1", ArxivId("1412.9999", 1)),
        ("1501.00001", ArxivId("1501.00001")),
        ("arXiv:2509.02547v2", ArxivId("2509.02547", 2)),
        ("arXiv:2509.02547v2 [cs.CL]", ArxivId("2509.02547", 2)),
        ("oai:arXiv.org:2604.22002v1", ArxivId("2604.22002", 1)),
        ("oai:arXiv.org:math/0611800v2", ArxivId("math/0611800", 2)),
        ("math/0611800", ArxivId("math/0611800")),
        ("math.CA/0611800", ArxivId("math/0611800")),
        ("hep-th/9901001", ArxivId("hep-th/9901001")),
        ("cond-mat.mtrl-sci/0102001v3", ArxivId("cond-mat/0102001", 3)),
        ("https://arxiv.org/abs/2509.02547", ArxivId("2509.02547")),
        ("http://arxiv.org/abs/math.CA/0611800v1", ArxivId("math/0611800", 1)),
        ("https://www.arxiv.org/pdf/2509.02547v3.pdf", ArxivId("2509.02547", 3)),
        ("https://export.arxiv.org/abs/hep-th/9901001?context=math#here", ArxivId("hep-th/9901001")),
        ("https://arxiv.org/html/2509.02547v1/", ArxivId("2509.02547", 1)),
        ("https://huggingface.co/papers/2509.02547", ArxivId("2509.02547")),
        ("10.48550/arXiv.2509.02547", ArxivId("2509.02547")),
        ("doi:10.48550/ARXIV.2509.02547", ArxivId("2509.02547")),
        ("https://doi.org/10.48550/arXiv.math/0611800", ArxivId("math/0611800")),
        ("  2509.02547v1\n", ArxivId("2509.02547", 1)),
    ],
)
def test_arxiv_ids_are_read_in_all_their_shapes(text: str, expected: ArxivId) -> None:
    assert parse_arxiv_id(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2513.00001",  # no such month
        "2500.00001",
        "0703.0001",  # the old style's last month
        "1412.00001",  # four digits then
        "1501.0001",  # five digits since
        "2509.025477",
        "cooking/9901001",
        "math/9913001",
        "see arXiv:2509.02547",
        "https://example.org/abs/2509.02547",
        "https://notarxiv.org/abs/2509.02547",
        "https://arxiv.org/list/cs.CL/new",
        "https://arxiv.org/abs/",
        "http://[",
        "10.1101/2509.02547",
        "２５０９.０２５４７",  # full-width digits
        "https://arxiv.org/abs/" + "1" * 1000,
    ],
)
def test_what_is_no_arxiv_id_is_none(text: str) -> None:
    assert parse_arxiv_id(text) is None


def test_version_nought_is_no_version() -> None:
    assert parse_arxiv_id("2509.02547v0") == ArxivId("2509.02547")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.1101/287961", "10.1101/287961"),
        ("doi:10.1101/287961", "10.1101/287961"),
        ("DOI: 10.3897/PhytoKeys.187.77035", "10.3897/phytokeys.187.77035"),
        ("https://doi.org/10.1038/S41586-020-2649-2", "10.1038/s41586-020-2649-2"),
        ("http://dx.doi.org/10.1016/j.cell.2020.01.001.", "10.1016/j.cell.2020.01.001"),
        ("https://doi.org/10.1002/%28SICI%291097-0258", "10.1002/(sici)1097-0258"),
        ("https://www.biorxiv.org/content/10.1101/2021.01.02.425001v3?rss=1", "10.1101/2021.01.02.425001"),
        ("https://www.medrxiv.org/content/10.1101/2021.01.02.425001v1.full.pdf", "10.1101/2021.01.02.425001"),
        ("https://onlinelibrary.wiley.com/doi/abs/10.1002/anie.202000001?af=R", "10.1002/anie.202000001"),
        ("https://example.org/articles/7", ""),
        ("10.1101/", ""),
        ("11.1101/287961", ""),
        ("a text with 10.1101/287961 in it", ""),
        ("10.1101/" + "x" * 300, ""),
        ("", ""),
    ],
)
def test_dois_are_read_and_lowered(text: str, expected: str) -> None:
    assert parse_doi(text) == expected


@pytest.mark.parametrize(
    ("known", "key"),
    [
        ({"arxiv_id": ArxivId("2509.02547", 3), "doi": "10.1/x", "link": "https://x.org/"}, "arxiv:2509.02547"),
        ({"doi": "10.48550/arXiv.2509.02547"}, "arxiv:2509.02547"),
        ({"link": "https://arxiv.org/abs/math.CA/0611800v2"}, "arxiv:math/0611800"),
        ({"guid": "oai:arXiv.org:2509.02547v1", "link": "https://rss.example.org/item/1"}, "arxiv:2509.02547"),
        ({"doi": "10.1101/ABC", "link": "https://example.org/1"}, "doi:10.1101/abc"),
        ({"guid": "doi:10.1101/ABC", "link": "https://example.org/1"}, "doi:10.1101/abc"),
        ({"link": "https://doi.org/10.1101/ABC"}, "doi:10.1101/abc"),
        ({"doi": "10.1002/a<1661::aid>3.0.co;2-2"}, "doi:10.1002/a~3c1661::aid~3e3.0.co;2-2"),
        ({"link": "https://Papers.Example.org/p/8d6?utm_source=x&fbclid=1#abstract"}, "url:papers.example.org/p/8d6"),
        ({"link": "http://papers.example.org:80//p/./8d6/"}, "url:papers.example.org/p/8d6"),
        ({"link": "https://example.org/show?id=7&rss=1&b=2"}, "url:example.org/show~3fb~3d2~26id~3d7"),
        ({"link": "https://example.org:8443/p"}, "url:example.org:8443/p"),
        ({"link": "https://example.org/", "guid": ""}, "url:example.org"),
    ],
)
def test_keys_are_arxiv_then_doi_then_address(known: dict[str, object], key: str) -> None:
    assert paper_key(**known) == key  # type: ignore[arg-type]


def test_papers_of_two_archives_with_one_number_stay_two() -> None:
    keys = {paper_key(link=f"https://arxiv.org/abs/{name}/9901001") for name in ("hep-th", "math")}
    assert len(keys) == 2


def test_without_an_address_the_sources_own_id_is_hashed() -> None:
    key = paper_key(guid="tag:lab.example.org,2026:1")
    assert re.fullmatch("guid:[0-9a-f]{32}", key)
    assert key == paper_key(guid=" tag:lab.example.org,2026:1 ")
    assert key != paper_key(guid="tag:lab.example.org,2026:2")
    assert key == paper_key(guid="tag:lab.example.org,2026:1", link="javascript:alert(1)")


def test_a_number_of_another_source_is_not_taken_for_arxivs() -> None:
    assert paper_key(guid="2509.02547").startswith("guid:")


def test_the_home_page_is_no_address_of_one_item() -> None:
    keys = {paper_key(link="https://lab.example.org/", guid=guid) for guid in "ab"}
    assert len(keys) == 2


def test_long_addresses_that_differ_at_their_end_get_two_keys_of_200_characters() -> None:
    keys = {paper_key(link=f"https://example.org/{'long/' * 80}{end}") for end in "ab"}
    assert {len(key) for key in keys} == {200}
    assert len(keys) == 2


def test_nothing_to_know_a_paper_by_is_an_error() -> None:
    with pytest.raises(ValueError, match="no arXiv id"):
        paper_key(link="ftp://example.org/x", guid="  ")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(min_size=1, max_size=80))
def test_whatever_a_source_writes_the_key_is_short_and_safe_in_an_address(doi: str, path: str, guid: str) -> None:
    key = paper_key(doi=doi, link=f"https://example.org/{path}", guid=f"x{guid}")
    assert len(key) <= 200
    assert SAFE_KEY.fullmatch(key)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for form in (text, f"http://{text}", f"arXiv:{text}", f"https://doi.org/10.1101/{text}"):
        parse_arxiv_id(form)
        assert parse_doi(form) == parse_doi(form).lower()

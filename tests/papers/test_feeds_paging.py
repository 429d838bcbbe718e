"""The pages of a long list: where it begins, where it goes on, and that it ends."""

import datetime as dt

import pytest

from papers.entries import Entry, ParsedFeed, Problem
from papers.feeds import first_page, is_short, next_page
from papers.feeds.kinds import SourceKind
from papers.feeds.paging import MAX_ITEMS

MONDAY, FRIDAY = dt.date(2026, 5, 4), dt.date(2026, 5, 8)
HF = "https://huggingface.co/api/daily_papers"
API = "https://export.arxiv.org/api/query"
OAI = "https://oaipmh.arxiv.org/oai"
BIORXIV = "https://api.biorxiv.org/details/biorxiv"
OPENREVIEW = "https://api2.openreview.net/notes"


def page(items: int, *, total: int | None = None, resume: str = "", problems: tuple[str, ...] = ()) -> ParsedFeed:
    entries = tuple(Entry(key=f"k{number}", title="x") for number in range(items))
    return ParsedFeed(
        entries=entries,
        problems=tuple(Problem(item="x", reason=reason) for reason in problems),
        total=total,
        resume=resume,
    )


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        (SourceKind.HF, HF, f"{HF}?limit=100"),
        (SourceKind.HF, f"{HF}?limit=20&sort=trending", f"{HF}?sort=trending&limit=100"),
        (SourceKind.HF, "https://mirror.example.org/hf.json", "https://mirror.example.org/hf.json"),
        (
            SourceKind.ARXIV_API,
            f"{API}?search_query=cat:cs.CL+AND+all:%22rain%22",
            f"{API}?search_query=cat:cs.CL+AND+all:%22rain%22&max_results=200&sortBy=submittedDate&sortOrder=descending",
        ),
        (
            SourceKind.ARXIV_API,
            f"{API}?search_query=all:rain&sortBy=relevance&max_results=5",
            f"{API}?search_query=all:rain&sortBy=relevance&max_results=5",
        ),
        (SourceKind.ARXIV_API, f"{API}?id_list=2509.02547", f"{API}?id_list=2509.02547&max_results=200"),
        (SourceKind.ARXIV_OAI, OAI, f"{OAI}?verb=ListRecords&metadataPrefix=arXiv"),
        (SourceKind.ARXIV_OAI, f"{OAI}?set=cs", f"{OAI}?set=cs&verb=ListRecords&metadataPrefix=arXiv"),
        (
            SourceKind.ARXIV_OAI,
            f"{OAI}?verb=GetRecord&identifier=oai:arXiv.org:2509.02547&metadataPrefix=arXiv",
            f"{OAI}?verb=GetRecord&identifier=oai:arXiv.org:2509.02547&metadataPrefix=arXiv",
        ),
        (
            SourceKind.OPENREVIEW,
            f"{OPENREVIEW}?invitation=a",
            f"{OPENREVIEW}?invitation=a&limit=1000&sort=cdate%3Adesc",
        ),
        (SourceKind.BIORXIV, f"{BIORXIV}/5d", f"{BIORXIV}/5d"),
        (SourceKind.RSS, "https://lab.example.org/feed", "https://lab.example.org/feed"),
        (SourceKind.ARXIV, "https://rss.arxiv.org/rss/cs.CL", "https://rss.arxiv.org/rss/cs.CL"),
    ],
)
def test_list_begins_at_its_first_page_and_what_is_no_list_stays_as_it_is(
    kind: SourceKind, url: str, expected: str
) -> None:
    assert first_page(kind=kind, url=url) == expected


@pytest.mark.parametrize(
    ("kind", "url", "since", "until", "expected"),
    [
        (SourceKind.HF, HF, MONDAY, MONDAY, f"{HF}?date=2026-05-04&limit=100"),
        (SourceKind.HF, f"{HF}?date=2020-01-01", MONDAY, MONDAY, f"{HF}?date=2026-05-04&limit=100"),
        (SourceKind.HF, HF, MONDAY, FRIDAY, f"{HF}?limit=100"),
        (
            SourceKind.ARXIV_OAI,
            f"{OAI}?set=cs&metadataPrefix=arXivRaw",
            MONDAY,
            None,
            f"{OAI}?set=cs&metadataPrefix=arXivRaw&verb=ListRecords&from=2026-05-04",
        ),
        (
            SourceKind.ARXIV_OAI,
            f"{OAI}?verb=ListRecords&from=2020-01-01&metadataPrefix=arXiv",
            MONDAY,
            FRIDAY,
            f"{OAI}?verb=ListRecords&metadataPrefix=arXiv&from=2026-05-04&until=2026-05-08",
        ),
        (
            SourceKind.BIORXIV,
            f"{BIORXIV}/{{from}}/{{to}}/{{cursor}}",
            MONDAY,
            FRIDAY,
            f"{BIORXIV}/2026-05-04/2026-05-08/0",
        ),
        (SourceKind.BIORXIV, f"{BIORXIV}/{{from}}/{{to}}", MONDAY, FRIDAY, f"{BIORXIV}/2026-05-04/2026-05-08/0"),
        (
            SourceKind.BIORXIV,
            f"{BIORXIV}/2020-01-01/2020-01-02/90?category=genomics",
            MONDAY,
            FRIDAY,
            f"{BIORXIV}/2026-05-04/2026-05-08/0?category=genomics",
        ),
        (SourceKind.BIORXIV, "https://connect.biorxiv.org/biorxiv_xml.php?subject=all", MONDAY, FRIDAY, None),
        (SourceKind.RSS, "https://lab.example.org/feed", MONDAY, FRIDAY, None),
    ],
)
def test_span_of_days_is_asked_for_where_the_kind_takes_one(
    kind: SourceKind, url: str, since: dt.date, until: dt.date | None, expected: str | None
) -> None:
    assert first_page(kind=kind, url=url, since=since, until=until) == (expected or url)


@pytest.mark.parametrize(
    ("kind", "url", "feed", "expected"),
    [
        (SourceKind.HF, HF, page(50), f"{HF}?p=1"),  # past the limit that nobody asked for
        (SourceKind.HF, HF, page(49), ""),
        (SourceKind.HF, f"{HF}?limit=100&p=3", page(100), f"{HF}?limit=100&p=4"),
        (SourceKind.HF, f"{HF}?limit=1000", page(100), f"{HF}?limit=1000&p=1"),  # 100 is the most it gives
        (SourceKind.HF, f"{HF}?limit=100", page(99, problems=("has no title",)), f"{HF}?limit=100&p=1"),
        (SourceKind.HF, f"{HF}?limit=100", page(0), ""),
        (SourceKind.ARXIV_API, f"{API}?search_query=a", page(10, total=25), f"{API}?search_query=a&start=10"),
        (SourceKind.ARXIV_API, f"{API}?search_query=a&start=20", page(5, total=25), ""),
        (SourceKind.ARXIV_API, f"{API}?search_query=a&start=20", page(0, total=25), ""),
        (
            SourceKind.ARXIV_API,
            f"{API}?search_query=a",
            page(3, total=9, problems=("is cut off",)),
            f"{API}?search_query=a&start=3",
        ),
        (SourceKind.ARXIV_API, f"{API}?search_query=a", page(10), ""),
        (
            SourceKind.OPENREVIEW,
            f"{OPENREVIEW}?limit=1000",
            page(1000, total=1001),
            f"{OPENREVIEW}?limit=1000&offset=1000",
        ),
        (SourceKind.OPENREVIEW, f"{OPENREVIEW}?offset=1000", page(1, total=1001), ""),
        (
            SourceKind.BIORXIV,
            f"{BIORXIV}/2026-05-04/2026-05-08/0",
            page(30, resume="30"),
            f"{BIORXIV}/2026-05-04/2026-05-08/30",
        ),
        (SourceKind.BIORXIV, f"{BIORXIV}/2026-05-04/2026-05-08/30", page(30, resume="30"), ""),
        (SourceKind.BIORXIV, f"{BIORXIV}/2026-05-04/2026-05-08/30", page(3), ""),
        (
            SourceKind.ARXIV_OAI,
            f"{OAI}?verb=ListRecords&metadataPrefix=arXiv&from=2026-05-04",
            page(9, resume="6|5&x"),
            f"{OAI}?verb=ListRecords&resumptionToken=6%7C5%26x",
        ),
        (SourceKind.ARXIV_OAI, f"{OAI}?verb=ListRecords&resumptionToken=a", page(9, resume="a"), ""),
        (SourceKind.ARXIV_OAI, f"{OAI}?verb=ListRecords&resumptionToken=a", page(9), ""),
        (SourceKind.RSS, "https://lab.example.org/feed", page(9, total=100, resume="https://evil.example/"), ""),
        (SourceKind.ARXIV, "https://rss.arxiv.org/rss/cs.CL", page(9, total=100), ""),
    ],
)
def test_next_page_is_the_one_behind_this_and_none_behind_the_last(
    kind: SourceKind, url: str, feed: ParsedFeed, expected: str
) -> None:
    assert next_page(kind=kind, url=url, feed=feed) == expected


@pytest.mark.parametrize("kind", SourceKind)
@pytest.mark.parametrize("resume", ["//evil.example/", "http://evil.example/", "@evil.example", "1/../../x", "\n", "٣"])
def test_nothing_in_a_document_leads_to_another_host(kind: SourceKind, resume: str) -> None:
    for url in (HF, API, OAI, f"{BIORXIV}/2026-05-04/2026-05-08/0", OPENREVIEW):
        following = next_page(kind=kind, url=url, feed=page(100, total=10_000, resume=resume))
        assert not following or following.startswith(url.partition("/details")[0])
        assert "\n" not in following


@pytest.mark.parametrize("kind", SourceKind)
def test_list_ends_whatever_its_source_promises(kind: SourceKind) -> None:
    full = page(1_000, total=2**31 - 1, resume="77")
    for start in (HF, API, OAI, f"{BIORXIV}/2026-05-04/2026-05-08/0", OPENREVIEW):
        url, pages = first_page(kind=kind, url=start), 0
        while url := next_page(kind=kind, url=url, feed=full):
            pages += 1
            assert pages <= MAX_ITEMS / 100


@pytest.mark.parametrize(
    ("feed", "short"),
    [
        (page(0, total=25), True),
        (page(0, total=20), False),
        (page(3, total=25), False),
        (page(3, total=25, problems=("is cut off: the document ends within entry 4",)), True),
        (page(0, total=0), False),
        (page(0), False),
    ],
)
def test_empty_page_before_the_end_is_worth_asking_for_again(feed: ParsedFeed, short: bool) -> None:
    assert is_short(kind=SourceKind.ARXIV_API, url=f"{API}?search_query=a&start=20", feed=feed) is short

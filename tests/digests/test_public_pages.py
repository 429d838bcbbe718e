"""What all public pages share: they are kept, found by search engines, light, and safe against whatever is asked."""

import datetime as dt
import io
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone
from PIL import Image
from pytest_django import Settings

from digests.models import Edition, EditionPaper, EditionState
from digests.pages import caching
from digests.pages.cards import draw_card
from digests.pages.neighbours import note_for, why_none
from papers.models import Announcement, DailySignal, Paper, SourceState
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_topic
from tests.subscriptions.pages import words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "corpora" / "hf_daily.jsonl.gz"


@pytest.fixture
def kept(settings: Settings) -> None:
    settings.PAGE_CACHE_SECONDS = 60


@pytest.fixture
def paper() -> Paper:
    make_topic("language", name="Language", description="Models of language and what they are made of.")
    found = make_paper(key="arxiv:2509.02547", title="Folding chairs", topics=["language"], upvotes=3)
    make_edition([found], picks=[make_paper(title="The pick")], published_at=NOW)
    return found


PAGES = [
    "/",
    f"/papers/date/{TODAY}",
    "/papers/2509.02547",
    "/topics/language",
    "/papers/author/Ada%20Lovelace",
    f"/papers/month/{TODAY:%Y-%m}",
    "/papers/week/2026-W48",
    "/papers/trending",
    "/archive",
    "/status",
    "/about/",
    "/sitemap.xml",
    "/sitemap-days.xml",
    "/robots.txt",
    "/card.png",
    "/papers/2509.02547/card.png",
    f"/papers/date/{TODAY}/card.png",
]


# --- kept -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("kept", "paper")
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_made_once_and_answered_304_to_who_has_it(client: Client, path: str):
    first = client.get(path)
    assert (first.status_code, bool(first.cookies)) == (200, False)
    with CaptureQueriesContext(connection) as queries:
        again = client.get(path)
        assert client.get(path, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    assert again.content == first.content
    assert len(queries) == 2
    head = client.head(path)
    assert (head.content, head["ETag"]) == (b"", first["ETag"])
    assert "Cookie" not in first.headers.get("Vary", "")
    assert first["Cache-Control"] == "public, max-age=60"


@pytest.mark.usefixtures("kept")
def test_what_the_desk_does_is_seen_at_once(client: Client, paper: Paper):
    assert "2 papers, 1 picked" in words(client.get("/"))
    call_command("edition", f"{TODAY}", "pick", paper.key, stdout=io.StringIO())
    assert "2 papers, 2 picked" in words(client.get("/"))


@pytest.mark.usefixtures("kept", "paper")
def test_what_is_published_is_seen_at_once(client: Client):
    client.get("/archive")
    make_edition([make_paper()], date=TODAY - dt.timedelta(days=3))
    assert f"/papers/date/{TODAY - dt.timedelta(days=3)}" in client.get("/archive").content.decode()


@pytest.mark.usefixtures("kept", "paper")
def test_parameters_that_nobody_reads_fill_no_memory(client: Client):
    for number in range(5):
        assert client.get(f"/?utm_source={number}&page=1&x={number}").status_code == 200
    assert caching.kept() == 1


@pytest.mark.usefixtures("kept", "paper")
def test_memory_is_bounded(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(caching, "MOST_PAGES", 3)
    for page in PAGES[:8]:
        client.get(page)
    assert caching.kept() == 3
    monkeypatch.setattr(caching, "MOST_OCTETS", 1)
    client.get("/about/")
    assert caching.kept() <= 1


@pytest.mark.usefixtures("kept", "paper")
def test_pages_are_pressed_for_who_can_read_it(client: Client):
    import gzip

    plain, pressed = client.get("/"), client.get("/", HTTP_ACCEPT_ENCODING="gzip")
    assert pressed["Content-Encoding"] == "gzip"
    assert gzip.decompress(pressed.content) == plain.content
    assert "Accept-Encoding" in plain["Vary"]


@pytest.mark.usefixtures("kept", "paper")
def test_no_page_of_a_reader_is_kept(client: Client):
    for path in ("/me/", "/subscribe/", "/privacy/", "/sign-in/", "/submit/", "/healthz", "/readyz"):
        client.get(path)
    assert not caching.kept()


# --- found ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize("path", PAGES[:11])
def test_each_page_says_what_it_is_and_where_it_is_at_home(client: Client, path: str):
    text = client.get(path).content.decode()
    (canonical,) = re.findall(r'<link rel="canonical" href="([^"]+)"', text)
    assert canonical.startswith(project.SITE_URL)
    (description,) = re.findall(r'<meta name="description" content="([^"]+)"', text)
    assert 20 < len(description) < 320
    (picture,) = re.findall(r'<meta property="og:image" content="([^"]+)"', text)
    assert client.get(picture.removeprefix(project.SITE_URL))["Content-Type"] == "image/png"
    assert len(re.findall(r"<h1[ >]", text)) == 1


def test_further_pages_and_searches_are_not_listed(client: Client):
    make_edition([make_paper(title=f"Whale {n}") for n in range(60)])
    for path in ("/?page=2", "/search?q=whale", "/papers/date/2001-01-01", "/status"):
        assert '<meta name="robots" content="noindex">' in client.get(path).content.decode()
    assert "noindex" not in client.get("/").content.decode()
    assert f'href="{project.SITE_URL}/papers/date/{TODAY}"' in client.get("/?page=2").content.decode()


def places(document: bytes) -> list[str]:
    """The addresses in a map, which is read as XML: a fault in it is an error."""
    from xml.dom.minidom import parseString

    return [str(one.firstChild.data) for one in parseString(document).getElementsByTagName("loc") if one.firstChild]  # type: ignore[union-attr]  # noqa: S318


def test_the_map_names_every_page_in_parts(client: Client, paper: Paper):
    found: list[str] = []
    for part in places(client.get("/sitemap.xml").content):
        found += places(client.get(part.removeprefix(project.SITE_URL)).content)
    for path in (
        "/",
        f"/papers/date/{TODAY}",
        "/papers/2509.02547",
        "/topics/language",
        f"/papers/month/{TODAY:%Y-%m}",
    ):
        assert f"{project.SITE_URL}{path}" in found
    assert "/sitemap.xml" in client.get("/robots.txt").content.decode()


@pytest.mark.parametrize(
    "path", ["/sitemap-x.xml", "/sitemap-papers-99.xml", "/sitemap-papers-x.xml", "/sitemap-papers-99999999999.xml"]
)
def test_a_part_of_the_map_there_is_not_is_a_404(client: Client, path: str):
    assert client.get(path).status_code == 404


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title",
    [
        "Short",
        "A longer title that goes over two lines or three " * 3,
        "x" * 1_000_000,
        "∀ε>0 ∃δ: ∫ f(x) dx ≤ ‖x‖²",
        "深層学習による文書要約",
        "תרגום מכונה",
        "",
        "\x00\u202e<b>",
    ],
)
def test_a_picture_is_drawn_of_any_title_and_is_small(title: str):
    octets = draw_card(title=title, below="Ada Lovelace and 3 others", day=TODAY)
    picture = Image.open(io.BytesIO(octets))
    assert picture.size == (1200, 630)
    assert len(octets) < 100_000


def test_pictures_of_what_is_not_shown_are_not_there(client: Client, paper: Paper):
    make_paper(key="arxiv:2601.00001")
    assert client.get("/papers/2601.00001/card.png").status_code == 404
    assert client.get("/papers/date/2001-01-01/card.png").status_code == 404


# --- light ------------------------------------------------------------------------------------------------------------


def test_fifty_papers_with_their_abstracts_folded_weigh_less_than_100_kb(client: Client):
    make_edition([make_paper(**_realistic(number), topics=[]) for number in range(50)])
    page = client.get("/")
    style = (project.BASE_DIR / "static" / "site.css").stat().st_size
    assert page.content.decode().count('<li class="paper">') == 50
    assert len(page.content) + style <= 100_000, (len(page.content), style)


def _realistic(number: int) -> dict[str, Any]:
    """As long as papers of Daily Papers are in the mean: 1,360 letters of abstract, 80 of title, 7 authors."""
    sentence = (
        "We propose a method which folds chairs number {} faster than others do, and show that it holds for tables. "
    )
    return {
        "title": f"Folding Chairs {number}: A Study of Tables That Stand and of Those That Do Not at All",
        "abstract": (sentence.format(number) * 20)[:1360],
        "authors": [f"Ada Maria Lovelace {n}" for n in range(7)],
        "pdf_link": f"https://arxiv.org/pdf/2611.{number:05}",
        "code_link": f"https://github.com/example/folding-chairs-{number}" if number % 2 else "",
        "upvotes": number,
    }


@pytest.mark.parametrize(
    "path", ["/", "/topics/language", "/papers/trending", "/papers/author/Ada%20Lovelace", "/archive"]
)
def test_many_papers_cost_as_many_queries_as_few(client: Client, path: str):
    make_topic("language", name="Language")
    source, counts = make_source(), []
    for number in (2, 40):
        Edition.objects.all().delete()
        found = [make_paper(topics=["language"]) for _ in range(number)]
        make_edition(found)
        for paper in found:
            DailySignal.objects.create(paper=paper, source=source, date=TODAY, upvotes=9)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(path).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


# --- what is on them --------------------------------------------------------------------------------------------------


def test_a_paper_page_has_versions_picks_and_what_is_like_it(client: Client, paper: Paper):
    abstract = "Folding chairs needs hinges. Chairs with hinges fold; folding hinges squeak."
    like = [make_paper(title=f"Hinges of folding chairs {n}", abstract=abstract) for n in range(2)]
    Paper.objects.filter(pk=paper.pk).update(abstract=abstract, github_stars=7, doi="10.1/x", version=2)
    make_edition([], picks=like, date=TODAY - dt.timedelta(days=1))
    for version, day in ((1, 5), (2, 2)):
        Announcement.objects.create(
            paper=paper,
            source=make_source(),
            date=TODAY - dt.timedelta(days=day),
            kind="new",
            version=version,
            seen_at=NOW,
        )
    said = words(client.get("/papers/2509.02547"))
    assert "v1 of 18 November 2026, v2 of 21 November 2026" in said
    assert "Similar papers Hinges of folding chairs" in said
    assert "Stars on GitHub 7" in said
    assert "10.1/x" in said
    assert "picked by the editor" in words(client.get(f"/papers/{like[0].key.removeprefix('arxiv:')}"))


def test_an_author_has_a_page_and_can_be_followed_from_it(client: Client, paper: Paper):
    page = client.get("/papers/author/A.%20Lovelace")
    assert "Folding chairs" in words(page)
    assert 'name="authors" value="A. Lovelace"' in page.content.decode()
    form = client.get("/subscribe/", {"authors": "A. Lovelace"}).content.decode()
    assert "A. Lovelace" in form
    assert "/papers/author/Ada%20Lovelace" in client.get("/papers/2509.02547").content.decode()


def test_what_is_trending_says_what_it_gained(client: Client, paper: Paper):
    source = make_source()
    today = timezone.now().date()
    Edition.objects.update(date=today)
    Paper.objects.update(announced_date=today)
    for days, upvotes in ((1, 10), (0, 25)):
        DailySignal.objects.create(paper=paper, source=source, date=today - dt.timedelta(days=days), upvotes=upvotes)
    said = words(client.get("/papers/trending"))
    assert "Folding chairs" in said
    assert "+15 upvotes since yesterday" in said
    assert "The pick" not in said


def test_the_sources_are_told_in_words_without_their_errors(client: Client):
    make_source(name="arXiv", state=SourceState.FRESH, last_new_at=NOW)
    make_source(name="Late", state=SourceState.STALLED, missing_dates=["2026-11-20"], last_error="401 for key=secret")
    make_source(name="Off", state=SourceState.OFF)
    said = words(client.get("/status"))
    assert "arXiv Up to date" in said
    assert "Something is late" in said
    assert "Missing: 20 November" in said
    assert "secret" not in said
    assert "Off" not in said.replace("Official", "")


def test_a_calendar_leads_to_days_weeks_and_months(client: Client, paper: Paper):
    make_edition([make_paper()], date=dt.date(2025, 12, 31))
    text = client.get("/archive").content.decode()
    assert 'aria-label="23 November, 2 papers"' in text
    assert "/papers/week/2026-W48" in text
    assert "?year=2025" in text
    assert "31 December" in client.get("/archive?year=2025").content.decode()
    for year in ("x", "1999", "99999999999999999999", "٢٠٢٥"):
        assert client.get("/archive", {"year": year}).status_code == 200


def test_days_without_an_edition_say_why_and_the_newest_says_when_the_next_comes():
    noon = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
    assert "weekends" in why_none(dt.date(2026, 11, 21), now=noon)
    assert "holiday" in why_none(dt.date(2026, 6, 19), now=noon)
    assert "not come yet" in why_none(dt.date(2026, 12, 1), now=noon)
    assert "comes out at 07:00 (UTC)" in why_none(noon.date(), now=noon.replace(hour=5))
    assert "no new papers" in why_none(dt.date(2026, 11, 24), now=noon)
    friday = dt.date(2026, 11, 20)
    assert "on Monday" in note_for(friday, now=dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC))
    assert "holiday" in note_for(dt.date(2026, 11, 25), now=dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC))
    assert note_for(friday, now=dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)) == ""


def test_days_weeks_and_months_skip_what_is_empty(client: Client):
    for date in (dt.date(2026, 9, 1), dt.date(2026, 11, 23)):
        make_edition([make_paper()], date=date)
    for path, other in (
        ("/papers/date/2026-11-23", "/papers/date/2026-09-01"),
        ("/papers/week/2026-W48", "/papers/week/2026-W36"),
        ("/papers/month/2026-11", "/papers/month/2026-09"),
    ):
        assert f'href="{other}" rel="prev"' in client.get(path).content.decode()


# --- whatever is asked ------------------------------------------------------------------------------------------------

ODD = [
    "",
    "%00",
    "%F0%9F%A6%86",
    "%E2%80%AE",
    "..%2F..%2Fetc",
    "'%20OR%201=1--",
    "%3Cscript%3E",
    "x" * 390,
    "%ED%A0%80",
    "%25",
    "-1",
]


@pytest.mark.usefixtures("paper")
@pytest.mark.parametrize("odd", ODD)
def test_whatever_is_asked_is_answered_calmly(client: Client, odd: str, caplog: pytest.LogCaptureFixture):
    paths = [
        f"/papers/{odd}",
        f"/papers/author/{odd}",
        f"/papers/date/{odd}",
        f"/papers/week/{odd}",
        f"/papers/month/{odd}",
    ]
    paths += [
        f"/topics/{odd}",
        f"/papers/{odd}/card.png",
        f"/sitemap-{odd}.xml",
        f"/search?q={odd}",
        f"/archive?year={odd}",
    ]
    paths += [
        f"{page}?page={odd}" for page in ("/", "/topics/language", "/papers/trending", "/papers/author/Ada%20Lovelace")
    ]
    with caplog.at_level(logging.ERROR):
        for path in paths:
            answer = client.get(path)
            assert answer.status_code in {200, 301, 302, 404}, path
            assert "<script>" not in answer.content.decode(errors="replace").replace("<script src", ""), path
    assert not caplog.records


def test_every_answer_has_the_headers_that_keep_it_safe(client: Client, paper: Paper):
    for path in (
        *PAGES,
        "/no-such-page",
        "/search?q=x",
        "/api/daily_papers",
        "/feeds/today.atom",
        "/admin/",
        "/me/",
        "/healthz",
        "/subscribe/",
    ):
        answer = client.get(path)
        policy = answer.headers.get("Content-Security-Policy", "")
        assert "unsafe" not in policy, path
        assert "default-src 'none'" in policy, path
        assert answer["X-Content-Type-Options"] == "nosniff", path
        assert answer["Referrer-Policy"] == "same-origin", path
        assert answer["X-Frame-Options"] == "DENY", path
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "camera=()" in answer["Permissions-Policy"], path


def test_no_pattern_is_without_a_test_of_its_kind():
    """Whoever adds a public page adds it to PAGES."""
    names = {one.name for one in _patterns(get_resolver("digests.urls")) if one.name}
    assert names <= {
        "today", "day", "week", "month", "paper", "topic", "search", "archive", "about", "view", "trending", "author",
        "status", "card", "day_card", "paper_card", "sitemap", "sitemap_part", "robots",
    }  # fmt: skip


def _patterns(resolver: URLResolver) -> list[URLPattern]:
    return [one for one in resolver.url_patterns if isinstance(one, URLPattern)]


def test_hidden_and_draft_papers_are_on_no_list(client: Client, paper: Paper):
    draft = make_paper(title="Of tomorrow", authors=["Secret Author"])
    make_edition([draft], date=TODAY + dt.timedelta(days=1), state=EditionState.DRAFT)
    EditionPaper.objects.filter(paper=paper).update(choice="hidden")
    for path in PAGES[:11]:
        said = words(client.get(path))
        assert "Of tomorrow" not in said
        assert path == "/papers/2509.02547" or "Folding chairs" not in said
    assert client.get("/papers/author/Secret%20Author").status_code == 404

"""What was corrected by hand survives every later fetch, and reaches the readers who are still due."""

from typing import Any

import pytest

from digests.digest import build_digest
from digests.shelf import Shelf
from papers.correcting import StalePaperError, correct_paper, forget_corrections
from papers.entries import AnnouncementKind, Entry, Markup, ParsedFeed
from papers.merging import merge_papers
from papers.models import Paper, Source
from papers.storing import store_feed
from tests.factories import NOW, TODAY, make_edition, make_paper, make_source, make_subscriber, make_topic

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def fetched(source: Source, **values: Any) -> Paper:
    facts: dict[str, Any] = {
        "key": "arxiv:2611.00001",
        "title": "On wales",
        "abstract": "They swim.",
        "authors": ("A. Byron",),
        "categories": ("cs.CL",),
        "announcement": AnnouncementKind.NEW,
        "announced_date": TODAY,
        "version": 1,
        "markup": Markup.TEX,
    }
    entry = Entry(**{**facts, **values})
    store_feed(source=source, feed=ParsedFeed(entries=[entry], problems=[]), today=TODAY, now=NOW)
    return Paper.objects.get(key="arxiv:2611.00001")


def test_a_correction_survives_the_next_fetch_and_a_new_version():
    source = make_source()
    paper = fetched(source)
    changed = correct_paper(paper.pk, {"title": "On whales", "authors": ["Ada Byron"]}, revision=paper.revision)
    assert changed == ["title", "authors"]
    fetched(source)
    paper = fetched(source, title="On wales, again", abstract="They swim fast.", version=2)
    assert (paper.title, paper.authors, paper.version) == ("On whales", ["Ada Byron"], 2)
    # What was not corrected follows the source, and what the source says of the rest is kept beside it.
    assert paper.abstract == "They swim fast."
    assert paper.corrections == {"title": "On wales, again", "authors": ["A. Byron"]}
    assert forget_corrections(paper.pk, revision=paper.revision) == ["title", "authors"]
    paper.refresh_from_db()
    assert (paper.title, paper.authors, paper.corrections) == ("On wales, again", ["A. Byron"], {})


def test_a_text_put_back_by_hand_is_no_correction_any_more():
    paper = fetched(make_source())
    correct_paper(paper.pk, {"title": "On whales"}, revision=1)
    correct_paper(paper.pk, {"title": "On wales"}, revision=2)
    paper.refresh_from_db()
    assert (paper.title, paper.corrections) == ("On wales", {})


def test_nothing_new_changes_nothing_and_an_old_page_is_refused():
    paper = fetched(make_source())
    assert correct_paper(paper.pk, {"title": "On wales"}, revision=1) == []
    paper.refresh_from_db()
    assert paper.revision == 1
    correct_paper(paper.pk, {"title": "On whales"}, revision=1)
    with pytest.raises(StalePaperError):
        correct_paper(paper.pk, {"title": "Mine"}, revision=1)
    paper.refresh_from_db()
    assert paper.title == "On whales"


def test_a_correction_at_noon_reaches_whoever_is_still_due():
    paper = make_paper(title="On wales")
    edition, reader = make_edition([paper]), make_subscriber()
    before = edition.revision
    correct_paper(paper.pk, {"title": "On whales"}, revision=1)
    edition.refresh_from_db()
    assert edition.revision == before + 1
    digest = build_digest(reader, edition, shelf=Shelf(now=NOW))
    assert digest.lines[0].card.title == "On whales"


def test_a_corrected_text_is_matched_with_the_topics_anew():
    topic = make_topic("whales", any_words=["whale*"])
    paper = make_paper(title="On wales")
    correct_paper(paper.pk, {"title": "On whales"}, revision=1)
    assert topic in paper.topics.all()


@pytest.mark.parametrize("corrected", ["kept", "dropped"])
def test_a_correction_outlives_a_merger(corrected: str):
    kept = make_paper(title="On wales", text_rank=20)
    dropped = make_paper(title="On wales!", key="doi:10.1/x", text_rank=30)
    paper = kept if corrected == "kept" else dropped
    correct_paper(paper.pk, {"title": "On whales"}, revision=1)
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    kept.refresh_from_db()
    assert kept.title == "On whales"
    assert kept.corrections == {"title": "On wales!"}

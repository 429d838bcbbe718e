"""One work under several ids: told by DOI, then by title and first author, and merged when it turns out later."""

import datetime as dt
from dataclasses import replace

import pytest

from digests.digest import build_digest
from digests.editions import grow_draft
from digests.models import Choice, Edition, EditionPaper
from digests.shelf import Shelf
from papers.entries import AnnouncementKind, Entry, ParsedFeed, Signals
from papers.matching import rematch_topic
from papers.merging import all_ids, merge_papers
from papers.models import Announcement, DailySignal, Paper, Source
from papers.same_work import may_be_same, title_key
from papers.storing import StoreReport, store_feed
from subscriptions.outgoing import OutgoingState
from tests.factories import (
    NOW,
    TODAY,
    make_delivery,
    make_edition,
    make_paper,
    make_source,
    make_subscriber,
    make_topic,
)

pytestmark = [pytest.mark.db, pytest.mark.django_db]
TITLE = "Measuring the patience of very large whales"
DOI = "10.1234/whales.7"
ARXIV = Entry(key="arxiv:2611.00001", title=TITLE, abstract="They wait.", authors=("Ada Lovelace",), version=1)
JOURNAL = Entry(key=f"doi:{DOI}", title=f"{TITLE}.", abstract="They wait.", authors=("A. Lovelace",), doi=DOI)


def store(source: Source, *entries: Entry, day: dt.date = TODAY) -> StoreReport:
    return store_feed(source=source, feed=ParsedFeed(entries=entries), today=day, now=NOW)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Measuring the Patience  of very large whales", "Measuring the patience of very-large whales."),
        ("Über die Geduld sehr großer Wale im Nordmeer", "Uber die Geduld sehr großer Wale im Nordmeer"),
    ],
)
def test_titles_are_compared_by_their_letters(one: str, other: str):
    assert title_key(one, ["Ada Lovelace"]) == title_key(other, ["A. Lovelace"]) != ""


@pytest.mark.parametrize(
    ("title", "authors"), [("Editorial", ["Ada Lovelace"]), (TITLE, []), (TITLE, [" "]), ("", ["Ada Lovelace"])]
)
def test_what_says_too_little_is_compared_with_nothing(title: str, authors: list[str]):
    assert title_key(title, authors) == ""


def test_another_first_author_is_another_work():
    assert title_key(TITLE, ["Ada Lovelace"]) != title_key(TITLE, ["Alan Turing"])


@pytest.mark.parametrize(
    ("one", "other", "may"),
    [
        ("arxiv:2611.00001", "arxiv:2611.00002", False),
        ("arxiv:2611.00001", "doi:10.1/a", True),
        ("doi:10.1101/a", "doi:10.1101/b", False),
        ("doi:10.1101/a", "doi:10.1234/b", True),
        ("url:lab.example.org/a", "url:lab.example.org/b", False),
        ("url:openreview.net/a", "arxiv:2611.00001", True),
        ("guid:1", "guid:2", False),
        ("doi:10.1/a", "doi:10.1/a", False),
    ],
)
def test_within_one_house_two_ids_are_two_works(one: str, other: str, may: bool):
    assert may_be_same(one, other) is may_be_same(other, one) is may


def test_a_journal_with_the_doi_arxiv_names_shows_no_second_paper():
    arxiv, journal = make_source(), make_source(kind="rss")
    store(arxiv, replace(ARXIV, doi=DOI))
    report = store(journal, replace(JOURNAL, title="Quite another title of the printed version"))
    assert (report.new, report.unseen) == (0, 1)
    paper = Paper.objects.standing().get()
    assert (paper.key, paper.title, paper.announcements.count()) == (ARXIV.key, TITLE, 2)


def test_without_a_doi_title_and_first_author_tell():
    store(make_source(), ARXIV)
    store(make_source(kind="rss"), JOURNAL)
    paper = Paper.objects.standing().get()
    assert (paper.key, paper.doi, paper.announcements.count()) == (ARXIV.key, DOI, 2)


def test_a_journals_entry_is_the_same_paper_after_arxiv_gave_it_another_title():
    arxiv, journal = make_source(), make_source(kind="rss")
    unnamed = replace(JOURNAL, key="url:journal.example.org/7", doi="")
    store(arxiv, ARXIV)
    assert (store(journal, unnamed).known, store(journal, unnamed).known) == (1, 1)
    retitled = replace(ARXIV, version=2, title="On waiting in the sea", announcement=AnnouncementKind.REPLACEMENT)
    store(arxiv, retitled)
    before = list(Paper.objects.order_by("pk").values())
    assert store(journal, unnamed, day=TODAY + dt.timedelta(days=1)).new == 0
    assert list(Paper.objects.order_by("pk").values()) == before
    assert Paper.objects.standing().get().announcements.filter(source=journal).count() == 2


def test_a_journals_entry_is_the_same_paper_after_the_journal_gave_it_another_title():
    arxiv, journal = make_source(), make_source(kind="rss")
    store(arxiv, ARXIV)
    store(journal, replace(JOURNAL, doi=""))
    report = store(journal, replace(JOURNAL, doi="", title="The waiting of whales, as printed"))
    assert (report.new, Paper.objects.standing().get().title) == (0, TITLE)


def test_the_key_of_another_venue_follows_its_paper_into_a_third():
    arxiv, forum, journal = make_source(), make_source(kind="openreview"), make_source(kind="rss")
    store(forum, replace(JOURNAL, key="openreview:Xyz", doi=""))
    store(journal, JOURNAL)
    store(arxiv, ARXIV)
    kept = Paper.objects.standing().get()
    assert kept.key == ARXIV.key
    assert set(Paper.objects.filter(merged_into=kept).values_list("key", flat=True)) == {"openreview:Xyz", JOURNAL.key}


def test_the_kept_key_of_another_venue_is_no_paper_of_any_topic_or_edition():
    arxiv, journal = make_source(), make_source(kind="rss")
    store(arxiv, ARXIV)
    store(journal, JOURNAL)
    whales = make_topic("whales", any_words=["whales"])
    assert rematch_topic(topic_id=whales.pk, now=NOW) == (1, 0)
    grow_draft(date=TODAY, cutoff_at=NOW + dt.timedelta(hours=1))
    assert [entry.paper.key for entry in EditionPaper.objects.all()] == [ARXIV.key]


def test_two_arxiv_papers_with_one_title_stay_two():
    source = make_source()
    store(source, ARXIV, replace(ARXIV, key="arxiv:2611.00002"))
    store(source, replace(ARXIV, key="arxiv:2611.00003", doi=DOI), replace(ARXIV, key="arxiv:2611.00004", doi=DOI))
    assert Paper.objects.filter(merged_into__isnull=True).count() == 4


def test_a_journal_seen_first_is_merged_into_arxivs_paper():
    store(make_source(kind="rss"), replace(JOURNAL, signals=Signals(upvotes=3)))
    store(make_source(), ARXIV)
    kept, dropped = Paper.objects.get(key=ARXIV.key), Paper.objects.get(key=JOURNAL.key)
    assert (dropped.merged_into, kept.merged_into) == (kept, None)
    assert (kept.doi, kept.upvotes, kept.announcements.count(), kept.signals.count()) == (DOI, 3, 2, 1)
    assert list(Paper.objects.standing()) == [kept]


def test_a_doi_that_turns_up_later_merges_two_papers():
    other = replace(JOURNAL, title="The patience of whales, as measured by us", authors=("C. Babbage",))
    arxiv, journal = make_source(), make_source(kind="rss")
    store(arxiv, ARXIV)
    store(journal, other)
    assert Paper.objects.standing().count() == 2
    store(arxiv, replace(ARXIV, version=2, doi=DOI))
    assert list(Paper.objects.standing().values_list("key", flat=True)) == [ARXIV.key]
    # And from then on the journal's own entry is a sighting of that paper.
    report = store(journal, other, day=TODAY + dt.timedelta(days=1))
    assert (report.new, Paper.objects.count()) == (0, 2)
    assert Paper.objects.get(key=ARXIV.key).announcements.count() == 3


def test_a_paper_withdrawn_from_a_conference_stands_on_arxiv():
    arxiv, conference = make_source(), make_source(kind="openreview")
    gone = replace(JOURNAL, key="openreview:Xyz", doi="", announcement=AnnouncementKind.WITHDRAWAL)
    store(arxiv, ARXIV)
    store(conference, gone)
    store(conference, gone, day=TODAY + dt.timedelta(days=1))
    assert [paper.key for paper in Paper.objects.standing()] == [ARXIV.key]
    assert set(Announcement.objects.filter(source=conference).values_list("kind", flat=True)) == {"withdrawal"}


def test_a_paper_withdrawn_from_a_conference_before_it_came_to_arxiv_stands_there():
    store(make_source(kind="openreview"), replace(JOURNAL, announcement=AnnouncementKind.WITHDRAWAL))
    assert not Paper.objects.standing().exists()
    store(make_source(), ARXIV)
    assert [paper.key for paper in Paper.objects.standing()] == [ARXIV.key]


def test_arxivs_paper_stays_and_takes_over_the_more_faithful_text():
    values = {"raw_title": "x", "withdrawn_at": NOW, "text_rank": 25}
    listed = make_paper(title="The text of a listing", text_rank=10, version=2)
    forum = make_paper(key="openreview:Xyz", title="The authors' own text", **values)
    kept = merge_papers(one_id=forum.pk, other_id=listed.pk)
    kept.refresh_from_db()
    assert (kept.pk, kept.title, kept.text_rank, kept.version) == (listed.pk, forum.title, 25, 2)
    assert kept.withdrawn_at is None


def test_a_paper_whose_withdrawal_was_taken_back_stands_again():
    source = make_source()
    store(source, ARXIV)
    store(source, replace(ARXIV, version=2, announcement=AnnouncementKind.WITHDRAWAL))
    assert not Paper.objects.standing().exists()
    third = replace(ARXIV, version=3, announcement=AnnouncementKind.REPLACEMENT)
    store(source, third, day=TODAY + dt.timedelta(days=1))
    assert Paper.objects.standing().get().version == 3


def test_merging_twice_changes_nothing_more():
    one, other = make_paper(key="doi:10.1/a"), make_paper()
    assert merge_papers(one_id=one.pk, other_id=other.pk) == merge_papers(one_id=other.pk, other_id=one.pk) == other
    assert Paper.objects.get(pk=other.pk).revision == 2


def test_sightings_and_counts_of_the_same_day_are_kept_on_both_sides():
    source, one, other = make_source(), make_paper(), make_paper(key="doi:10.1/a")
    for paper in (one, other):
        Announcement.objects.create(paper=paper, source=source, date=TODAY, kind="new", seen_at=NOW)
        DailySignal.objects.create(paper=paper, source=source, date=TODAY, upvotes=2)
    DailySignal.objects.create(paper=other, source=source, date=TODAY - dt.timedelta(days=1), upvotes=1)
    merge_papers(one_id=one.pk, other_id=other.pk)
    assert (one.signals.count(), other.signals.count(), one.announcements.count()) == (2, 1, 1)


def test_a_third_row_follows_the_second_into_the_first():
    first, second, third = make_paper(), make_paper(key="doi:10.1/a"), make_paper(key="url:example.org/a")
    merge_papers(one_id=second.pk, other_id=third.pk)
    merge_papers(one_id=first.pk, other_id=third.pk)
    assert set(Paper.objects.filter(merged_into=first)) == {second, third}


def test_places_in_editions_move_with_what_the_curator_did():
    kept, dropped = make_paper(), make_paper(key="doi:10.1/a")
    both = make_edition([kept], picks=[dropped])
    only = make_edition([dropped], date=TODAY - dt.timedelta(days=1))
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    assert not EditionPaper.objects.filter(paper=dropped).exists()
    assert EditionPaper.objects.get(edition=both).choice == Choice.PICK
    assert EditionPaper.objects.get(edition=only).paper == kept
    assert set(Edition.objects.values_list("revision", flat=True)) == {2}


@pytest.mark.parametrize(
    ("of_kept", "of_dropped", "left"),
    [
        ({}, {"note": "Read this."}, ("candidate", 0, "Read this.")),
        ({"choice": "pick"}, {"choice": "pick", "position": 3, "note": "Read this."}, ("pick", 3, "Read this.")),
        ({"choice": "pick", "note": "My own"}, {"note": "Read this."}, ("pick", 0, "My own")),
        ({"choice": "hidden"}, {"choice": "pick", "note": "Read this."}, ("hidden", 0, "Read this.")),
        ({"note": "My own"}, {"choice": "pick", "position": 2}, ("pick", 2, "My own")),
    ],
)
def test_no_word_of_the_curator_is_lost_when_two_papers_of_an_edition_are_one(
    of_kept: dict[str, str], of_dropped: dict[str, str], left: tuple[str, int, str]
):
    kept, dropped = make_paper(), make_paper(key="doi:10.1/a")
    edition = make_edition()
    EditionPaper.objects.create(edition=edition, paper=kept, is_replacement=True, **of_kept)
    EditionPaper.objects.create(edition=edition, paper=dropped, **of_dropped)
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    entry = EditionPaper.objects.get()
    assert (entry.paper, entry.is_replacement) == (kept, False)
    assert (entry.choice, entry.position, entry.note) == left


def test_a_reader_who_had_the_one_has_had_the_other():
    kept, dropped = make_paper(), make_paper(key="doi:10.1/a")
    reader = make_subscriber()
    earlier = make_edition([dropped], date=TODAY - dt.timedelta(days=1))
    make_delivery(edition=earlier, subscriber=reader, state=OutgoingState.ACCEPTED, paper_ids=[dropped.pk])
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    edition = make_edition([kept])
    assert all_ids([dropped.pk]) == {kept.pk, dropped.pk}
    assert build_digest(reader, edition, shelf=Shelf(now=NOW)).lines == ()


def test_the_same_paper_in_many_places_is_one_paper_with_every_sighting():
    rss, cross, hf, journal = (make_source(kind=kind) for kind in ("arxiv", "arxiv", "hf", "rss"))
    store(rss, ARXIV)
    store(cross, replace(ARXIV, announcement=AnnouncementKind.CROSS_LIST, categories=("cs.AI",)))
    store(hf, replace(ARXIV, version=None, signals=Signals(upvotes=9)))
    store(journal, JOURNAL)
    store(rss, replace(ARXIV, version=2, announcement=AnnouncementKind.REPLACEMENT), day=TODAY + dt.timedelta(days=1))
    paper = Paper.objects.standing().get()
    assert sorted(paper.announcements.values_list("kind", flat=True)) == [
        "cross-list",
        "new",
        "new",
        "new",
        "replacement",
    ]
    assert (paper.version, paper.upvotes, paper.categories) == (2, 9, ["cs.AI"])

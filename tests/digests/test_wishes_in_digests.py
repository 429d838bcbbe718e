"""The choices of the manage page reach the digest, over the database."""

import datetime as dt

import pytest

from digests.digest import build_digest
from digests.models import Edition
from digests.shelf import Shelf
from papers.models import Announcement
from subscriptions.models import Subscriber, Wishes
from subscriptions.preferences import Preferences, store_preferences
from tests.factories import NOW, make_edition, make_paper, make_source, make_subscriber, make_topic

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def reasons(reader: Subscriber, edition: Edition) -> dict[str, str]:
    digest = build_digest(reader, edition, shelf=Shelf(now=NOW))
    return {line.card.title: line.reason for line in digest.lines}


def test_each_wish_has_its_effect_and_its_true_reason():
    edition = make_edition(
        [
            make_paper(title="On loops", authors=["Grace Hopper"], upvotes=9),
            make_paper(title="Notes", authors=["Ada Lovelace", "Charles Babbage"]),
            make_paper(title="Folding", abstract="Fast protein folding.", authors=["Emmy Noether"]),
            make_paper(title="Blockchains for all", upvotes=99, authors=["Ada Lovelace"]),
        ]
    )
    reader = make_subscriber()
    chosen = Preferences(
        interest="I like protein folding", mute_words=("blockchain",), followed_authors=("ada lovelace",)
    )
    store_preferences(reader, chosen, now=NOW)
    assert reasons(reader, edition) == {
        "Notes": "By Ada Lovelace, whom you follow",
        "Folding": "Matches “protein folding” in your interests",
        "On loops": "Trending: 9 upvotes on Hugging Face",
    }


def test_without_cross_lists_a_paper_that_was_only_listed_again_does_not_come():
    source, other = make_source(), make_source()
    make_topic("nlp", categories=["cs.CL"])
    listed = make_paper(title="Listed", categories=["stat.ME", "cs.CL"], topics=["nlp"])
    Announcement.objects.create(paper=listed, source=source, date=NOW.date(), kind="cross-list", seen_at=NOW)
    both = make_paper(title="Both", categories=["cs.LG", "cs.CL"], topics=["nlp"])
    Announcement.objects.create(paper=both, source=source, date=NOW.date(), kind="cross-list", seen_at=NOW)
    Announcement.objects.create(paper=both, source=other, date=NOW.date(), kind="new", seen_at=NOW)
    own = make_paper(title="Own", categories=["cs.CL"], topics=["nlp"], announced_in=source)
    edition = make_edition([listed, both, own])
    everything = make_subscriber(topics=["nlp"])
    assert set(reasons(everything, edition).values()) == {"In your topic Nlp"}
    assert len(reasons(everything, edition)) == 3
    strict = make_subscriber(topics=["nlp"])
    store_preferences(strict, Preferences(topics=("nlp",), wants_cross_lists=False), now=NOW)
    assert reasons(strict, edition) == {"Own": "In your topic Nlp", "Both": "New in this edition"}


def test_a_reader_who_asks_for_nothing_has_no_row_and_wishes_taken_back_leave_none():
    reader = make_subscriber()
    store_preferences(reader, Preferences(mute_words=("x",)), now=NOW)
    assert Wishes.objects.count() == 1
    store_preferences(reader, Preferences(), now=NOW)
    assert not Wishes.objects.exists()


def test_a_new_hour_moves_the_next_mail_and_the_same_hour_does_not():
    reader = make_subscriber(next_due_at=NOW + dt.timedelta(hours=1))
    store_preferences(reader, Preferences(max_papers=3), now=NOW)
    reader.refresh_from_db()
    assert reader.next_due_at == NOW + dt.timedelta(hours=1)
    store_preferences(reader, Preferences(hour=18, zone="UTC"), now=NOW)
    reader.refresh_from_db()
    assert reader.next_due_at == NOW.replace(hour=18, minute=0)

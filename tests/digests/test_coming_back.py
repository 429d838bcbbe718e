"""Papers that come back after a long time, as new versions or once more: whoever had one never gets it again."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from digests.delivering import SendReport, send_deliveries
from digests.digest import build_digest
from digests.models import Choice, Delivery, Edition, EditionPaper, ReaderArchive
from digests.pruning import prune_deliveries
from digests.shelf import Shelf
from papers.merging import merge_papers
from papers.models import Paper
from subscriptions.models import Subscriber
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)


def had(reader: Subscriber, paper: Paper, *, days_ago: int = 40) -> Delivery:
    """This reader had this paper so long ago, out of an edition of that day."""
    date = TODAY - days_ago * DAY
    edition = Edition.objects.filter(date=date).first() or make_edition([paper], date=date, state="closed")
    return make_delivery(
        edition=edition, subscriber=reader, state="delivered", due_at=NOW - days_ago * DAY, paper_ids=[paper.pk]
    )


def with_new_version(paper: Paper, *, choice: str = Choice.CANDIDATE) -> Edition:
    """Today's edition: one new paper, and a new version of this one."""
    edition = make_edition([make_paper()])
    EditionPaper.objects.create(edition=edition, paper=paper, is_replacement=True, choice=choice)
    return edition


def gets(reader: Subscriber, edition: Edition) -> set[int]:
    return set(build_digest(reader, edition, shelf=Shelf(now=NOW)).paper_ids)


@pytest.mark.parametrize("days_ago", [1, 14, 15, 40, 89])
def test_a_new_version_is_for_those_who_never_had_the_paper(days_ago: int):
    paper = make_paper(announced_date=TODAY - days_ago * DAY)
    reader, another = make_subscriber(wants_replacements=True), make_subscriber(wants_replacements=True)
    had(reader, paper, days_ago=days_ago)
    edition = with_new_version(paper)
    assert paper.pk not in gets(reader, edition)
    assert paper.pk in gets(another, edition)


def test_a_new_version_that_a_curator_picked_is_for_those_who_never_had_the_paper():
    paper, reader, another = make_paper(), make_subscriber(), make_subscriber()
    had(reader, paper)
    edition = with_new_version(paper, choice=Choice.PICK)
    assert paper.pk not in gets(reader, edition)
    assert paper.pk in gets(another, edition)


def test_a_paper_of_years_ago_is_remembered_in_the_archive():
    paper, reader = make_paper(), make_subscriber(wants_replacements=True)
    had(reader, paper, days_ago=200)
    prune_deliveries(now=NOW)
    assert (Delivery.objects.count(), ReaderArchive.objects.get().paper_ids) == (0, [paper.pk])
    assert paper.pk not in gets(reader, with_new_version(paper))


def test_whoever_had_a_paper_under_another_key_long_ago_has_had_it():
    paper, other, reader = make_paper(), make_paper(key="doi:10.1000/7"), make_subscriber(wants_replacements=True)
    had(reader, other)
    merge_papers(one_id=paper.pk, other_id=other.pk)
    assert paper.pk not in gets(reader, with_new_version(paper))


def test_a_paper_sent_long_ago_as_a_new_version_does_not_come_again_when_it_is_cross_listed():
    paper, reader, another = make_paper(), make_subscriber(), make_subscriber()
    had(reader, paper)
    edition = make_edition([paper, make_paper()])
    assert paper.pk not in gets(reader, edition)
    assert paper.pk in gets(another, edition)


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_what_never_left_was_not_had(state: str):
    paper, reader = make_paper(), make_subscriber(wants_replacements=True)
    Delivery.objects.filter(pk=had(reader, paper).pk).update(state=state)
    assert paper.pk in gets(reader, with_new_version(paper))


def test_the_mail_itself_holds_no_new_version_of_what_its_reader_had():
    paper = make_paper(announced_date=TODAY - 40 * DAY)
    reader, another = make_subscriber(wants_replacements=True), make_subscriber(wants_replacements=True)
    had(reader, paper)
    edition = with_new_version(paper)
    rows = [make_delivery(edition=edition, subscriber=one) for one in (reader, another)]
    assert send_deliveries([row.pk for row in rows], now=NOW) == SendReport(accepted=2)
    sent = dict(Delivery.objects.filter(edition=edition).values_list("subscriber_id", "paper_ids"))
    assert (paper.pk in sent[reader.pk], paper.pk in sent[another.pk]) == (False, True)


def test_what_readers_had_long_ago_is_looked_up_only_where_something_comes_back():
    paper, asking, other = make_paper(), make_subscriber(wants_replacements=True), make_subscriber()
    counts = []
    for edition, reader in (
        (make_edition([make_paper()], date=TODAY - DAY), asking),
        (with_new_version(paper), other),
        (Edition.objects.get(date=TODAY), asking),
    ):
        shelf = Shelf(now=NOW)
        for one in (reader, reader):  # The second time the shelf knows what comes back.
            with CaptureQueriesContext(connection) as queries:
                build_digest(one, edition, shelf=shelf)
        counts.append(len(queries))
    assert counts == [counts[0], counts[0], counts[0] + 2]

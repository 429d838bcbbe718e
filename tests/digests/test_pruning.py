"""Old deliveries are archived: no paper is forgotten, no book goes out of balance."""

import datetime as dt
import json

import pytest
from django.core.management import call_command

from digests import pruning
from digests.books import read_books
from digests.digest import covered_editions
from digests.models import Delivery, Edition, ReaderArchive, SkippedDay
from digests.pruning import PruneReport, prune_deliveries, prune_signals, prune_skipped_days
from papers.models import DailySignal
from subscriptions.models import MailEvent, Notice, NoticeKind, Subscriber
from subscriptions.pruning import RecordsReport, prune_records
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)


def old(
    days: int, reader: Subscriber | None = None, state: str = "accepted", papers: list[int] | None = None
) -> Delivery:
    edition, _ = Edition.objects.get_or_create(date=TODAY - days * DAY, defaults={"state": "closed", "cutoff_at": NOW})
    return make_delivery(
        edition=edition,
        subscriber=reader or make_subscriber(),
        state=state,
        paper_ids=papers or [],
        due_at=NOW - days * DAY,
        claim_token="x" if state == "claimed" else "",
        lease_until=NOW if state == "claimed" else None,
    )


def test_the_papers_a_reader_had_are_kept_and_the_books_still_balance():
    reader = make_subscriber()
    first, second = old(95, reader, papers=[1, 2]), old(94, reader, papers=[2, 3], state="unknown")
    old(95, state="failed", papers=[9])
    old(10, reader, papers=[7])
    before = read_books(first.edition), read_books(second.edition)
    assert prune_deliveries(now=NOW) == PruneReport(deliveries=3, readers=2)
    assert prune_deliveries(now=NOW) == PruneReport()
    archive = ReaderArchive.objects.get()
    assert (archive.subscriber, archive.paper_ids, archive.last_date) == (reader, [1, 2, 3], TODAY - 94 * DAY)
    assert (read_books(first.edition), read_books(second.edition)) == before
    assert before[0].balances
    assert Delivery.objects.get().paper_ids == [7]


def test_papers_of_a_mail_that_may_have_left_are_kept_although_the_second_try_failed():
    reader = make_subscriber()
    row = old(95, reader, papers=[1], state="failed")
    Delivery.objects.filter(pk=row.pk).update(may_have_left_at=NOW - 94 * DAY)
    prune_deliveries(now=NOW)
    assert ReaderArchive.objects.get().paper_ids == [1]


def test_later_prunings_add_to_what_is_there():
    reader = make_subscriber()
    row = old(95, reader, papers=[1])
    prune_deliveries(now=NOW)
    old(91, reader, papers=[5])
    make_delivery(edition=row.edition, subscriber=make_subscriber(), state="skipped", due_at=NOW - 95 * DAY)
    prune_deliveries(now=NOW)
    assert ReaderArchive.objects.get().paper_ids == [1, 5]
    books = read_books(row.edition)
    assert (books.audience, books["accepted"], books["skipped"]) == (2, 1, 1)


@pytest.mark.parametrize("state", ["queued", "claimed", "handing_over"])
def test_what_has_not_ended_is_kept_however_old(state: str):
    old(400, state=state)
    assert prune_deliveries(now=NOW) == PruneReport()
    assert Delivery.objects.count() == 1


def test_ninety_days_are_kept():
    old(89)
    assert prune_deliveries(now=NOW) == PruneReport()


def test_the_rows_of_somebody_erased_keep_the_sums_only():
    row = old(95, papers=[1])
    Subscriber.objects.all().delete()
    assert prune_deliveries(now=NOW) == PruneReport(deliveries=1, readers=0)
    assert not ReaderArchive.objects.exists()
    assert read_books(row.edition)["accepted"] == 1


def test_a_crash_between_chunks_archives_nothing_twice(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pruning, "CHUNK", 2)
    rows = [old(95, papers=[number]) for number in range(5)]
    archive, calls = pruning._archive, []

    def dies_at_the_second(ids: list[int]) -> list[Delivery]:
        calls.append(ids)
        found = archive(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    with monkeypatch.context() as patch:
        patch.setattr(pruning, "_archive", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            prune_deliveries(now=NOW)
    assert prune_deliveries(now=NOW) == PruneReport(deliveries=3, readers=3)
    assert (read_books(rows[0].edition).audience, ReaderArchive.objects.count()) == (5, 5)


def test_a_reader_who_was_away_for_long_is_no_first_reader():
    reader = make_subscriber()
    old(95, reader, papers=[1])
    prune_deliveries(now=NOW)
    editions = [make_edition([make_paper()], date=TODAY - number * DAY) for number in range(3)]
    assert covered_editions(reader, editions[0], now=NOW) == editions


def test_the_command_counts_first(capsys: pytest.CaptureFixture[str]):
    old(10_000)
    call_command("prune_deliveries", "--dry-run", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"deliveries": 1, "readers": 1, "skipped_days": 0, "mail_events": 0, "notices": 0}
    assert Delivery.objects.count() == 1
    call_command("prune_deliveries")
    assert not Delivery.objects.exists()


def test_records_that_nobody_asks_for_are_deleted_after_more_than_a_year():
    long_ago, lately = NOW - 401 * DAY, NOW - 399 * DAY
    reader = make_subscriber()
    for number, at in enumerate([long_ago, lately]):
        SkippedDay.objects.create(subscriber=reader, due_at=at, reason="No new edition was published.")
        for applied_at in (None, at):
            event = MailEvent.objects.create(
                provider="x", event_id=f"{number}-{applied_at}", kind="delivered", applied_at=applied_at
            )
            MailEvent.objects.filter(pk=event.pk).update(received_at=at)
        for state in ("queued", "accepted"):
            Notice.objects.create(subscriber=reader, kind=NoticeKind.CONFIRMATION, state=state, created_at=at)
    assert prune_skipped_days(now=NOW, dry_run=True) == prune_skipped_days(now=NOW) == 1
    assert prune_records(now=NOW, dry_run=True) == prune_records(now=NOW) == RecordsReport(mail_events=1, notices=1)
    assert SkippedDay.objects.get().due_at == lately
    # What nobody applied, or sent, is still to be: however old.
    assert MailEvent.objects.filter(received_at=long_ago).get().applied_at is None
    assert Notice.objects.filter(created_at=long_ago).get().state == "queued"
    assert prune_records(now=NOW) == RecordsReport()


def test_counts_that_trending_looks_at_no_more_go():
    paper, source = make_paper(), make_source()
    for days in (1, 59, 61, 400):
        DailySignal.objects.create(paper=paper, source=source, date=NOW.date() - dt.timedelta(days=days), upvotes=1)
    assert prune_signals(now=NOW, dry_run=True) == prune_signals(now=NOW) == 2
    assert prune_signals(now=NOW) == 0
    assert DailySignal.objects.count() == 2

"""Two digests of one reader wait at once, after workers were away for a day: no paper may come in both."""

import datetime as dt
import threading

import pytest
from django.db import connection, transaction
from pytest_django import Settings

from digests import delivering
from digests.delivering import DigestWork, send_deliveries
from digests.digest import Digest, choose_digest
from digests.editions import pause, resume
from digests.models import Delivery, Edition
from digests.readers import Recipient
from digests.shelf import Shelf
from mailer.outbox import list_mails
from subscriptions.batch import Made
from subscriptions.journal import new_claim_token
from subscriptions.models import Subscriber
from subscriptions.outgoing import OutgoingState
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.steps import wait_until_blocked

pytestmark = [pytest.mark.db, pytest.mark.django_db]


@pytest.fixture
def days() -> tuple[Edition, Edition]:
    older = make_edition([make_paper(), make_paper()], date=TODAY - dt.timedelta(days=1))
    return older, make_edition([make_paper(), make_paper()])


def deliveries(days: tuple[Edition, Edition], reader: Subscriber) -> list[Delivery]:
    return [make_delivery(edition=edition, subscriber=reader) for edition in days]


def test_the_later_digest_goes_out_and_the_earlier_says_why_it_does_not(
    days: tuple[Edition, Edition], settings: Settings
):
    older, newer = deliveries(days, make_subscriber())
    send_deliveries([older.pk, newer.pk], now=NOW)
    older.refresh_from_db()
    newer.refresh_from_db()
    assert (older.state, newer.state) == (OutgoingState.SKIPPED, OutgoingState.ACCEPTED)
    assert older.reason == "The digest of a later edition covers this one."
    assert len(list_mails(directory=settings.OUTBOX_DIR)) == 1


def test_while_the_later_edition_is_paused_the_earlier_digest_goes_out(days: tuple[Edition, Edition]):
    older, newer = deliveries(days, make_subscriber())
    pause(days[1])
    send_deliveries([older.pk, newer.pk], now=NOW)
    older.refresh_from_db()
    newer.refresh_from_db()
    assert (older.state, newer.state) == (OutgoingState.ACCEPTED, OutgoingState.QUEUED)


def test_a_digest_chosen_before_another_went_out_is_chosen_anew(
    days: tuple[Edition, Edition], monkeypatch: pytest.MonkeyPatch
):
    reader = make_subscriber()
    older, newer = deliveries(days, reader)
    shared = days[1].entries.first().paper_id
    choose = choose_digest

    def choose_and_be_overtaken(recipient: Recipient, edition: Edition, *, shelf: Shelf) -> Digest:
        digest = choose(recipient, edition, shelf=shelf)
        # Between choosing and the last word another worker hands over a digest with one of these papers.
        Delivery.objects.filter(pk=older.pk).update(state=OutgoingState.ACCEPTED, paper_ids=[shared])
        return digest

    monkeypatch.setattr(delivering, "choose_digest", choose_and_be_overtaken)
    send_deliveries([newer.pk], now=NOW)
    newer.refresh_from_db()
    assert newer.state == OutgoingState.QUEUED

    monkeypatch.undo()
    Delivery.objects.filter(pk=newer.pk).update(not_before=None)
    send_deliveries([newer.pk], now=NOW)
    newer.refresh_from_db()
    assert newer.state == OutgoingState.ACCEPTED
    assert shared not in newer.paper_ids


@pytest.mark.django_db(transaction=True)
def test_two_workers_that_begin_two_digests_of_one_reader_at_one_moment_begin_one():
    """PostgreSQL: neither could see what the other has not committed yet, so the second waits for the first."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time: there is no such moment.")
    shared = make_paper()
    older = make_edition([shared], date=TODAY - dt.timedelta(days=1))
    newer = make_edition([make_paper()], picks=[shared])
    ids = [delivery.pk for delivery in deliveries((older, newer), make_subscriber())]
    works, mails = [DigestWork(now=NOW) for _ in ids], []
    for work, pk in zip(works, ids, strict=True):
        (row,) = work.claim([pk], token=new_claim_token(), again=False)
        (mail,) = work.make([row])
        assert isinstance(mail, Made)
        assert shared.pk in mail.facts.paper_ids
        mails.append(mail)
    # While the newer edition is paused, the older digest may leave; a moment later both may.
    pause(newer)
    begun: list[set[int]] = []

    def begin_newer() -> None:
        try:
            with transaction.atomic():
                begun.append(works[1].begin([mails[1]], again=False))
        finally:
            connection.close()

    second = threading.Thread(target=begin_newer)
    with transaction.atomic():
        assert works[0].begin([mails[0]], again=False) == {ids[0]}
        resumed = threading.Thread(target=lambda: (resume(newer), connection.close()))
        resumed.start()
        resumed.join(timeout=10)
        second.start()
        wait_until_blocked()
    second.join(timeout=40)
    assert begun == [set()]

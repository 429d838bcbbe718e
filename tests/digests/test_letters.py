"""The owner's one-off letter to all readers: once each, through the same books, whatever happens meanwhile."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from digests import letters
from digests.history import read_history
from digests.letters import is_too_long, letter_books, plan_letters, send_letters, sendable, start
from digests.models import Letter, LetterDelivery, LetterState
from digests.receivers import on_mail_event
from mailer.outbox import list_mails
from subscriptions.models import Subscriber, SubscriberState, SuppressionReason
from subscriptions.outgoing import Move, OutgoingState, due_ids, sweep
from subscriptions.signup import unsubscribe
from subscriptions.suppression import suppress
from tests.factories import NOW, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]


def letter(**values: Any) -> Letter:
    return Letter.objects.create(**{"subject": "A word", "body": "We **move**.\n\nYour editor", **values})


def waiting() -> list[int]:
    return due_ids(LetterDelivery, limit=100, also=sendable())


def send_all() -> int:
    return send_letters(waiting(), now=NOW)


def test_a_letter_reaches_every_reader_once_and_the_books_balance(own_mailbox: Path):
    readers = [make_subscriber() for _ in range(3)]
    make_subscriber(state=SubscriberState.PENDING)
    make_subscriber(state=SubscriberState.PAUSED)
    row = letter()
    assert plan_letters() == 0
    assert start(row, now=NOW)
    assert not start(row, now=NOW)
    assert plan_letters() == 3
    assert plan_letters() == 0
    assert send_all() == 3
    assert send_all() == 0
    mails = list_mails(directory=own_mailbox)
    assert {mail.to for mail in mails} == {reader.email for reader in readers}
    assert all(mail.subject == "A word" and "<strong>move</strong>" in mail.html for mail in mails)
    assert all("List-Unsubscribe-Post: List-Unsubscribe=One-Click" in mail.source for mail in mails)
    found = letter_books(row)
    assert (found.audience, found[OutgoingState.ACCEPTED], found.balances) == (3, 3, True)


def test_planning_goes_on_where_it_was_after_any_end(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(letters, "PLAN_CHUNK", 2)
    for _ in range(5):
        make_subscriber()
    row = letter()
    start(row, now=NOW)
    assert letters._plan_chunk(row.pk) == 2
    row.refresh_from_db()
    assert not row.is_planned
    assert plan_letters() == 3
    row.refresh_from_db()
    assert row.is_planned
    # Who subscribes afterwards has not missed it: it was not for them.
    make_subscriber()
    assert plan_letters() == 0
    assert LetterDelivery.objects.count() == 5


def test_who_left_or_is_suppressed_meanwhile_is_skipped_and_accounted_for(own_mailbox: Path):
    gone, blocked, stays = make_subscriber(), make_subscriber(), make_subscriber()
    row = letter()
    start(row, now=NOW)
    plan_letters()
    unsubscribe(public_id=gone.public_id, how="mail link", now=NOW)
    suppress(address_hash=blocked.address_hash, reason=SuppressionReason.COMPLAINT, now=NOW)
    assert send_all() == 1
    assert [mail.to for mail in list_mails(directory=own_mailbox)] == [stays.email]
    found = letter_books(row)
    assert (found[OutgoingState.SKIPPED], found[OutgoingState.ACCEPTED], found.balances) == (2, 1, True)


def test_a_paused_letter_waits_and_a_cancelled_one_ends(own_mailbox: Path):
    make_subscriber()
    row = letter()
    start(row, now=NOW)
    plan_letters()
    (pk,) = waiting()
    assert letters.pause(row)
    assert waiting() == []
    # A bell of before rings all the same: nothing leaves.
    assert send_letters([pk], now=NOW) == 0
    assert letters.resume(row)
    LetterDelivery.objects.update(not_before=None)
    assert LetterDelivery.objects.get().state == OutgoingState.QUEUED
    assert letters.cancel(row)
    assert send_letters([pk], now=NOW) == 0
    assert list_mails(directory=own_mailbox) == []


def test_what_the_mail_service_says_later_reaches_the_books():
    make_subscriber()
    row = letter()
    start(row, now=NOW)
    plan_letters()
    send_all()
    delivery = LetterDelivery.objects.get()
    facts = {"detail": "", "address_hash": "", "is_soft_bounce": False, "now": NOW}
    moved = on_mail_event(None, outgoing_id=delivery.public_id, state=OutgoingState.DELIVERED, **facts)
    assert moved is Move.MOVED
    assert letter_books(row)[OutgoingState.DELIVERED] == 1


def test_a_worker_that_died_in_the_hand_off_leaves_it_unknown_and_never_sent_again():
    make_subscriber()
    start(letter(), now=NOW)
    plan_letters()
    LetterDelivery.objects.update(state=OutgoingState.HANDING_OVER, claim_token="x", lease_until=NOW)
    sweep(LetterDelivery)
    assert LetterDelivery.objects.get().state == OutgoingState.UNKNOWN
    assert send_all() == 0


def test_a_reader_who_asks_for_their_data_finds_the_letters_they_had():
    reader = make_subscriber()
    start(letter(), now=NOW)
    plan_letters()
    assert read_history(reader.pk)["letters"] == []
    send_all()
    (found,) = read_history(reader.pk)["letters"]
    assert (found["subject"], found["state"]) == ("A word", "accepted")


def test_an_erased_reader_leaves_the_sum_as_it_was():
    reader = make_subscriber()
    row = letter()
    start(row, now=NOW)
    plan_letters()
    Subscriber.objects.filter(pk=reader.pk).delete()
    send_all()
    found = letter_books(row)
    assert (found.audience, found[OutgoingState.SKIPPED]) == (1, 1)


def test_a_letter_that_inboxes_would_cut_off_is_known_before_it_is_sent():
    assert is_too_long(Letter(subject="x", body="word " * 20_000))
    assert not is_too_long(Letter(subject="x", body="word " * 2000))


def test_the_owner_writes_starts_and_cancels_a_letter_in_the_admin():
    client = Client()
    client.force_login(User.objects.create(username="owner", is_staff=True, is_superuser=True))
    make_subscriber()
    add = reverse("admin:digests_letter_add")
    client.post(add, {"subject": "A word", "body": "Hello."})
    row = Letter.objects.get()
    page = reverse("admin:digests_letter_change", args=[row.pk])
    assert "It would go to about" in client.get(page).content.decode()
    client.post(page, {"subject": "A better word", "body": "Hello.", "_start": ""})
    row.refresh_from_db()
    assert (row.subject, row.state) == ("A better word", LetterState.SENDING)
    plan_letters()
    shown = re.sub(r"\s+", " ", client.get(page).content.decode())
    assert "1 readers = 1 queued: they balance." in shown
    client.post(page, {"subject": "Changed", "body": "Changed.", "_pause": ""})
    row.refresh_from_db()
    assert (row.subject, row.state) == ("A better word", LetterState.PAUSED)
    assert client.post(reverse("admin:digests_letter_delete", args=[row.pk]), {"post": "yes"}).status_code == 403


def test_a_letter_is_written_and_started_from_the_shell(monkeypatch: pytest.MonkeyPatch, capsys: Any):
    make_subscriber()
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello **all**.\n"))
    call_command("letter", "write", "--subject", "A word", "--dry-run")
    assert not Letter.objects.exists()
    monkeypatch.setattr("sys.stdin", io.StringIO("Hello **all**.\n"))
    call_command("letter", "write", "--subject", "A word")
    row = Letter.objects.get()
    assert row.body == "Hello **all**."
    call_command("letter", "start", str(row.pk), "--dry-run")
    row.refresh_from_db()
    assert row.state == LetterState.DRAFT
    call_command("letter", "start", str(row.pk))
    plan_letters()
    capsys.readouterr()
    call_command("letter", "show", str(row.pk), "--json")
    assert json.loads(capsys.readouterr().out) == {
        "letter": row.pk,
        "state": "sending",
        "audience": 1,
        "queued": 1,
    }
    for args, code in ((["start", str(row.pk)], 1), (["show", "0"], 2)):
        with pytest.raises(CommandError) as caught:
            call_command("letter", *args)
        assert caught.value.returncode == code
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError):
        call_command("letter", "write", "--subject", "Empty")

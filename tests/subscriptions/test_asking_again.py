"""«Do you still want this?», once a year, to those who gave no sign."""

import datetime as dt
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from mailer.outbox import list_mails
from subscriptions.asking_again import AskReport, ask_again
from subscriptions.consent import record_consent
from subscriptions.models import (
    ConsentEvent,
    ConsentKind,
    Notice,
    NoticeKind,
    ReaderSignal,
    Subscriber,
    SubscriberState,
    Suppression,
)
from subscriptions.notices import send_notices
from subscriptions.outgoing import OutgoingState
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_paper, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
LONG_AGO = NOW - dt.timedelta(days=400)
MONTH = dt.timedelta(days=31)


@pytest.fixture(autouse=True)
def once_a_year(settings: Settings) -> None:
    settings.ASK_AGAIN_AFTER_DAYS = 365


def silent_reader(**values: object) -> Subscriber:
    return make_subscriber(**{"confirmed_at": LONG_AGO, **values})


def test_nobody_is_asked_unless_the_owner_wants_it(settings: Settings):
    settings.ASK_AGAIN_AFTER_DAYS = 0
    silent_reader()
    assert ask_again(now=NOW) == AskReport()
    with pytest.raises(CommandError, match="nobody is asked"):
        call_command("ask_again")


def test_only_who_gave_no_sign_for_a_year_is_asked_and_only_once():
    silent = silent_reader()
    silent_reader(confirmed_at=NOW - dt.timedelta(days=100))
    silent_reader(state=SubscriberState.PAUSED)
    record_consent(silent_reader(), ConsentKind.CHANGED, how="mail link", now=NOW - dt.timedelta(days=9))
    ReaderSignal.objects.create(subscriber=silent_reader(), paper=make_paper(), leaning="more", at=NOW)
    gone = silent_reader()
    Suppression.objects.create(address_hash=gone.address_hash, reason="complaint", at=NOW)
    assert ask_again(now=NOW).asked == 1
    assert Notice.objects.get().subscriber == silent
    assert ask_again(now=NOW + dt.timedelta(days=1)).asked == 0


def test_without_an_answer_within_a_month_the_mail_is_paused_and_comes_again_at_a_click(client: Client):
    reader = silent_reader()
    ask_again(now=NOW)
    Notice.objects.update(state=OutgoingState.DELIVERED)
    assert ask_again(now=NOW + dt.timedelta(days=29)).paused == 0
    assert ask_again(now=NOW + MONTH).paused == 1
    reader.refresh_from_db()
    assert (reader.state, reader.next_due_at) == (SubscriberState.PAUSED, None)
    assert ConsentEvent.objects.get().how == "no answer to the yearly question"
    assert ask_again(now=NOW + MONTH) == AskReport()
    client.post(page_of(Purpose.KEEP, reader))
    reader.refresh_from_db()
    assert reader.state == SubscriberState.ACTIVE
    assert reader.next_due_at is not None


@pytest.mark.parametrize("state", [OutgoingState.FAILED, OutgoingState.UNKNOWN, OutgoingState.QUEUED])
def test_nobody_is_paused_for_a_question_that_may_never_have_come(state: OutgoingState):
    silent_reader()
    ask_again(now=NOW)
    Notice.objects.update(state=state)
    assert ask_again(now=NOW + MONTH).paused == 0


def test_any_sign_is_an_answer(client: Client, own_mailbox: Path):
    yes, changed, spoke = silent_reader(email="yes@example.org"), silent_reader(), silent_reader()
    report = ask_again(now=dt.datetime.now(dt.UTC))
    assert send_notices(report.notice_ids, now=dt.datetime.now(dt.UTC)) == 3
    mail = next(mail for mail in list_mails(directory=own_mailbox) if mail.to == "yes@example.org")
    found = re.search(r"https?://[^/\s]+(/keep/[^/\s\">]+/)", mail.text)
    assert found
    before = everything()
    assert "Do you still want this?" in words(client.get(found[1]))
    assert everything() == before
    assert "Good to have you" in words(client.post(found[1]))
    client.post(page_of(Purpose.MANAGE, changed), {"max_papers": "4"})
    client.post(f"{page_of(Purpose.SIGNAL, spoke)}more/{make_paper().pk}/")
    assert ask_again(now=dt.datetime.now(dt.UTC) + MONTH).paused == 0
    assert yes.state == SubscriberState.ACTIVE


def test_the_command_counts_first_and_then_does_it():
    silent_reader()
    out = StringIO()
    call_command("ask_again", "--dry-run", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"asked": 1, "paused": 0}
    assert not Notice.objects.exists()
    out = StringIO()
    call_command("ask_again", stdout=out)
    assert out.getvalue() == "1 asked, 0 paused.\n"
    assert Notice.objects.get().kind == NoticeKind.STILL_WANTED

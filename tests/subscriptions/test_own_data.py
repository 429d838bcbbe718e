"""What takes a fresh link: reading again, taking along, moving, being erased. And words on single papers."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from digests.models import NO_EDITION, NOTHING_TO_SAY, Delivery, ReaderArchive, SkippedDay
from mailer.outbox import list_mails
from papers.merging import merge_papers
from subscriptions.addresses import hash_address
from subscriptions.consent import record_consent
from subscriptions.models import (
    AddressChange,
    ConsentEvent,
    ConsentKind,
    MailEvent,
    Notice,
    NoticeKind,
    ReaderSignal,
    Subscriber,
    SubscriberState,
    Suppression,
    Wishes,
)
from subscriptions.notices import send_notices
from subscriptions.outgoing import OutgoingState, due_ids
from subscriptions.own_links import MOST_A_DAY, OWN_LINKS
from subscriptions.tokens import Purpose
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.pages import everything, page_of, words

pytestmark = [pytest.mark.db, pytest.mark.django_db]
OLD, NEW = "ada@example.org", "ada@example.net"


def send_what_waits() -> None:
    send_notices(due_ids(Notice, limit=99), now=dt.datetime.now(dt.UTC))


def link_mailed(mailbox: Path, page: str, *, to: str) -> str:
    """The path of this kind of link in the newest mail to this address, the same in both parts."""
    mail = next(mail for mail in list_mails(directory=mailbox) if mail.to == to)
    found = re.search(rf"https?://[^/\s]+(/{page}/[^/\s\">]+/)", mail.text)
    assert found
    assert found[1] in mail.html
    return found[1]


# --- asking for a link ----------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", OWN_LINKS)
def test_the_manage_page_has_the_link_mailed_to_the_readers_own_address(
    client: Client, own_mailbox: Path, purpose: Purpose
):
    reader = make_subscriber(email=OLD)
    page = client.post(page_of(Purpose.MANAGE, reader, part="mail-me/"), {"link": purpose.value}, follow=True)
    assert "A mail with the link is on its way to you" in words(page)
    assert OLD not in page.content.decode()
    send_what_waits()
    path = link_mailed(own_mailbox, purpose.value, to=OLD)
    assert client.get(path).status_code == 200
    with time_machine.travel(dt.datetime.now(dt.UTC) + dt.timedelta(minutes=121)):
        late = client.get(path)
    assert late.status_code == 410
    assert "It was good for two hours. You can have a new one" in words(late)


def test_no_link_of_another_kind_opens_them(client: Client):
    reader = make_subscriber()
    for purpose in OWN_LINKS:
        for other in Purpose:
            if other is not purpose:
                token = page_of(other, reader).strip("/").split("/")[-1]
                assert client.post(f"/{purpose}/{token}/").status_code == 404
    assert Subscriber.objects.exists()


def test_nobody_is_flooded_with_links(client: Client):
    reader = make_subscriber()
    path = page_of(Purpose.MANAGE, reader, part="mail-me/")
    answers = {words(client.post(path, {"link": "export"}, follow=True)) for _ in range(MOST_A_DAY + 3)}
    assert Notice.objects.count() == MOST_A_DAY
    assert len(answers) == 1


@pytest.mark.parametrize("wanted", ["", "manage", "confirm", "new-address", "everything"])
def test_only_those_links_can_be_asked_for(client: Client, wanted: str):
    client.post(page_of(Purpose.MANAGE, make_subscriber(), part="mail-me/"), {"link": wanted})
    assert not Notice.objects.exists()


def test_who_has_left_may_still_take_along_and_erase(client: Client, own_mailbox: Path):
    reader = make_subscriber(email=OLD, state=SubscriberState.UNSUBSCRIBED)
    page = client.get(page_of(Purpose.MANAGE, reader))
    assert "erase all we keep" in words(page)
    assert "another address" not in words(page)
    client.post(page_of(Purpose.MANAGE, reader, part="mail-me/"), {"link": "export"})
    send_what_waits()
    assert json.loads(client.post(link_mailed(own_mailbox, "export", to=OLD)).content)["state"] == "unsubscribed"


# --- taking along ---------------------------------------------------------------------------------


def a_reader_with_everything() -> Subscriber:
    paper, older = make_paper(title="A title"), make_paper(title="An older one")
    reader = make_subscriber(email=OLD, topics=["language"])
    Wishes.objects.create(subscriber=reader, interest="folding", mute_words=["tax"])
    ReaderSignal.objects.create(subscriber=reader, paper=paper, leaning="more", at=NOW)
    record_consent(reader, ConsentKind.CONFIRMED, how="mail link", now=NOW)
    edition = make_edition([paper])
    make_delivery(
        edition=edition,
        subscriber=reader,
        state=OutgoingState.BOUNCED,
        paper_ids=[paper.pk],
        reasons=["In your topic Language"],
        reason=f"550 no such user <{OLD}>",
    )
    ReaderArchive.objects.create(subscriber=reader, paper_ids=[older.pk], last_date=NOW.date())
    MailEvent.objects.create(
        provider="x", event_id="1", kind="bounced", address_hash=reader.address_hash, detail=f"no user {OLD}"
    )
    return reader


def test_the_file_has_all_that_is_kept(client: Client):
    reader = a_reader_with_everything()
    path = page_of(Purpose.EXPORT, reader)
    before = everything()
    assert "Download" in words(client.get(path))
    reply = client.post(path)
    assert everything() == before
    assert "attachment" in reply["Content-Disposition"]
    data = json.loads(reply.content)
    assert (data["address"], data["choices"]["interest"], data["choices"]["topics"]) == (OLD, "folding", ["language"])
    assert data["more_or_less_like_this"][0]["title"] == "A title"
    assert data["consent"][0]["what"] == "confirmed"
    assert data["digests"][0]["papers"][0]["reason"] == "In your topic Language"
    assert data["older_papers"][0]["title"] == "An older one"
    assert data["mail_service_said"][0]["detail"] == f"no user {OLD}"


def test_the_archive_shows_what_was_sent_the_newest_first_a_page_at_a_time(client: Client):
    reader = make_subscriber()
    for number in range(23):
        paper = make_paper(title=f"Number {number}")
        edition = make_edition([paper], date=NOW.date() - dt.timedelta(days=number))
        make_delivery(
            edition=edition, subscriber=reader, state="accepted", paper_ids=[paper.pk], reasons=["Picked by the editor"]
        )
    page = words(client.get(page_of(Purpose.ARCHIVE, reader)))
    assert page.index("Number 0") < page.index("Number 19")
    assert "Number 20" not in page
    assert "Picked by the editor" in page
    assert "Older" in page
    assert "Number 22" in words(client.get(page_of(Purpose.ARCHIVE, reader), {"page": "2"}))
    for odd in ("0", "-1", "x", "99999", "9" * 30):
        assert client.get(page_of(Purpose.ARCHIVE, reader), {"page": odd}).status_code == 200


@pytest.mark.parametrize(
    ("reason", "english", "german"),
    [
        (NOTHING_TO_SAY, "There was nothing you had not had already.", "Es gab nichts, was Sie nicht schon hatten."),
        ("The address is suppressed.", "No mail could go to your address then.", "konnte da keine Mail gehen"),
        ("The edition was cancelled.", "The edition was stopped.", "Die Ausgabe wurde angehalten."),
    ],
)
def test_the_archive_says_why_there_was_no_mail(client: Client, reason: str, english: str, german: str):
    reader = make_subscriber()
    make_delivery(edition=make_edition([make_paper()]), subscriber=reader, state="skipped", reason=reason)
    SkippedDay.objects.create(subscriber=reader, due_at=NOW - dt.timedelta(days=2), reason=NO_EDITION)
    page = words(client.get(page_of(Purpose.ARCHIVE, reader)))
    assert f"Monday, 23 November 2026 No mail: {english}" in page
    assert "Saturday, 21 November 2026: There was no new edition." in page
    assert german in words(client.get(page_of(Purpose.ARCHIVE, reader), {"lang": "de"}))


# --- being forgotten ------------------------------------------------------------------------------


def test_erasing_leaves_only_the_keyed_hash(client: Client):
    reader = a_reader_with_everything()
    Notice.objects.create(
        kind=NoticeKind.ALREADY_SUBSCRIBED,
        subscriber=reader,
        address_hash=reader.address_hash,
        reason=f"450 <{OLD}>",
        details={"x": OLD},
    )
    manage, path = page_of(Purpose.MANAGE, reader), page_of(Purpose.ERASE, reader)
    assert "Erase all about me" in words(client.get(path))
    assert Subscriber.objects.exists()
    assert "You are forgotten" in words(client.post(path))
    rows: list[Any] = [everything(), list(MailEvent.objects.values()), list(ReaderArchive.objects.values())]
    assert OLD not in repr(rows)
    assert not Subscriber.objects.exists()
    assert not Wishes.objects.exists()
    assert not ReaderSignal.objects.exists()
    assert not ReaderArchive.objects.exists()
    assert Delivery.objects.get().subscriber_id is None
    assert Suppression.objects.get().reason == "erased"
    assert {event.address_hash for event in ConsentEvent.objects.all()} == {hash_address(OLD)}
    assert list(ConsentEvent.objects.values_list("kind", "subscriber")) == [("confirmed", None), ("erased", None)]
    for gone in (client.get(path), client.post(path), client.get(manage)):
        assert gone.status_code == 410
    client.post("/subscribe/", {"email": OLD})
    assert Subscriber.objects.get().state == SubscriberState.PENDING


# --- moving ---------------------------------------------------------------------------------------


def test_papers_go_to_a_new_address_once_that_has_said_yes(client: Client, own_mailbox: Path):
    reader = make_subscriber(email=OLD, topics=["language"])
    page = client.post(page_of(Purpose.ADDRESS, reader), {"email": " ADA@Example.net "})
    assert "Look into your new inbox" in words(page)
    send_what_waits()
    path = link_mailed(own_mailbox, "new-address", to=NEW)
    assert "a•••@e•••.net" in words(client.get(path))
    reader.refresh_from_db()
    assert reader.email == OLD
    assert "Your papers come to this address" in words(client.post(path))
    reader.refresh_from_db()
    assert (reader.email, reader.address_hash) == (NEW, hash_address(NEW))
    assert reader.consent_events.get().address_hash == hash_address(NEW)
    assert not AddressChange.objects.exists()
    assert client.get(page_of(Purpose.MANAGE, reader)).status_code == 200
    before = everything()
    assert client.post(path).status_code == 410
    assert everything() == before


def test_the_answer_is_the_same_whoever_has_the_new_address_and_its_owner_is_told(client: Client):
    make_subscriber(email=NEW)
    make_subscriber(email="left@example.org", state=SubscriberState.UNSUBSCRIBED)
    answers = set()
    for address in (NEW, "left@example.org", "unknown@example.org"):
        reader = make_subscriber()
        page = client.post(page_of(Purpose.ADDRESS, reader), {"email": address})
        answers.add((page.status_code, page.content))
    assert len(answers) == 1
    kinds = list(Notice.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["already_subscribed", "new_address", "new_address"]


def test_the_last_address_asked_for_counts_and_a_stranger_is_asked_once_a_day(client: Client, own_mailbox: Path):
    reader, other = make_subscriber(email=OLD), make_subscriber()
    client.post(page_of(Purpose.ADDRESS, reader), {"email": NEW})
    send_what_waits()
    first = link_mailed(own_mailbox, "new-address", to=NEW)
    client.post(page_of(Purpose.ADDRESS, other), {"email": NEW})
    assert Notice.objects.count() == 1
    client.post(page_of(Purpose.ADDRESS, reader), {"email": "third@example.org"})
    assert client.post(first).status_code == 410
    for number in range(9):
        client.post(page_of(Purpose.ADDRESS, reader), {"email": f"stranger{number}@example.org"})
    assert Notice.objects.count() == 3
    assert Subscriber.objects.filter(email=OLD).exists()


def test_an_address_that_got_a_subscription_meanwhile_keeps_it(client: Client, own_mailbox: Path):
    reader = make_subscriber(email=OLD)
    client.post(page_of(Purpose.ADDRESS, reader), {"email": NEW})
    send_what_waits()
    other = make_subscriber(email=NEW)
    said = words(client.post(link_mailed(own_mailbox, "new-address", to=NEW)))
    assert "This address has a subscription of its own" in said
    assert {reader.pk, other.pk} == set(Subscriber.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("address", ["", "ada", "ada@localhost"])
def test_a_new_address_that_is_none_is_refused_in_words(client: Client, address: str):
    page = client.post(page_of(Purpose.ADDRESS, make_subscriber()), {"email": address})
    assert page.status_code == 422
    assert "email-error" in page.content.decode()
    assert not Notice.objects.exists()


# --- more or less like this -----------------------------------------------------------------------


def test_a_word_on_a_paper_is_kept_shown_changed_and_cleared(client: Client):
    reader, paper, other = make_subscriber(), make_paper(title="On <loops>"), make_paper(title="Second")
    link = page_of(Purpose.SIGNAL, reader)
    assert "More like this?" in words(client.get(f"{link}more/{paper.pk}/"))
    assert not ReaderSignal.objects.exists()
    assert "Noted" in words(client.post(f"{link}more/{paper.pk}/"))
    client.post(f"{link}more/{paper.pk}/", {"leaning": "less"})
    client.post(f"{link}less/{other.pk}/")
    assert list(ReaderSignal.objects.order_by("pk").values_list("leaning", flat=True)) == ["less", "less"]
    page = client.get(link, follow=True)
    assert "On &lt;loops&gt;" in page.content.decode()
    clear = page_of(Purpose.MANAGE, reader, part="clear/")
    client.post(clear, {"paper": str(paper.pk)})
    assert ReaderSignal.objects.get().paper == other
    client.get(clear)
    assert ReaderSignal.objects.exists()
    client.post(clear)
    assert not ReaderSignal.objects.exists()


def test_a_paper_found_to_be_another_is_remembered_as_that_one(client: Client):
    kept = make_paper()
    dropped = make_paper(merged_into=kept)
    client.post(f"{page_of(Purpose.SIGNAL, make_subscriber())}less/{dropped.pk}/")
    assert ReaderSignal.objects.get().paper == kept


def test_words_move_with_a_paper_that_is_found_to_be_another():
    kept, dropped = make_paper(key="arxiv:2611.90001"), make_paper(key="doi:10.1/x")
    one, both = make_subscriber(), make_subscriber()
    for reader, paper, leaning in ((one, dropped, "less"), (both, dropped, "less"), (both, kept, "more")):
        ReaderSignal.objects.create(subscriber=reader, paper=paper, leaning=leaning, at=NOW)
    merge_papers(one_id=kept.pk, other_id=dropped.pk)
    found = set(ReaderSignal.objects.values_list("subscriber_id", "paper_id", "leaning"))
    assert found == {(one.pk, kept.pk, "less"), (both.pk, kept.pk, "more")}


@pytest.mark.parametrize("part", ["more/999999/", "less/0/", "most/1/", "more/x/", "more/99999999999999999999/"])
def test_a_paper_that_is_none_is_said_to_be_none(client: Client, part: str):
    assert client.post(f"{page_of(Purpose.SIGNAL, make_subscriber())}{part}").status_code == 404


def test_nobody_elses_word_is_cleared(client: Client):
    reader, other, paper = make_subscriber(), make_subscriber(), make_paper()
    for who in (reader, other):
        client.post(f"{page_of(Purpose.SIGNAL, who)}more/{paper.pk}/")
    client.post(page_of(Purpose.MANAGE, reader, part="clear/"))
    assert ReaderSignal.objects.get().subscriber == other

"""The owner's word on mails that failed or are unknown, and the circuit breaker that speaks before they do."""

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from digests import delivering
from digests.books import read_books
from digests.breaker import judge, trip_breakers
from digests.delivering import SendReport, send_again, send_deliveries
from digests.editions import resume
from digests.models import Delivery, Edition
from mailer.outbox import list_mails
from papers.models import Paper
from subscriptions.events import apply_events
from subscriptions.models import MailEvent, Notice, NoticeKind
from subscriptions.outgoing import OutgoingState, take_as_sent
from tests.factories import NOW, TODAY, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.test_events import tell

pytestmark = [pytest.mark.db, pytest.mark.django_db]

DAY = dt.timedelta(days=1)


@pytest.fixture
def owner(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("owner"))
    return client


def unknown(edition: Edition, **values: Any) -> Delivery:
    return make_delivery(edition=edition, subscriber=make_subscriber(), state="unknown", **values)


def press(client: Client, action: str, *rows: Delivery) -> None:
    url = reverse("admin:digests_delivery_changelist")
    reply = client.post(url, {"action": action, "_selected_action": [row.pk for row in rows]})
    assert reply.status_code == 302


def test_one_click_sends_an_unknown_mail_again_and_a_second_click_nothing_more(owner: Client, settings: Settings):
    paper = make_paper()
    delivery = unknown(make_edition([paper]), paper_ids=[paper.pk], reasons=["New in this edition"], attempt=3)
    press(owner, "resend", delivery)
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(accepted=1)
    press(owner, "resend", delivery)
    assert send_deliveries([delivery.pk], now=NOW) == SendReport()
    assert len(list_mails(directory=settings.OUTBOX_DIR)) == 1
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempt, delivery.paper_ids) == ("accepted", 1, [paper.pk])


@pytest.mark.parametrize("state", OutgoingState)
def test_only_what_failed_or_is_unknown_is_sent_again(state: str):
    make_delivery(edition=make_edition([]), subscriber=make_subscriber(), state=state, claim_token="x", lease_until=NOW)
    assert send_again(Delivery.objects.all()) == (state in {"failed", "unknown"})


def test_what_is_sent_again_has_the_papers_it_had_although_later_digests_went_out(settings: Settings):
    first, later, new = make_paper(), make_paper(), make_paper()
    reader = make_subscriber()
    monday = make_edition([first, new], date=TODAY - DAY)
    delivery = make_delivery(
        edition=monday, subscriber=reader, state="unknown", paper_ids=[first.pk], reasons=["New in this edition"]
    )
    make_delivery(edition=make_edition([later]), subscriber=reader, state="accepted", paper_ids=[later.pk, new.pk])
    send_again(Delivery.objects.filter(pk=delivery.pk))
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(accepted=1)
    (mail,) = list_mails(directory=settings.OUTBOX_DIR)
    assert first.title in mail.text
    assert new.title not in mail.text


def test_papers_of_a_mail_that_waits_to_be_sent_again_come_in_no_other():
    shared, fresh = make_paper(), make_paper()
    reader = make_subscriber()
    older = make_delivery(
        edition=make_edition([shared], date=TODAY - DAY), subscriber=reader, state="unknown", paper_ids=[shared.pk]
    )
    newer = make_delivery(edition=make_edition([fresh], picks=[shared]), subscriber=reader)
    send_again(Delivery.objects.filter(pk=older.pk))
    send_deliveries([newer.pk], now=NOW)
    newer.refresh_from_db()
    assert newer.paper_ids == [fresh.pk]


def test_a_paper_withdrawn_since_is_left_out_when_it_is_sent_again(settings: Settings):
    gone, stays = make_paper(), make_paper()
    delivery = unknown(make_edition([gone, stays]), paper_ids=[gone.pk, stays.pk], reasons=["a", "b"])
    Paper.objects.filter(pk=gone.pk).update(withdrawn_at=NOW)
    send_again(Delivery.objects.all())
    send_deliveries([delivery.pk], now=NOW)
    delivery.refresh_from_db()
    assert delivery.paper_ids == [stays.pk]


def test_a_mail_that_has_no_papers_left_to_send_again_says_so():
    gone = make_paper()
    delivery = unknown(make_edition([gone, make_paper()]), paper_ids=[gone.pk], reasons=["a"])
    Paper.objects.filter(pk=gone.pk).update(withdrawn_at=NOW)
    send_again(Delivery.objects.all())
    assert send_deliveries([delivery.pk], now=NOW) == SendReport(skipped=1)
    delivery.refresh_from_db()
    assert delivery.reason.startswith("Nothing to send again: every paper it had was withdrawn since")


def test_what_came_in_another_digest_after_a_mail_failed_is_not_sent_again():
    shared, own = make_paper(), make_paper()
    reader = make_subscriber()
    monday = make_edition([shared, own], date=TODAY - DAY)
    failed = make_delivery(
        edition=monday, subscriber=reader, state="failed", paper_ids=[shared.pk, own.pk], reasons=["a", "b"]
    )
    make_delivery(edition=make_edition([]), subscriber=reader, state="accepted", paper_ids=[shared.pk])
    send_again(Delivery.objects.filter(pk=failed.pk))
    assert send_deliveries([failed.pk], now=NOW) == SendReport(accepted=1)
    failed.refresh_from_db()
    assert failed.paper_ids == [own.pk]


def fail_again(delivery: Delivery) -> None:
    """Sent again on the owner's word, and refused this time."""
    send_again(Delivery.objects.filter(pk=delivery.pk))
    Delivery.objects.filter(pk=delivery.pk).update(state="failed")


def test_papers_of_a_mail_that_may_have_left_come_in_no_other_whatever_became_of_the_second_try():
    shared, fresh = make_paper(), make_paper()
    reader = make_subscriber()
    monday = make_edition([shared], date=TODAY - DAY)
    fail_again(make_delivery(edition=monday, subscriber=reader, state="unknown", paper_ids=[shared.pk]))
    newer = make_delivery(edition=make_edition([fresh], picks=[shared]), subscriber=reader)
    send_deliveries([newer.pk], now=NOW)
    newer.refresh_from_db()
    assert newer.paper_ids == [fresh.pk]


def test_papers_of_a_mail_that_surely_failed_may_come_in_another_although_it_was_to_be_sent_again():
    shared = make_paper()
    reader = make_subscriber()
    monday = make_edition([shared], date=TODAY - DAY)
    fail_again(make_delivery(edition=monday, subscriber=reader, state="failed", paper_ids=[shared.pk]))
    newer = make_delivery(edition=make_edition([], picks=[shared]), subscriber=reader)
    send_deliveries([newer.pk], now=NOW)
    newer.refresh_from_db()
    assert newer.paper_ids == [shared.pk]


def test_a_digest_chosen_before_the_owner_spoke_of_an_unknown_mail_is_not_begun(monkeypatch: pytest.MonkeyPatch):
    """The last word looks at what may have left, too, not only at what is on its way."""
    shared, fresh = make_paper(), make_paper()
    reader = make_subscriber()
    older = make_delivery(
        edition=make_edition([shared], date=TODAY - DAY), subscriber=reader, state="claimed", claim_token="x",
        lease_until=NOW, paper_ids=[shared.pk],
    )  # fmt: skip
    newer = make_delivery(edition=make_edition([fresh], picks=[shared]), subscriber=reader)
    choose = delivering.choose_digest

    def choose_and_be_overtaken(*args: Any, **more: Any) -> Any:
        digest = choose(*args, **more)
        Delivery.objects.filter(pk=older.pk).update(state="unknown")
        fail_again(older)
        return digest

    monkeypatch.setattr(delivering, "choose_digest", choose_and_be_overtaken)
    assert send_deliveries([newer.pk], now=NOW) == SendReport(other=1)


@pytest.mark.parametrize("event", ["delivered", "bounced", "complained"])
def test_a_mail_that_turns_out_to_have_arrived_is_not_sent_again(event: str):
    paper = make_paper()
    delivery = unknown(make_edition([paper]), paper_ids=[paper.pk], reasons=["a"])
    send_again(Delivery.objects.all())
    tell(delivery, event)
    apply_events(now=timezone.now())
    assert send_deliveries([delivery.pk], now=NOW) == SendReport()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.claim_token, delivery.lease_until) == (event, "", None)


def test_not_even_when_its_digest_was_made_by_then(monkeypatch: pytest.MonkeyPatch, settings: Settings):
    paper = make_paper()
    delivery = unknown(make_edition([paper]), paper_ids=[paper.pk], reasons=["a"])
    send_again(Delivery.objects.all())
    repeat = delivering.repeat_digest

    def repeat_and_hear(*args: Any, **more: Any) -> Any:
        tell(delivery, "delivered")
        apply_events(now=timezone.now())
        return repeat(*args, **more)

    monkeypatch.setattr(delivering, "repeat_digest", repeat_and_hear)
    send_deliveries([delivery.pk], now=NOW)
    delivery.refresh_from_db()
    assert delivery.state == "delivered"
    assert list_mails(directory=settings.OUTBOX_DIR) == []


def test_that_a_mail_was_sent_or_put_off_says_nothing_about_one_that_waits_to_be_sent_again():
    paper = make_paper()
    delivery = unknown(make_edition([paper]), paper_ids=[paper.pk], reasons=["a"])
    send_again(Delivery.objects.all())
    tell(delivery, "deferred")
    apply_events(now=timezone.now())
    delivery.refresh_from_db()
    assert delivery.state == "queued"


def test_one_click_takes_unknown_mails_as_sent(owner: Client):
    edition = make_edition([make_paper()])
    rows = [unknown(edition), unknown(edition)]
    for _ in range(2):
        press(owner, "accept_as_sent", *rows)
    books = read_books(edition)
    assert (books["accepted"], books["unknown"], books.balances) == (2, 0, True)
    assert take_as_sent(Delivery.objects.all()) == 0


def test_an_editions_failed_and_unknown_mails_are_settled_from_its_page(owner: Client):
    edition = make_edition([make_paper()])
    unknown(edition)
    make_delivery(edition=edition, subscriber=make_subscriber(), state="failed")
    url = reverse("admin:digests_edition_changelist")
    for _ in range(2):
        for action in ("retry_failed", "accept_unknown"):
            owner.post(url, {"action": action, "_selected_action": [edition.pk]})
    books = read_books(edition)
    assert (books["queued"], books["accepted"], books.balances) == (1, 1, True)


def test_nobody_without_the_right_to_change_deliveries_settles_them(client: Client):
    user = User.objects.create_user("reader of rows", is_staff=True)
    client.force_login(user)
    delivery = unknown(make_edition([make_paper()]))
    url = reverse("admin:digests_delivery_changelist")
    client.post(url, {"action": "resend", "_selected_action": [delivery.pk]})
    assert Delivery.objects.get().state == "unknown"


# --- the circuit breaker ----------------------------------------------------------------------------------------------


def sent(edition: Edition, *, good: int, bounced: int = 0, complained: int = 0) -> None:
    states = ["accepted"] * good + ["bounced"] * bounced + ["complained"] * complained
    rows = [Delivery(edition=edition, subscriber=None, due_at=NOW, state=state) for state in states]
    Delivery.objects.bulk_create(rows)
    MailEvent.objects.bulk_create(
        [
            MailEvent(
                provider="x",
                event_id=row.public_id,
                kind="bounced",
                outgoing_id=row.public_id,
                is_hard_bounce=True,
            )
            for row in rows
            if row.state == "bounced"
        ]
    )


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ({"good": 190, "bounced": 11}, "11 of 201 mails bounced for good"),
        ({"good": 500, "complained": 3}, "3 of 503 mails were marked as spam"),
        ({"good": 191, "bounced": 10}, ""),
        ({"good": 100, "bounced": 50}, ""),
        ({"good": 300, "complained": 2}, ""),
        ({"good": 1500, "complained": 4}, ""),
    ],
)
def test_what_stops_an_edition(numbers: dict[str, int], words: str):
    edition = make_edition([make_paper()])
    sent(edition, **numbers)
    assert judge(edition).reason == words
    assert trip_breakers(now=NOW) == ([edition] if words else [])
    edition.refresh_from_db()
    assert edition.state == ("paused" if words else "published")
    told = Notice.objects.filter(kind=NoticeKind.SENDING_PAUSED)
    assert [notice.details["reason"] for notice in told] == ([words] if words else [])


def test_soft_bounces_stop_nothing():
    edition = make_edition([make_paper()])
    sent(edition, good=200, bounced=50)
    MailEvent.objects.update(is_hard_bounce=False)
    assert trip_breakers(now=NOW) == []


def test_what_the_server_refused_at_once_counts_as_bounced_and_what_we_gave_up_on_does_not():
    edition = make_edition([make_paper()])
    sent(edition, good=200)
    reasons = ["The mail server answered 550 unknown"] * 11 + ["Given up after 8 attempts: 451 busy"] * 50
    rows = [
        Delivery(edition=edition, subscriber=None, due_at=NOW, state="failed", reason=reason, begun_at=NOW)
        for reason in reasons
    ]
    Delivery.objects.bulk_create([*rows, Delivery(edition=edition, due_at=NOW, state="failed", reason="not made")])
    assert judge(edition).reason == "11 of 211 mails bounced for good"


def test_an_edition_that_cannot_be_paused_now_can_still_be_later(monkeypatch: pytest.MonkeyPatch):
    edition = make_edition([make_paper()])
    sent(edition, good=200, bounced=50)
    monkeypatch.setattr("digests.breaker.pause", lambda edition: False)
    assert trip_breakers(now=NOW) == []
    monkeypatch.undo()
    assert trip_breakers(now=NOW) == [edition]


def test_whoever_resumes_has_decided():
    edition = make_edition([make_paper()])
    sent(edition, good=200, bounced=50)
    assert trip_breakers(now=NOW) == [edition]
    assert resume(Edition.objects.get())
    assert trip_breakers(now=NOW) == []
    assert Edition.objects.get().state == "published"
    assert Notice.objects.count() == 1

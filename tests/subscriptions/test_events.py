"""What mail services tell us: kept first, applied once, in any order, never backwards."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from billiard.exceptions import SoftTimeLimitExceeded
from django.db.models import Q
from django.dispatch import Signal
from django.utils import timezone

from digests.breaker import judge
from digests.models import Delivery
from mailer.handoff import Accepted
from subscriptions.events import apply_events, store_event
from subscriptions.models import (
    ConsentEvent,
    MailEvent,
    Notice,
    NoticeKind,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.signals import mail_event_stored, mails_settled
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.steps import begin, claim, record

pytestmark = [pytest.mark.db, pytest.mark.django_db]

HAPPENED = dt.datetime(2026, 11, 23, 12, 5, tzinfo=dt.UTC)
HARD: dict[str, Any] = {"event_type": EventType.BOUNCED, "reject_reason": RejectReason.BOUNCED}
COMPLAINT: dict[str, Any] = {"event_type": EventType.COMPLAINED}

_ids = itertools.count(1)


@pytest.fixture
def delivery() -> Delivery:
    return make_delivery(
        edition=make_edition([make_paper()]), subscriber=make_subscriber(), state=OutgoingState.ACCEPTED
    )


def event_for(mail: Delivery | Notice | None, event_type: str = EventType.DELIVERED, **values: Any) -> Any:
    """What Anymail makes of a webhook about this mail."""
    recipient = mail.subscriber.email if mail and mail.subscriber else "stranger@example.org"
    defaults = {
        "event_type": event_type,
        "event_id": f"event-{next(_ids)}",
        "message_id": "service-id",
        "metadata": {"outgoing_id": mail.public_id} if mail else {},
        "recipient": recipient,
        "timestamp": HAPPENED,
        "esp_event": {},
    }
    return AnymailTrackingEvent(**{**defaults, **values})


def tell(mail: Delivery | Notice | None, event_type: str = EventType.DELIVERED, **values: Any) -> bool:
    """Whether it was new."""
    before = MailEvent.objects.count()
    store_event(event_for(mail, event_type, **values), provider="Postmark")
    return MailEvent.objects.count() > before


@contextmanager
def listening(signal: Signal, receiver: Callable[..., Any]) -> Iterator[None]:
    signal.connect(receiver)
    try:
        yield
    finally:
        signal.disconnect(receiver)


def apply() -> int:
    return apply_events(now=timezone.now())


def state_of(mail: Delivery | Notice) -> str:
    mail.refresh_from_db()
    return mail.state


# --- kept first, applied once -----------------------------------------------------------------------------------------


def test_an_event_is_kept_before_anything_is_done_with_it(delivery: Delivery):
    assert tell(delivery)
    assert state_of(delivery) == OutgoingState.ACCEPTED
    kept = MailEvent.objects.get()
    assert (kept.provider, kept.kind, kept.outgoing_id) == ("postmark", "delivered", delivery.public_id)
    assert (kept.provider_message_id, kept.happened_at, kept.applied_at) == ("service-id", HAPPENED, None)

    assert apply() == 1
    assert state_of(delivery) == OutgoingState.DELIVERED
    kept.refresh_from_db()
    assert kept.applied_at is not None
    assert kept.error == ""


def test_no_address_is_kept_with_an_event(delivery: Delivery):
    tell(delivery)
    assert delivery.subscriber is not None
    row = MailEvent.objects.values().get()
    assert delivery.subscriber.email not in str(row)
    assert row["address_hash"] == delivery.subscriber.address_hash


def test_nor_where_the_service_repeats_it_in_its_words(delivery: Delivery):
    assert delivery.subscriber is not None
    email = delivery.subscriber.email
    tell(delivery, **HARD, description=f"550 5.1.1 <{email.upper()}>: User {email} unknown")
    apply()
    delivery.refresh_from_db()
    assert MailEvent.objects.get().detail == "bounced: 550 5.1.1 <the recipient>: User the recipient unknown"
    assert delivery.reason == MailEvent.objects.get().detail


def test_applying_twice_does_nothing_the_second_time(delivery: Delivery):
    tell(delivery)
    assert apply() == 1
    settled_at = Delivery.objects.get().settled_at
    assert apply() == 0
    assert Delivery.objects.get().settled_at == settled_at


def test_the_same_event_posted_twice_is_one_event(delivery: Delivery):
    assert tell(delivery, event_id="same")
    assert not tell(delivery, event_id="same")
    assert apply() == 1


def test_a_replay_after_it_was_applied_changes_nothing(delivery: Delivery):
    tell(delivery, event_id="first")
    apply()
    tell(delivery, EventType.COMPLAINED, event_id="second")
    apply()
    assert not tell(delivery, event_id="first")
    assert apply() == 0
    assert state_of(delivery) == OutgoingState.COMPLAINED


def test_without_an_id_an_event_is_known_by_what_it_says(delivery: Delivery):
    assert tell(delivery, event_id=None)
    assert not tell(delivery, event_id=None)
    assert tell(delivery, event_id=None, timestamp=HAPPENED + dt.timedelta(seconds=1))
    assert tell(delivery, EventType.BOUNCED, event_id=None)
    assert tell(delivery, event_id=None, recipient="other@example.org")


def test_ids_of_two_services_do_not_collide(delivery: Delivery):
    event = event_for(delivery, event_id="1")
    for provider in ("Postmark", "Mailgun"):
        store_event(event, provider=provider)
    assert MailEvent.objects.count() == 2


@pytest.mark.parametrize("event_type", [EventType.OPENED, EventType.CLICKED, EventType.SUBSCRIBED, "unheard of"])
def test_events_that_say_nothing_about_delivery_are_not_kept(delivery: Delivery, event_type: str):
    assert not tell(delivery, event_type)
    assert not MailEvent.objects.exists()


def test_an_event_about_a_notice_moves_the_notice():
    reader = make_subscriber()
    notice = Notice.objects.create(
        kind=NoticeKind.CONFIRMATION, subscriber=reader, address_hash=reader.address_hash, state="accepted"
    )
    tell(notice)
    apply()
    assert state_of(notice) == OutgoingState.DELIVERED


def test_an_event_about_a_mail_we_do_not_know_is_done_with(delivery: Delivery):
    tell(None)
    tell(None, metadata={"outgoing_id": "0" * 32})
    tell(None, metadata=None, recipient=None)
    # What a service knows by its own id alone may be about a mail whose answer is not written down yet.
    assert apply() == 1
    assert apply_events(now=timezone.now() + dt.timedelta(hours=2)) == 2
    assert not MailEvent.objects.filter(applied_at__isnull=True).exists()
    assert state_of(delivery) == OutgoingState.ACCEPTED


def test_one_bad_event_does_not_stop_the_others(delivery: Delivery):
    def break_at_first(sender: Any, outgoing_id: str, **kwargs: Any) -> None:
        if outgoing_id == "bad":
            raise RuntimeError("cannot be read")

    tell(None, metadata={"outgoing_id": "bad"})
    tell(delivery)
    with listening(mail_event_stored, break_at_first):
        assert apply() == 2
    assert state_of(delivery) == OutgoingState.DELIVERED
    assert MailEvent.objects.get(outgoing_id="bad").error == "RuntimeError: cannot be read"


def test_without_our_id_a_mail_is_known_by_the_id_of_the_service(delivery: Delivery):
    Delivery.objects.update(provider_message_id="their-id")
    for metadata in ({}, None):
        tell(delivery, message_id="their-id", metadata=metadata)
    tell(None, EventType.BOUNCED, message_id="", metadata={})
    assert apply() == 3
    assert state_of(delivery) == OutgoingState.DELIVERED


def test_our_id_counts_before_that_of_the_service(delivery: Delivery):
    Delivery.objects.update(provider_message_id="their-id")
    tell(delivery, message_id="their-id", metadata={"outgoing_id": "0" * 32})
    apply()
    assert state_of(delivery) == OutgoingState.ACCEPTED


@pytest.mark.parametrize(
    ("signal", "event_type"), [(mails_settled, EventType.DELIVERED), (mail_event_stored, EventType.DEFERRED)]
)
def test_an_event_at_which_the_workers_time_is_up_is_applied_the_next_time(
    delivery: Delivery, signal: Signal, event_type: str
):
    def too_slow(sender: Any, **kwargs: Any) -> None:
        raise SoftTimeLimitExceeded

    tell(delivery, event_type)
    with listening(signal, too_slow), pytest.raises(SoftTimeLimitExceeded):
        apply()
    assert apply() == 1
    assert state_of(delivery) == event_type


def test_what_cannot_be_noted_together_is_noted_one_by_one(delivery: Delivery):
    def fail(sender: Any, **kwargs: Any) -> None:
        raise ValueError("one of them is poison")

    tell(delivery)
    with listening(mails_settled, fail):
        assert apply() == 1
    assert state_of(delivery) == OutgoingState.DELIVERED


def test_many_that_arrived_are_noted_in_a_few_statements(delivery: Delivery, django_assert_max_num_queries: Any):
    others = [
        Delivery.objects.create(edition=delivery.edition, subscriber=make_subscriber(), due_at=HAPPENED, state=state)
        for state in ["accepted"] * 20 + ["unknown", "deferred"]
    ]
    for mail in (delivery, *others):
        tell(mail, description=f"250 OK {mail.pk}")
    # Another time for one of them, and one that was overtaken by a complaint.
    tell(delivery, event_id="another")
    complained = Delivery.objects.create(
        edition=delivery.edition, subscriber=make_subscriber(), due_at=HAPPENED, state="complained"
    )
    tell(complained)
    with django_assert_max_num_queries(20):
        assert apply() == 25
    assert {state_of(mail) for mail in (delivery, *others)} == {OutgoingState.DELIVERED}
    assert {mail.reason for mail in others} == {f"250 OK {mail.pk}" for mail in others}
    assert state_of(complained) == OutgoingState.COMPLAINED
    assert not MailEvent.objects.filter(applied_at__isnull=True).exists()


def test_an_id_that_is_none_of_ours_harms_nobody(delivery: Delivery):
    for strange in ('"},{', "\\", "'; --", "x" * 64, "ä" * 32):
        tell(delivery, metadata={"outgoing_id": strange})
    tell(delivery)
    apply()
    assert state_of(delivery) == OutgoingState.DELIVERED


# --- in any order -----------------------------------------------------------------------------------------------------

KNOWN_ORDER = [EventType.SENT, EventType.DEFERRED, EventType.DELIVERED, EventType.BOUNCED, EventType.COMPLAINED]


@pytest.mark.parametrize("order", list(itertools.permutations(KNOWN_ORDER[1:4])), ids=lambda order: " ".join(order))
def test_whatever_the_order_the_furthest_state_stays(delivery: Delivery, order: tuple[str, ...]):
    for event_type in order:
        tell(delivery, event_type)
        apply()
    assert state_of(delivery) == OutgoingState.BOUNCED


def test_a_late_deferral_does_not_undo_a_delivery(delivery: Delivery):
    for event_type in (EventType.DELIVERED, EventType.DEFERRED, EventType.QUEUED, EventType.SENT):
        tell(delivery, event_type)
    apply()
    assert state_of(delivery) == OutgoingState.DELIVERED


@pytest.mark.parametrize(
    ("event_type", "state"),
    list(zip(KNOWN_ORDER, ["accepted", "deferred", "delivered", "bounced", "complained"], strict=True)),
)
def test_unknown_becomes_what_the_service_says_it_was(delivery: Delivery, event_type: str, state: str):
    Delivery.objects.update(state=OutgoingState.UNKNOWN)
    tell(delivery, event_type)
    apply()
    assert state_of(delivery) == state


@pytest.mark.parametrize("state", ["queued", "claimed", "failed", "skipped"])
def test_what_was_not_sent_is_not_moved_by_events(delivery: Delivery, state: str):
    Delivery.objects.update(state=state, claim_token="somebody", lease_until=timezone.now())
    tell(delivery)
    assert apply() == 1
    assert state_of(delivery) == state


def test_an_event_that_overtakes_the_answer_waits_until_that_is_recorded(delivery: Delivery):
    Delivery.objects.update(state=OutgoingState.QUEUED)
    (row,) = claim(Delivery, [delivery.pk])
    assert begin(row, allowed=Q())

    tell(delivery)
    assert apply() == 0
    assert state_of(delivery) == OutgoingState.HANDING_OVER

    assert record(row, Accepted("postmark", "service-id")) == OutgoingState.ACCEPTED
    assert apply() == 1
    assert state_of(delivery) == OutgoingState.DELIVERED


def test_an_event_that_knows_the_services_id_alone_waits_for_the_answer_that_brings_it(delivery: Delivery):
    Delivery.objects.update(state=OutgoingState.QUEUED)
    (row,) = claim(Delivery, [delivery.pk])
    assert begin(row, allowed=Q())
    tell(delivery, metadata=None, **HARD)
    assert apply() == 0

    assert record(row, Accepted("postmark", "service-id")) == OutgoingState.ACCEPTED
    assert apply() == 1
    assert state_of(delivery) == OutgoingState.BOUNCED
    # What counts bounces looks for our own id.
    assert MailEvent.objects.get().outgoing_id == delivery.public_id
    assert judge(delivery.edition).hard_bounces == 1


def test_an_event_does_not_wait_for_ever(delivery: Delivery):
    Delivery.objects.update(state=OutgoingState.HANDING_OVER)
    tell(delivery)
    assert apply_events(now=timezone.now() + dt.timedelta(hours=2)) == 1
    assert state_of(delivery) == OutgoingState.HANDING_OVER


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("unknown", "failed"),
        ("accepted", "failed"),
        ("deferred", "failed"),
        ("delivered", "delivered"),
        ("bounced", "bounced"),
        ("complained", "complained"),
        ("queued", "queued"),
    ],
)
def test_what_the_service_could_not_send_has_failed(delivery: Delivery, state: str, after: str):
    Delivery.objects.update(state=state)
    tell(delivery, EventType.FAILED, description="The template cannot be rendered")
    apply()
    assert state_of(delivery) == after
    assert ("cannot be rendered" in delivery.reason) == (after == "failed")


# --- who left through the service's own door --------------------------------------------------------------------------


def test_whoever_unsubscribes_at_the_mail_service_is_unsubscribed_here(delivery: Delivery):
    tell(delivery, EventType.UNSUBSCRIBED)
    tell(None, EventType.UNSUBSCRIBED)
    tell(None, EventType.UNSUBSCRIBED, recipient=None)
    assert apply() == 3
    reader = Subscriber.objects.get()
    assert (reader.state, reader.next_due_at) == (SubscriberState.UNSUBSCRIBED, None)
    assert list(ConsentEvent.objects.values_list("kind", "how")) == [("unsubscribed", "mail service")]
    assert state_of(delivery) == OutgoingState.ACCEPTED
    assert suppressed() == []


def test_an_unsubscribe_that_comes_late_does_not_undo_a_newer_yes(delivery: Delivery):
    Subscriber.objects.update(confirmed_at=HAPPENED + dt.timedelta(minutes=1))
    tell(delivery, EventType.UNSUBSCRIBED)
    assert apply() == 1
    assert Subscriber.objects.get().state == SubscriberState.ACTIVE


# --- whom it makes us leave alone -------------------------------------------------------------------------------------


def suppressed() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


@pytest.mark.parametrize(
    "values",
    [
        {"mta_response": "smtp;550 5.1.1 no such user"},
        {"mta_response": "550 5.1.1 no such user"},
        {"mta_response": None},
        {"esp_event": {"Type": "HardBounce"}},
        {"event_type": EventType.REJECTED, "reject_reason": RejectReason.INVALID},
    ],
)
def test_a_hard_bounce_suppresses_the_address_at_once(delivery: Delivery, values: dict[str, Any]):
    tell(delivery, **{**HARD, **values})
    apply()
    assert state_of(delivery) == OutgoingState.BOUNCED
    assert delivery.subscriber is not None
    kept = Suppression.objects.get()
    assert (kept.reason, kept.address_hash) == (SuppressionReason.HARD_BOUNCE, delivery.subscriber.address_hash)


@pytest.mark.parametrize(
    "values",
    [
        {"esp_event": {"Type": "SoftBounce"}, "mta_response": "smtp;550 5.2.2 mailbox full"},
        {"mta_response": "smtp;452 4.2.2 mailbox full"},
        {"mta_response": "421 try again"},
        {"reject_reason": RejectReason.SPAM, "mta_response": "550 looks like spam"},
        {"reject_reason": RejectReason.BLOCKED, "mta_response": "550 blocked"},
        {"reject_reason": RejectReason.OTHER},
        {"reject_reason": None},
        {"event_type": EventType.DEFERRED},
    ],
)
def test_full_mailboxes_and_blocked_mail_suppress_nobody(delivery: Delivery, values: dict[str, Any]):
    tell(delivery, **{**HARD, **values})
    apply()
    assert suppressed() == []


def test_a_complaint_suppresses_the_address_at_once(delivery: Delivery):
    tell(delivery, EventType.COMPLAINED, reject_reason=RejectReason.SPAM)
    apply()
    assert state_of(delivery) == OutgoingState.COMPLAINED
    assert suppressed() == [SuppressionReason.COMPLAINT]


@pytest.mark.parametrize("order", [(HARD, COMPLAINT), (COMPLAINT, HARD)], ids=["bounce first", "complaint first"])
def test_a_complaint_outranks_a_bounce_and_nothing_is_suppressed_twice(
    delivery: Delivery, order: tuple[dict[str, Any], ...]
):
    for values in order:
        tell(delivery, **values)
    apply()
    assert suppressed() == [SuppressionReason.COMPLAINT]


def test_a_hard_bounce_counts_even_where_the_mail_is_not_known():
    tell(None, **HARD)
    apply()
    assert suppressed() == [SuppressionReason.HARD_BOUNCE]


def test_a_bounce_of_another_spelling_suppresses_the_same_address():
    reader = make_subscriber(email="ada@example.org")
    tell(None, **HARD, recipient="Ada@EXAMPLE.org")
    apply()
    assert Suppression.objects.get().address_hash == reader.address_hash


def test_all_that_waits_is_applied_however_much_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("subscriptions.events._BATCH", 2)
    for _ in range(7):
        tell(None, metadata={"outgoing_id": "0" * 32})
    assert apply() == 7


def test_events_take_no_longer_than_they_may_and_those_that_wait_do_not_hold_up_others(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("subscriptions.events._BATCH", 2)
    for _ in range(2):
        tell(None, message_id="not known yet")
    for _ in range(5):
        tell(None, metadata={"outgoing_id": "0" * 32})
    assert apply_events(now=timezone.now(), seconds=0.0) == 0
    assert apply() == 5

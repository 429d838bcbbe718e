"""From the form to an active subscription: what each step writes, once, and when no mail may go."""

import datetime as dt
from typing import Any

import pytest

from digests.models import Delivery
from papers.models import Topic
from subscriptions.addresses import hash_address
from subscriptions.models import (
    ConsentEvent,
    Notice,
    NoticeKind,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from subscriptions.outgoing import OutgoingState
from subscriptions.preferences import Preferences
from subscriptions.signup import (
    ConfirmResult,
    UnsubscribeResult,
    awaits_yes,
    change_preferences,
    confirm_subscription,
    forget_unconfirmed,
    request_subscription,
    unsubscribe,
)
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
ADDRESS = "ada@example.org"
DAY = dt.timedelta(days=1)


def ask(*, topics: tuple[str, ...] = (), zone: str = "UTC", now: dt.datetime = NOW) -> int | None:
    return request_subscription(
        address=ADDRESS, preferences=Preferences(topics=tuple(topics), zone=zone), how="form", now=now
    )


def consents() -> list[tuple[str, str]]:
    return list(ConsentEvent.objects.values_list("kind", "how"))


def everything() -> list[Any]:
    models = (Subscriber, Notice, ConsentEvent, Subscriber.topics.through, Delivery)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_a_new_address_is_pending_and_gets_one_confirmation():
    notice_id = ask(topics=("language", "agents"), zone="Europe/Berlin")
    reader = Subscriber.objects.get()
    assert (reader.email, reader.state, reader.zone, reader.next_due_at) == (ADDRESS, "pending", "Europe/Berlin", None)
    assert set(reader.topics.values_list("slug", flat=True)) == {"language", "agents"}
    notice = Notice.objects.get()
    assert (notice.pk, notice.kind, notice.state) == (notice_id, NoticeKind.CONFIRMATION, "queued")
    assert consents() == [("requested", "form")]


def test_the_consent_record_says_when_in_which_words_and_for_whom_without_the_address():
    ask()
    event = ConsentEvent.objects.get()
    assert event.at == NOW
    assert event.wording
    assert event.address_hash == Subscriber.objects.get().address_hash
    assert ADDRESS not in str([vars(event)])


def test_confirming_makes_a_reader_who_is_due_at_once():
    edition = make_edition([make_paper()])
    ask()
    reader = Subscriber.objects.get()
    assert confirm_subscription(public_id=reader.public_id, now=NOW) is ConfirmResult.CONFIRMED
    reader.refresh_from_db()
    assert (reader.state, reader.confirmed_at) == (SubscriberState.ACTIVE, NOW)
    assert Delivery.objects.get().edition == edition
    # The first digest stands in for the one of this very day.
    assert reader.next_due_at == dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
    assert consents() == [("requested", "form"), ("confirmed", "mail link")]


def test_without_an_edition_a_new_reader_stays_due_until_there_is_one():
    ask()
    reader = Subscriber.objects.get()
    assert confirm_subscription(public_id=reader.public_id, now=NOW) is ConfirmResult.CONFIRMED_FOR_LATER
    reader.refresh_from_db()
    assert reader.next_due_at == NOW
    assert not Delivery.objects.exists()


def test_a_second_confirm_click_changes_nothing():
    make_edition([make_paper()])
    ask()
    public_id = Subscriber.objects.get().public_id
    confirm_subscription(public_id=public_id, now=NOW)
    before = everything()
    assert confirm_subscription(public_id=public_id, now=NOW + DAY) is ConfirmResult.ALREADY_CONFIRMED
    assert everything() == before


def test_a_confirmation_after_the_reader_left_brings_nobody_back():
    ask()
    public_id = Subscriber.objects.get().public_id
    unsubscribe(public_id=public_id, how="mail link", now=NOW)
    assert confirm_subscription(public_id=public_id, now=NOW) is ConfirmResult.NO_LONGER_ASKED
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED


def test_unsubscribing_ends_what_is_due_and_a_second_time_changes_nothing():
    reader = make_subscriber()
    assert unsubscribe(public_id=reader.public_id, how="mail link", now=NOW) is UnsubscribeResult.UNSUBSCRIBED
    reader.refresh_from_db()
    assert (reader.state, reader.next_due_at) == (SubscriberState.UNSUBSCRIBED, None)
    before = everything()
    again = unsubscribe(public_id=reader.public_id, how="one-click header", now=NOW + DAY)
    assert again is UnsubscribeResult.ALREADY_UNSUBSCRIBED
    assert everything() == before


def test_asking_for_a_known_address_changes_nothing_of_it_and_tells_its_owner():
    reader = make_subscriber(email=ADDRESS, topics=["language"], zone="Europe/Berlin")
    ask(topics=("vision",), zone="Asia/Tokyo")
    reader.refresh_from_db()
    assert (reader.state, reader.zone) == ("active", "Europe/Berlin")
    assert list(reader.topics.values_list("slug", flat=True)) == ["language"]
    assert Notice.objects.get().kind == NoticeKind.ALREADY_SUBSCRIBED
    assert consents() == []


@pytest.mark.parametrize("state", [SubscriberState.ACTIVE, SubscriberState.PENDING])
def test_nobodys_mailbox_is_flooded_with_one_mail_a_day(state: SubscriberState):
    if state == SubscriberState.ACTIVE:
        make_subscriber(email=ADDRESS)
    assert ask() is not None
    assert [ask(now=NOW + dt.timedelta(hours=hour)) for hour in (1, 12, 23)] == [None] * 3
    assert ask(now=NOW + DAY + dt.timedelta(seconds=1)) is not None
    assert Notice.objects.count() == 2


def test_three_confirmations_are_all_until_one_of_them_is_used():
    sent = [ask(now=NOW + number * 2 * DAY) for number in range(6)]
    assert [bool(notice) for notice in sent] == [True, True, True, False, False, False]
    reader = Subscriber.objects.get()
    confirm_subscription(public_id=reader.public_id, now=NOW + 12 * DAY)
    unsubscribe(public_id=reader.public_id, how="mail link", now=NOW + 13 * DAY)
    assert ask(now=NOW + 14 * DAY) is not None


def test_somebody_who_left_may_come_back_with_new_choices_but_only_by_confirming():
    reader = make_subscriber(email=ADDRESS, topics=["language"])
    unsubscribe(public_id=reader.public_id, how="mail link", now=NOW)
    ask(topics=("vision",))
    reader.refresh_from_db()
    assert (reader.state, reader.next_due_at) == (SubscriberState.PENDING, None)
    assert confirm_subscription(public_id=reader.public_id, now=NOW + DAY) is ConfirmResult.CONFIRMED_FOR_LATER
    assert list(reader.topics.values_list("slug", flat=True)) == ["vision"]


@pytest.mark.parametrize(
    ("reason", "is_lifted"),
    [
        (SuppressionReason.ERASED, True),
        (SuppressionReason.HARD_BOUNCE, True),
        (SuppressionReason.COMPLAINT, False),
        (SuppressionReason.MANUAL, False),
    ],
)
def test_a_new_double_opt_in_lifts_what_the_person_or_the_mailbox_said_and_nothing_else(
    reason: SuppressionReason, is_lifted: bool
):
    ask()
    reader = Subscriber.objects.get()
    Suppression.objects.create(address_hash=reader.address_hash, reason=reason, at=NOW)
    confirm_subscription(public_id=reader.public_id, now=NOW)
    assert Suppression.objects.exists() is not is_lifted


def test_changed_preferences_replace_the_old_ones_and_are_recorded():
    reader = make_subscriber(topics=["language", "vision"])
    kept = reader.subscriptions.get(topic__slug="vision").pk
    change_preferences(subscriber=reader, preferences=Preferences(topics=("vision", "agents"), max_papers=5), now=NOW)
    reader.refresh_from_db()
    assert reader.max_papers == 5
    assert set(reader.topics.values_list("slug", flat=True)) == {"vision", "agents"}
    assert reader.subscriptions.get(topic__slug="vision").pk == kept
    assert consents() == [("changed", "mail link")]


def test_a_topic_that_was_switched_off_cannot_be_chosen():
    Topic.objects.filter(slug="vision").update(is_active=False)
    ask(topics=("vision", "language"))
    assert list(Subscriber.objects.get().topics.values_list("slug", flat=True)) == ["language"]


# --- what was never sent keeps nobody out -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", [OutgoingState.FAILED, OutgoingState.SKIPPED])
def test_confirmations_that_were_never_sent_count_for_nothing(state: OutgoingState):
    for number in range(5):
        assert ask(now=NOW + number * dt.timedelta(minutes=1)) is not None
        Notice.objects.update(state=state)


@pytest.mark.parametrize("state", [OutgoingState.ACCEPTED, OutgoingState.UNKNOWN, OutgoingState.BOUNCED])
def test_confirmations_that_may_have_come_do_count(state: OutgoingState):
    for number in range(3):
        assert ask(now=NOW + number * 2 * DAY) is not None
        Notice.objects.update(state=state)
    assert ask(now=NOW + 6 * DAY) is None


def test_whoever_was_forgotten_may_ask_again_a_month_later():
    for number in range(3):
        ask(now=NOW + number * 2 * DAY)
    Notice.objects.update(state=OutgoingState.ACCEPTED)
    Subscriber.objects.update(created_at=NOW)
    assert ask(now=NOW + 20 * DAY) is None
    later = NOW + 35 * DAY
    assert forget_unconfirmed(now=later) == 1
    assert ask(now=later) is not None


# --- a reader whom no mail reaches ------------------------------------------------------------------------------------


def cut_off(reason: SuppressionReason = SuppressionReason.HARD_BOUNCE, *, days_ago: int = 60) -> Subscriber:
    reader = make_subscriber(email=ADDRESS, topics=["language"])
    Suppression.objects.create(address_hash=reader.address_hash, reason=reason, at=NOW - days_ago * DAY)
    return reader


def test_a_reader_cut_off_by_an_old_bounce_is_asked_anew_and_their_yes_lifts_it():
    edition = make_edition([make_paper()])
    reader = cut_off()
    ask(topics=("vision",), zone="Asia/Tokyo")
    assert Notice.objects.get().kind == NoticeKind.CONFIRMATION
    reader.refresh_from_db()
    assert (reader.state, reader.zone) == (SubscriberState.ACTIVE, "UTC")
    assert list(reader.topics.values_list("slug", flat=True)) == ["language"]

    assert confirm_subscription(public_id=reader.public_id, now=NOW) is ConfirmResult.CONFIRMED
    assert not Suppression.objects.exists()
    assert Delivery.objects.get().edition == edition
    assert consents() == [("requested", "form"), ("confirmed", "mail link")]
    before = everything()
    assert confirm_subscription(public_id=reader.public_id, now=NOW + DAY) is ConfirmResult.ALREADY_CONFIRMED
    assert everything() == before


@pytest.mark.parametrize(
    ("reason", "days_ago"),
    [(SuppressionReason.HARD_BOUNCE, 29), (SuppressionReason.COMPLAINT, 400), (SuppressionReason.MANUAL, 400)],
)
def test_other_suppressions_of_a_reader_are_lifted_by_no_link(reason: SuppressionReason, days_ago: int):
    reader = cut_off(reason, days_ago=days_ago)
    assert ask() is None
    assert not Notice.objects.exists()
    assert not awaits_yes(reader, now=NOW)
    assert confirm_subscription(public_id=reader.public_id, now=NOW) is ConfirmResult.ALREADY_CONFIRMED
    assert Suppression.objects.exists()


@pytest.mark.parametrize(
    ("reason", "days_ago", "is_asked"),
    [
        (SuppressionReason.COMPLAINT, 400, False),
        (SuppressionReason.MANUAL, 400, False),
        (SuppressionReason.HARD_BOUNCE, 29, False),
        (SuppressionReason.SOFT_BOUNCE, 29, False),
        (SuppressionReason.HARD_BOUNCE, 31, True),
        (SuppressionReason.SOFT_BOUNCE, 31, True),
        (SuppressionReason.ERASED, 0, True),
    ],
)
def test_of_an_address_that_must_not_be_mailed_a_sign_up_keeps_nothing(
    reason: SuppressionReason, days_ago: int, *, is_asked: bool
):
    Suppression.objects.create(address_hash=hash_address(ADDRESS), reason=reason, at=NOW - days_ago * DAY)
    assert (ask() is not None) == is_asked
    assert Subscriber.objects.exists() == Notice.objects.exists() == ConsentEvent.objects.exists() == is_asked


# --- coming back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "comes_back"),
    [
        ("The reader is unsubscribed.", True),
        ("The reader is pending.", True),
        ("The address is suppressed.", True),
        ("Nothing to say: every paper of the edition was sent before.", False),
    ],
)
def test_a_digest_that_was_skipped_because_its_reader_had_left_comes_when_they_are_back(
    reason: str, *, comes_back: bool
):
    reader = make_subscriber(email=ADDRESS, state=SubscriberState.PENDING)
    make_delivery(edition=make_edition([make_paper()]), subscriber=reader, state=OutgoingState.SKIPPED, reason=reason)
    result = confirm_subscription(public_id=reader.public_id, now=NOW)
    reader.refresh_from_db()
    assert (result is ConfirmResult.CONFIRMED) == comes_back
    assert Delivery.objects.get().state == (OutgoingState.QUEUED if comes_back else OutgoingState.SKIPPED)
    assert reader.next_due_at == (dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC) if comes_back else NOW)


@pytest.mark.parametrize("state", [OutgoingState.ACCEPTED, OutgoingState.UNKNOWN, OutgoingState.FAILED])
def test_nothing_is_promised_where_the_digest_of_the_day_came_before(state: OutgoingState):
    reader = make_subscriber(state=SubscriberState.PENDING)
    make_delivery(edition=make_edition([make_paper()]), subscriber=reader, state=state)
    assert confirm_subscription(public_id=reader.public_id, now=NOW) is ConfirmResult.CONFIRMED_FOR_LATER
    assert Delivery.objects.get().state == state


def test_a_sign_up_that_no_mail_can_ask_about_changes_nothing():
    ask(topics=("vision",))
    confirm_subscription(public_id=Subscriber.objects.get().public_id, now=NOW)
    unsubscribe(public_id=Subscriber.objects.get().public_id, how="mail link", now=NOW)
    before = everything()
    # Anybody can type anybody's address: with the day's mail used up nobody could say yes to these choices.
    assert ask(topics=("robotics",), zone="Asia/Tokyo", now=NOW + dt.timedelta(hours=1)) is None
    assert everything() == before
    assert Subscriber.objects.get().state == SubscriberState.UNSUBSCRIBED


# --- language and goodbye ---------------------------------------------------------------------------------------------


def test_the_language_asked_for_at_the_form_is_kept_and_a_strangers_request_does_not_change_it():
    request_subscription(address=ADDRESS, preferences=Preferences(language="de"), how="form", now=NOW)
    reader = Subscriber.objects.get()
    assert reader.language == "de"
    Subscriber.objects.update(state=SubscriberState.ACTIVE)
    request_subscription(address=ADDRESS, preferences=Preferences(language="en"), how="form", now=NOW)
    reader.refresh_from_db()
    assert reader.language == "de"


def test_who_presses_our_button_gets_one_goodbye():
    reader = make_subscriber()
    for _ in range(2):
        unsubscribe(public_id=reader.public_id, how="mail link", now=NOW)
    assert list(Notice.objects.values_list("kind", "state")) == [("goodbye", "queued")]


@pytest.mark.parametrize("how", ["one-click header", "owner", "mail service"])
def test_who_leaves_by_another_way_gets_no_mail_at_all(how: str):
    unsubscribe(public_id=make_subscriber().public_id, how=how, now=NOW)
    assert not Notice.objects.exists()

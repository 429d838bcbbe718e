"""The life of one outgoing mail, step by step: who may do what, and what is left when a worker ends in between."""

import datetime as dt
import threading
from collections.abc import Callable

import pytest
import time_machine
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from digests.editions import cancel, pause
from digests.models import Delivery, Edition
from mailer.handoff import Accepted, NoAnswer, Outcome, Refused, TryLater
from subscriptions import journal
from subscriptions.models import Notice, Subscriber, SubscriberState, SuppressionReason
from subscriptions.outgoing import (
    BACKOFF,
    LEASE,
    MAX_ATTEMPTS,
    SENT_STATES,
    OutgoingState,
    bring_back,
    due_ids,
    sweep,
)
from subscriptions.signup import unsubscribe
from subscriptions.suppression import not_suppressed, suppress
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.subscriptions.steps import begin, claim, fail, in_turn, put_back, record, skip, wait_until_blocked

pytestmark = [pytest.mark.db, pytest.mark.django_db]

ANYBODY = Q()
WANTED = Q(subscriber__state=SubscriberState.ACTIVE, edition__state="published") & not_suppressed("subscriber__")
YES = Accepted(provider="smtp", message_id="abc")


@pytest.fixture
def edition() -> Edition:
    return make_edition([make_paper()])


@pytest.fixture
def delivery(edition: Edition) -> Delivery:
    return make_delivery(edition=edition, subscriber=make_subscriber())


def claim_one(delivery: Delivery) -> Delivery:
    (row,) = claim(Delivery, [delivery.pk])
    return row


def state_of(delivery: Delivery) -> OutgoingState:
    return OutgoingState(Delivery.objects.values_list("state", flat=True).get(pk=delivery.pk))


def end_lease(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(lease_until=Now() - dt.timedelta(seconds=1))


def database_now() -> dt.datetime:
    return Subscriber.objects.annotate(clock=Now()).values_list("clock", flat=True)[0]


# --- claiming ---------------------------------------------------------------------------------------------------------


def test_what_one_worker_claimed_another_does_not_get(edition: Edition):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(5)]

    first = claim(Delivery, ids[:3])
    second = claim(Delivery, ids)

    assert [row.pk for row in first] == ids[:3]
    assert [row.pk for row in second] == ids[3:]
    assert {row.claim_token for row in first}.isdisjoint({row.claim_token for row in second})


def test_a_claim_takes_only_the_ids_it_was_given(edition: Edition, delivery: Delivery):
    other = make_delivery(edition=edition, subscriber=make_subscriber())
    claim(Delivery, [delivery.pk])
    assert state_of(other) == OutgoingState.QUEUED


@pytest.mark.parametrize("state", [state for state in OutgoingState if state != OutgoingState.QUEUED])
def test_only_queued_rows_are_claimed(delivery: Delivery, state: OutgoingState):
    Delivery.objects.filter(pk=delivery.pk).update(state=state, claim_token="somebody", lease_until=Now())
    assert claim(Delivery, [delivery.pk]) == []
    assert due_ids(Delivery, limit=10) == []


def test_a_row_put_back_for_later_is_not_claimed_before_its_time(delivery: Delivery):
    Delivery.objects.filter(pk=delivery.pk).update(not_before=Now() + dt.timedelta(minutes=1))
    assert due_ids(Delivery, limit=10) == []
    assert claim(Delivery, [delivery.pk]) == []

    Delivery.objects.filter(pk=delivery.pk).update(not_before=Now())
    assert due_ids(Delivery, limit=10) == [delivery.pk]
    assert claim_one(delivery).pk == delivery.pk


def test_the_oldest_rows_are_rung_for_first_and_no_more_than_asked(edition: Edition):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(3)]
    assert due_ids(Delivery, limit=2) == ids[:2]


@pytest.mark.parametrize("skew", [dt.timedelta(hours=-9), dt.timedelta(hours=9)])
def test_leases_follow_the_clock_of_the_database_not_of_the_worker(delivery: Delivery, skew: dt.timedelta):
    with time_machine.travel(dt.datetime.now(dt.UTC) + skew, tick=True):
        row = claim_one(delivery)
        assert row.lease_until is not None
        left = row.lease_until - database_now()
        assert dt.timedelta(minutes=4) < left <= LEASE
        assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
        assert begin(row, allowed=ANYBODY)


def test_a_claim_whose_answer_was_lost_is_told_again_to_the_same_worker_alone(edition: Edition):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(3)]
    token = journal.new_claim_token()
    first = journal.claim_rows(Delivery, ids[:2], token=token, columns=["id"])
    again = journal.claim_rows(Delivery, ids, token=token, columns=["id"], again=True)
    assert (first, again) == ([(ids[0],), (ids[1],)], [(pk,) for pk in ids])
    other = journal.new_claim_token()
    assert journal.claim_rows(Delivery, ids, token=other, columns=["id"], again=True) == []


def test_a_row_that_waits_for_later_is_not_claimed_with_those_that_are_due(edition: Edition):
    later, due = [make_delivery(edition=edition, subscriber=make_subscriber()) for _ in range(2)]
    Delivery.objects.filter(pk=later.pk).update(not_before=Now() + dt.timedelta(seconds=30))
    assert [row.pk for row in claim(Delivery, [later.pk, due.pk])] == [due.pk]


# --- beginning --------------------------------------------------------------------------------------------------------


def test_begin_writes_what_is_sent_in_the_same_step(delivery: Delivery):
    row = claim_one(delivery)
    assert begin(row, allowed=WANTED, values={"paper_ids": [7, 8], "edition_revision": 3})
    row.refresh_from_db()
    assert (row.state, row.attempt, row.paper_ids, row.edition_revision) == ("handing_over", 1, [7, 8], 3)
    assert row.begun_at is not None


def test_a_mail_that_is_begun_gets_a_whole_lease_for_its_hand_off(delivery: Delivery):
    row = claim_one(delivery)
    Delivery.objects.filter(pk=row.pk).update(lease_until=Now() + dt.timedelta(seconds=20))
    assert begin(row, allowed=ANYBODY)
    row.refresh_from_db()
    assert row.lease_until is not None
    assert LEASE - dt.timedelta(seconds=10) < row.lease_until - database_now() <= LEASE


def test_nobody_begins_with_the_token_of_another(delivery: Delivery):
    row = claim_one(delivery)
    row.claim_token = "somebody else's"
    assert not begin(row, allowed=ANYBODY)
    assert state_of(row) == OutgoingState.CLAIMED


def test_a_mail_is_begun_once_only(delivery: Delivery):
    row = claim_one(delivery)
    assert begin(row, allowed=ANYBODY)
    assert not begin(row, allowed=ANYBODY)
    assert Delivery.objects.get(pk=row.pk).attempt == 1


def test_a_slow_worker_whose_lease_ran_out_cannot_send(delivery: Delivery):
    row = claim_one(delivery)
    end_lease(row)
    assert not begin(row, allowed=ANYBODY)


def test_a_slow_worker_cannot_send_what_another_holds_by_now(delivery: Delivery):
    slow = claim_one(delivery)
    end_lease(slow)
    sweep(Delivery)
    quick = claim_one(delivery)
    assert not begin(slow, allowed=ANYBODY)
    assert begin(quick, allowed=ANYBODY)


def _unsubscribe(row: Delivery) -> None:
    assert row.subscriber is not None
    unsubscribe(public_id=row.subscriber.public_id, how="mail link", now=NOW)


def _suppress(row: Delivery) -> None:
    assert row.subscriber is not None
    suppress(address_hash=row.subscriber.address_hash, reason=SuppressionReason.COMPLAINT, now=NOW)


def _erase(row: Delivery) -> None:
    assert row.subscriber is not None
    Subscriber.objects.filter(pk=row.subscriber.pk).delete()


@pytest.mark.parametrize(
    "change",
    [_unsubscribe, _suppress, _erase, lambda row: pause(row.edition), lambda row: cancel(row.edition)],
    ids=["unsubscribed", "suppressed", "erased", "edition paused", "edition cancelled"],
)
def test_what_changes_a_second_before_the_hand_off_still_counts(delivery: Delivery, change: Callable[[Delivery], None]):
    row = claim_one(delivery)
    change(row)
    assert not begin(row, allowed=WANTED, values={"paper_ids": [1]})
    kept = Delivery.objects.get(pk=row.pk)
    assert (kept.state, kept.attempt, kept.paper_ids) == ("claimed", 0, [])


# --- recording --------------------------------------------------------------------------------------------------------


def begun(delivery: Delivery) -> Delivery:
    row = claim_one(delivery)
    assert begin(row, allowed=ANYBODY)
    return row


def test_a_yes_is_recorded_with_the_id_the_service_gave(delivery: Delivery):
    row = begun(delivery)
    assert record(row, YES) == OutgoingState.ACCEPTED
    row.refresh_from_db()
    assert (row.state, row.provider, row.provider_message_id) == ("accepted", "smtp", "abc")
    assert (row.claim_token, row.lease_until) == ("", None)
    assert row.settled_at is not None


def test_not_now_puts_the_mail_back_to_be_tried_later(delivery: Delivery):
    row = begun(delivery)
    assert record(row, TryLater("451 busy")) == OutgoingState.QUEUED
    row.refresh_from_db()
    assert (row.state, row.reason, row.attempt) == ("queued", "451 busy", 1)
    assert row.not_before is not None
    assert dt.timedelta(0) < row.not_before - database_now() <= dt.timedelta(minutes=1)
    assert row.settled_at is None
    assert claim(Delivery, [row.pk]) == []


def test_what_was_unknown_and_is_put_back_by_a_late_answer_is_settled_no_more(delivery: Delivery):
    row = begun(delivery)
    record(row, NoAnswer("silence"))
    assert Delivery.objects.get(pk=row.pk).settled_at is not None
    record(row, TryLater("451"))
    assert Delivery.objects.get(pk=row.pk).settled_at is None


def test_each_refusal_waits_longer_and_the_last_one_is_the_end(delivery: Delivery):
    waits = []
    for attempt in range(1, MAX_ATTEMPTS + 1):
        row = begun(delivery)
        outcome = record(row, TryLater("451 busy"))
        row.refresh_from_db()
        assert row.attempt == attempt
        if outcome == OutgoingState.QUEUED:
            assert row.not_before is not None
            waits.append(round((row.not_before - database_now()).total_seconds() / 60))
            Delivery.objects.filter(pk=row.pk).update(not_before=None)
    assert tuple(waits) == BACKOFF
    assert row.state == OutgoingState.FAILED
    assert "8 attempts" in row.reason
    assert "451 busy" in row.reason


def test_never_is_recorded_as_failed_with_the_reason(delivery: Delivery):
    assert record(begun(delivery), Refused("550 no such user")) == OutgoingState.FAILED
    assert Delivery.objects.get(pk=delivery.pk).reason == "550 no such user"


def test_silence_is_unknown_and_nothing_sends_it_again(delivery: Delivery):
    row = begun(delivery)
    assert record(row, NoAnswer("the line went dead")) == OutgoingState.UNKNOWN
    kept = Delivery.objects.get(pk=delivery.pk)
    # Its own worker may still hear the answer; nobody holds it, so there is no lease to end.
    assert (kept.claim_token, kept.lease_until) == (row.claim_token, None)
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
    assert due_ids(Delivery, limit=10) == []
    assert claim(Delivery, [delivery.pk]) == []
    assert state_of(delivery) == OutgoingState.UNKNOWN


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(YES, "accepted"), (Refused("550"), "failed"), (TryLater("451"), "queued")],
    ids=["yes", "never", "not now"],
)
def test_a_late_answer_turns_unknown_into_what_it_was(delivery: Delivery, outcome: Accepted, state: str):
    row = begun(delivery)
    end_lease(row)
    assert sweep(Delivery)["unknown"] == 1
    assert record(row, outcome) == state
    assert state_of(row) == state


def test_an_answer_for_what_somebody_else_settled_changes_nothing(delivery: Delivery):
    row = begun(delivery)
    assert record(row, YES) == OutgoingState.ACCEPTED
    assert record(row, Refused("550")) is None
    assert state_of(row) == OutgoingState.ACCEPTED


@pytest.mark.parametrize("outcome", [YES, TryLater("451"), Refused("550"), NoAnswer("silence")])
@pytest.mark.parametrize("end", [None, end_lease], ids=["handing over", "unknown"])
def test_nobody_records_with_the_token_of_another(
    delivery: Delivery, outcome: Outcome, end: Callable[[Delivery], None] | None
):
    row = begun(delivery)
    if end:
        end(row)
        sweep(Delivery)
    before = state_of(row)
    row.claim_token = "somebody else's"
    assert record(row, outcome) is None
    assert state_of(row) == before


@pytest.mark.parametrize(
    "state", [state for state in OutgoingState if state not in {OutgoingState.HANDING_OVER, OutgoingState.UNKNOWN}]
)
def test_an_answer_is_only_recorded_for_a_mail_on_its_way_or_of_unknown_fate(delivery: Delivery, state: OutgoingState):
    row = begun(delivery)
    Delivery.objects.filter(pk=row.pk).update(state=state)
    assert record(row, YES) is None
    assert state_of(row) == state


def test_a_late_answer_cannot_undo_what_a_webhook_said(delivery: Delivery):
    row = begun(delivery)
    Delivery.objects.filter(pk=row.pk).update(state=OutgoingState.DELIVERED)
    assert record(row, TryLater("451")) is None
    assert state_of(row) == OutgoingState.DELIVERED


# --- deciding while holding the claim ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "state"), [(skip, "skipped"), (fail, "failed")])
def test_who_holds_the_claim_may_settle_the_row(delivery: Delivery, act: Callable[[Delivery, str], bool], state: str):
    row = claim_one(delivery)
    assert act(row, "because")
    row.refresh_from_db()
    assert (row.state, row.reason, row.claim_token, row.lease_until) == (state, "because", "", None)


@pytest.mark.parametrize(
    "act", [skip, fail, lambda row, why: put_back(row, why, after=LEASE)], ids=["skip", "fail", "put back"]
)
def test_who_lost_the_claim_may_settle_nothing(delivery: Delivery, act: Callable[[Delivery, str], bool]):
    lost = claim_one(delivery)
    end_lease(lost)
    sweep(Delivery)
    holder = claim_one(delivery)
    assert not act(lost, "because")
    assert state_of(delivery) == OutgoingState.CLAIMED
    assert begin(holder, allowed=ANYBODY)
    # What is on its way cannot be called back either.
    assert not act(holder, "because")
    assert state_of(delivery) == OutgoingState.HANDING_OVER


def test_what_is_put_back_waits_and_keeps_its_attempts(delivery: Delivery):
    row = claim_one(delivery)
    assert put_back(row, "no connection", after=dt.timedelta(minutes=5))
    row.refresh_from_db()
    assert (row.state, row.attempt, row.worker_deaths, row.claim_token) == ("queued", 0, 0, "")
    assert row.not_before is not None
    assert dt.timedelta(minutes=4) < row.not_before - database_now() <= dt.timedelta(minutes=5)


@pytest.mark.parametrize("state", OutgoingState)
def test_only_what_was_skipped_is_brought_back(delivery: Delivery, state: OutgoingState):
    Delivery.objects.update(state=state, reason="because", claim_token="somebody", lease_until=Now())
    assert bring_back(Delivery.objects.all()) == (state == OutgoingState.SKIPPED)
    kept = Delivery.objects.get()
    assert (kept.state, kept.reason) == ((OutgoingState.QUEUED, "") if state == "skipped" else (state, "because"))


# --- killed: the worker stops between two steps, and the sweep follows ------------------------------------------------


def test_killed_before_claiming_leaves_the_row_queued(delivery: Delivery):
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
    assert due_ids(Delivery, limit=10) == [delivery.pk]


def test_killed_after_claiming_gives_the_row_back_when_the_lease_ends(delivery: Delivery):
    claim_one(delivery)
    assert sweep(Delivery)["requeued"] == 0
    end_lease(delivery)
    assert sweep(Delivery) == {"requeued": 1, "failed": 0, "unknown": 0}
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
    row = claim_one(delivery)
    assert row.worker_deaths == 1
    assert begin(row, allowed=ANYBODY)


def test_killed_after_beginning_leaves_the_outcome_unknown(delivery: Delivery):
    row = begun(delivery)
    assert sweep(Delivery)["unknown"] == 0
    end_lease(row)
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 1}
    row.refresh_from_db()
    assert row.state == OutgoingState.UNKNOWN
    assert "not known" in row.reason
    assert claim(Delivery, [row.pk]) == []


def test_killed_after_recording_changes_nothing(delivery: Delivery):
    record(begun(delivery), YES)
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
    assert state_of(delivery) == OutgoingState.ACCEPTED


def test_killed_after_not_now_was_recorded_leaves_it_queued_for_later(delivery: Delivery):
    record(begun(delivery), TryLater("451"))
    assert sweep(Delivery) == {"requeued": 0, "failed": 0, "unknown": 0}
    assert state_of(delivery) == OutgoingState.QUEUED


def test_a_poison_row_fails_after_two_worker_deaths_and_says_why(delivery: Delivery):
    for swept in ("requeued", "failed"):
        claim_one(delivery)
        end_lease(delivery)
        assert sweep(Delivery)[swept] == 1
    row = Delivery.objects.get(pk=delivery.pk)
    assert (row.state, row.worker_deaths) == ("failed", 2)
    assert "2 workers" in row.reason
    assert claim(Delivery, [row.pk]) == []


def test_a_poison_row_does_not_take_its_neighbours_with_it(edition: Edition):
    poison, *others = [make_delivery(edition=edition, subscriber=make_subscriber()) for _ in range(4)]
    ids = [row.pk for row in (poison, *others)]

    def work_until_killed() -> None:
        for rows in in_turn(Delivery, ids):
            for row in rows:
                if row.pk == poison.pk:
                    return
                assert begin(row, allowed=ANYBODY)
                record(row, YES)

    for _ in range(3):
        work_until_killed()
        Delivery.objects.filter(state=OutgoingState.CLAIMED).update(lease_until=Now() - dt.timedelta(seconds=1))
        sweep(Delivery)

    assert state_of(poison) == OutgoingState.FAILED
    assert {state_of(row) for row in others} == {OutgoingState.ACCEPTED}


def test_all_of_a_batch_that_nobody_died_over_is_claimed_at_once(edition: Edition):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(3)]
    assert [[row.pk for row in rows] for rows in in_turn(Delivery, ids)] == [ids]


def test_a_suspect_is_claimed_only_when_its_turn_comes(edition: Edition):
    ids = [make_delivery(edition=edition, subscriber=make_subscriber(), worker_deaths=1).pk for _ in range(2)]
    turns = iter(in_turn(Delivery, ids))
    assert next(turns) == []
    assert [row.pk for row in next(turns)] == ids[:1]
    assert due_ids(Delivery, limit=10) == ids[1:]


def test_one_sweep_leaves_the_other_kinds_of_mail_alone(delivery: Delivery):
    claim_one(delivery)
    end_lease(delivery)
    assert sweep(Notice) == {"requeued": 0, "failed": 0, "unknown": 0}
    assert state_of(delivery) == OutgoingState.CLAIMED


def test_seen_are_all_states_in_which_the_mail_may_have_left():
    not_sent = {OutgoingState.QUEUED, OutgoingState.CLAIMED, OutgoingState.FAILED, OutgoingState.SKIPPED}
    assert set(SENT_STATES) == set(OutgoingState) - not_sent


# --- at the same moment, with connections of their own ----------------------------------------------------------------


@pytest.fixture
def together() -> Callable[..., list[object]]:
    """Runs the same work in several threads that start at one moment; gives back what each returned."""

    def run(work: Callable[[], object], *, threads: int) -> list[object]:
        start = threading.Barrier(threads)
        results: list[object] = []

        def one() -> None:
            try:
                start.wait(timeout=10)
                results.append(work())
            except Exception as error:  # noqa: BLE001 - a thread cannot fail a test; what it raised can
                results.append(error)
            finally:
                connection.close()

        workers = [threading.Thread(target=one) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(timeout=60)
        assert len(results) == threads
        return results

    return run


@pytest.mark.django_db(transaction=True)
def test_many_workers_claim_the_same_rows_and_each_is_begun_once(together: Callable[..., list[object]]):
    edition = make_edition([make_paper()])
    ids = [make_delivery(edition=edition, subscriber=make_subscriber()).pk for _ in range(20)]

    def work() -> list[int]:
        return [row.pk for row in claim(Delivery, ids) if begin(row, allowed=WANTED)]

    results = together(work, threads=6)

    sent = [pk for result in results for pk in (result if isinstance(result, list) else [result])]
    assert sorted(map(str, sent)) == sorted(map(str, ids))
    assert set(Delivery.objects.values_list("state", "attempt")) == {("handing_over", 1)}


@pytest.mark.django_db(transaction=True)
def test_many_tries_to_begin_one_claimed_row_succeed_once(together: Callable[..., list[object]]):
    row = claim_one(make_delivery(edition=make_edition([make_paper()]), subscriber=make_subscriber()))
    results = together(lambda: begin(row, allowed=WANTED), threads=6)
    assert sorted(map(str, results)) == ["False"] * 5 + ["True"]
    assert Delivery.objects.get(pk=row.pk).attempt == 1


@pytest.mark.django_db(transaction=True)
def test_begin_that_waited_for_a_sweep_judges_the_row_as_the_sweep_left_it():
    """The row's own conditions must be asked again after the wait for its lock (PostgreSQL: EvalPlanQual)."""
    row = claim_one(make_delivery(edition=make_edition([make_paper()]), subscriber=make_subscriber()))
    answers: list[bool] = []

    def slow_worker() -> None:
        try:
            answers.append(begin(row, allowed=WANTED))
        finally:
            connection.close()

    worker = threading.Thread(target=slow_worker)
    with transaction.atomic():
        Delivery.objects.filter(pk=row.pk).update(state=OutgoingState.QUEUED, claim_token="", lease_until=None)
        worker.start()
        wait_until_blocked()
    worker.join(timeout=40)

    assert answers == [False]
    assert state_of(row) == OutgoingState.QUEUED

"""Doorways for what the packages below tell us."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver

from digests.bouncing import keeps_bouncing
from digests.delivering import bring_back_for, sendable_ids
from digests.editions import amend_holding, take_submitted
from digests.history import read_history
from digests.models import Choice, Delivery, EditionPaper, LetterDelivery, Taste
from digests.planning import newest_sendable, plan_subscribers
from digests.tasks import learn_tastes, send_deliveries
from papers.signals import papers_changed, papers_merged
from subscriptions.journal import move_rows
from subscriptions.models import Subscriber, SuppressionReason
from subscriptions.outgoing import Move, OutgoingState, move
from subscriptions.schedule import next_due
from subscriptions.signals import (
    mail_event_stored,
    mails_settled,
    reader_data_asked_for,
    reader_taste_asked_for,
    reader_taste_changed,
    submission_accepted,
    subscriber_confirmed,
    subscriber_erased,
)
from subscriptions.suppression import suppress

_SURELY_LEFT = {OutgoingState.DELIVERED, OutgoingState.BOUNCED, OutgoingState.COMPLAINED}


@receiver(papers_merged)
def on_papers_merged(sender: Any, kept_id: int, dropped_id: int, **kwargs: Any) -> None:
    """The paper that stays takes the other's places in editions, with what a curator did to them. What they did to both
    in one edition they did to the one that stays; what they did to the other fills that in."""
    # Who is making digests of it looks at its papers again.
    amend_holding([dropped_id])
    there = {entry.edition_id: entry for entry in EditionPaper.objects.filter(paper_id=kept_id)}
    for entry in EditionPaper.objects.filter(paper_id=dropped_id):
        kept = there.get(entry.edition_id)
        if kept is None:
            EditionPaper.objects.filter(pk=entry.pk).update(paper_id=kept_id)
            continue
        choice = entry.choice if kept.choice == Choice.CANDIDATE else kept.choice
        EditionPaper.objects.filter(pk=kept.pk).update(
            choice=choice,
            position=kept.position or entry.position,
            note=kept.note or entry.note,
            hidden_reason=kept.hidden_reason or entry.hidden_reason,
            is_replacement=kept.is_replacement and entry.is_replacement,
        )
        entry.delete()


@receiver(papers_changed)
def on_papers_changed(sender: Any, paper_ids: list[int], **kwargs: Any) -> None:
    """What is being made of these papers must not leave as it was."""
    amend_holding(paper_ids)


@receiver(subscriber_confirmed)
def on_confirmed(sender: Any, subscriber_id: int, now: dt.datetime, **kwargs: Any) -> int:
    """Plan the first digest in the transaction that confirms, and ring for it once that is durable.

    Returns how many digests are on their way: none while there is no edition they have not had.
    """
    reader = Subscriber.objects.get(pk=subscriber_id)
    edition = newest_sendable(now)
    if edition and bring_back_for(reader, edition=edition):
        # The digest of this edition, like a first one, stands in for that of the day.
        Subscriber.objects.filter(pk=reader.pk).update(next_due_at=next_due(reader.schedule(), after=now))
    else:
        plan_subscribers([reader], edition=edition, now=now)
    ids = sendable_ids(reader)
    if ids:
        transaction.on_commit(lambda: send_deliveries.delay(ids), robust=True)
    return len(ids)


@receiver(reader_data_asked_for)
def on_reader_data_asked_for(
    sender: Any, subscriber_id: int, first: int, count: int | None, **kwargs: Any
) -> dict[str, Any]:
    """What was sent to this reader."""
    return read_history(subscriber_id, first=first, count=count)


@receiver(reader_taste_changed)
def on_taste_changed(sender: Any, subscriber_id: int, is_more: bool, **kwargs: Any) -> None:
    """Learn it anew, at once. What was taken back must count no more until then; what was added only adds to it."""
    known = Taste.objects.filter(subscriber_id=subscriber_id)
    if is_more:
        known.update(basis="")
    else:
        known.delete()
    transaction.on_commit(lambda: learn_tastes.delay([subscriber_id]), robust=True)


@receiver(reader_taste_asked_for)
def on_taste_asked_for(sender: Any, subscriber_id: int, **kwargs: Any) -> dict[str, Any]:
    """What was learned of this reader, in words."""
    known = Taste.objects.filter(subscriber_id=subscriber_id).first()
    return {"words": known.words, "learned_at": known.learned_at} if known else {}


@receiver(subscriber_erased)
def on_subscriber_erased(sender: Any, subscriber_id: int, **kwargs: Any) -> None:
    """What mail servers answered may name the address; the deliveries themselves stay, and are nobody's."""
    for model in (Delivery, LetterDelivery):
        model.objects.filter(subscriber_id=subscriber_id).exclude(reason="").update(reason="")


@receiver(submission_accepted)
def on_submission_accepted(sender: Any, paper_id: int, is_pick: bool, now: dt.datetime, **kwargs: Any) -> None:
    """A paper that a reader brought goes among those of the edition that is being made."""
    take_submitted(paper_id=paper_id, is_pick=is_pick, now=now)


@receiver(mails_settled)
def on_mails_settled(sender: Any, words: Mapping[str, str], state: OutgoingState, **kwargs: Any) -> set[str]:
    """A mail service spoke of many mails, among them deliveries."""
    return move_rows(Delivery, words, state=state) | move_rows(LetterDelivery, words, state=state)


@receiver(mail_event_stored)
def on_mail_event(
    sender: Any,
    outgoing_id: str,
    state: OutgoingState,
    detail: str,
    address_hash: str,
    is_soft_bounce: bool,
    now: dt.datetime,
    **kwargs: Any,
) -> Move:
    """A mail service spoke of a mail that is no notice: perhaps it is a delivery."""
    # The owner asked for it once more, and now it turns out that it did leave: it must not leave again.
    arrived_after_all = Q(state__in=[OutgoingState.QUEUED, OutgoingState.CLAIMED], resend_at__isnull=False)
    also = arrived_after_all if state in _SURELY_LEFT else None
    moved = move(Delivery, outgoing_id=outgoing_id, state=state, detail=detail, also=also)
    if moved is Move.NO_SUCH_MAIL:
        moved = move(LetterDelivery, outgoing_id=outgoing_id, state=state, detail=detail)
    if is_soft_bounce and address_hash and keeps_bouncing(address_hash):
        suppress(
            address_hash=address_hash, reason=SuppressionReason.SOFT_BOUNCE, now=now, note="3 of the last 5 came back"
        )
    return moved

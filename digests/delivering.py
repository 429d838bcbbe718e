"""Sending digests: claimed rows become mails, each step written down before the next."""

import datetime as dt
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.urls import reverse

from digests.comparing import remember
from digests.digest import Digest, choose_digest, compose_digest, join_digest, personal_parts, repeat_digest
from digests.models import NOTHING_TO_SAY, Delivery, Edition, EditionState, age_limit
from digests.readers import Recipient, read_recipients, read_suppressed
from digests.shelf import Shelf, shelf_for
from mailer.messages import Message, OverBudgetError
from subscriptions import journal, outgoing
from subscriptions.batch import Made, Unmade
from subscriptions.journal import Claimed, Permission
from subscriptions.models import NoticeKind, Subscriber, SubscriberState
from subscriptions.outgoing import SENT_STATES, OutgoingState, bring_back
from subscriptions.owner import tell_owner
from subscriptions.patience import renew_database_connection
from subscriptions.sending import send_claimed
from subscriptions.sql import Column
from subscriptions.suppression import not_suppressed

logger = logging.getLogger(__name__)

_AMENDED = "The edition was changed while the digest was made: it is made anew."
_SUPPRESSED = "The address is suppressed."
_READER_IS = "The reader is "
_WRITTEN = (Column("paper_ids", "jsonb"), Column("reasons", "jsonb"), Column("edition_revision", "int"))
_NOTHING_AGAIN = "Nothing to send again: every paper it had was withdrawn since, or came in another digest."
# A paused edition takes no tokens from those that may leave, and makes no mails that would only have to wait.
_EDITION_IS_NOT_PAUSED = """AND NOT EXISTS (
    SELECT 1 FROM digests_edition AS edition WHERE edition.id = mail.edition_id AND edition.state = 'paused')"""
_LOOKED_AT = (Column("seen_since", "timestamptz"), Column("seen_ids", "jsonb"))


@dataclass(frozen=True, slots=True)
class SendReport:
    """What became of a batch: how many mails in which state."""

    accepted: int = 0
    skipped: int = 0
    other: int = 0


@dataclass(slots=True, kw_only=True)
class ClaimedDelivery(Claimed):
    """A delivery in hand, as plain values."""

    public_id: str
    edition_id: int
    subscriber_id: int | None
    is_resend: bool
    # Of the edition, when the digest was made.
    revision: int = 0


def send_deliveries(ids: Iterable[int], *, now: dt.datetime) -> SendReport:
    """Send those of these deliveries that are queued and due. Safe to run twice, and to be killed anywhere."""
    states = send_claimed(DigestWork(now=now), ids)
    accepted, skipped = states.count(OutgoingState.ACCEPTED), states.count(OutgoingState.SKIPPED)
    return SendReport(accepted=accepted, skipped=skipped, other=len(states) - accepted - skipped)


def send_again(deliveries: QuerySet[Delivery]) -> int:
    """Send those of these that failed or are unknown once more, each with the papers it had. Safe to press twice."""
    may_have_left = Case(When(state=OutgoingState.UNKNOWN, then=Now()), default=F("may_have_left_at"))
    return outgoing.send_again(deliveries, resend_at=Now(), may_have_left_at=may_have_left)


def due_deliveries(*, limit: int) -> list[int]:
    """The deliveries that may leave now, oldest first; not those of editions that are paused."""
    return outgoing.due_ids(Delivery, limit=limit, also=~Q(edition__state=EditionState.PAUSED))


def bring_back_for(subscriber: Subscriber, *, edition: Edition) -> bool:
    """Queue the delivery of this edition again that was skipped because of the reader: they are back. Safe twice."""
    about_reader = Q(reason=_SUPPRESSED) | Q(reason__startswith=_READER_IS)
    return bring_back(Delivery.objects.filter(about_reader, subscriber=subscriber, edition=edition)) > 0


def sendable_ids(subscriber: Subscriber) -> list[int]:
    """The deliveries that go to this reader as soon as a worker takes them."""
    queued = Delivery.objects.filter(subscriber=subscriber, state=OutgoingState.QUEUED)
    sendable = queued.filter(not_suppressed("subscriber__"), edition__state=EditionState.PUBLISHED)
    return list(sendable.order_by("id").values_list("id", flat=True))


class DigestWork:
    """How deliveries become mails; see `subscriptions.batch.Work`."""

    model = Delivery
    keeps_day_cap = True

    def __init__(self, *, now: dt.datetime) -> None:
        self._now = now
        self._shelf = shelf_for(now)
        self._permission = Permission(
            Delivery, _allowed(now) & _IS_OF_THIS_REVISION, also=_NOTHING_SINCE[connection.vendor]
        )
        self._is_amended = False

    def claim(self, ids: Sequence[int], *, token: str, again: bool) -> list[ClaimedDelivery]:
        columns = ["id", "public_id", "attempt", "edition_id", "subscriber_id", "resend_at"]
        rows = journal.claim_rows(Delivery, ids, token=token, columns=columns, also=_EDITION_IS_NOT_PAUSED, again=again)
        return [
            ClaimedDelivery(
                pk=pk,
                public_id=public_id,
                attempt=attempt,
                claim_token=token,
                edition_id=edition_id,
                subscriber_id=subscriber_id,
                is_resend=resend_at is not None,
            )
            for pk, public_id, attempt, edition_id, subscriber_id, resend_at in rows
        ]

    def make(self, rows: Sequence[ClaimedDelivery]) -> Iterator[Made[ClaimedDelivery] | Unmade[ClaimedDelivery]]:
        readers, editions, suppressed = self._read(rows)
        for place, row in enumerate(rows):
            if self._is_amended:
                readers, editions, suppressed = self._read(rows[place:])
            edition = editions[row.edition_id]
            row.revision = edition.revision
            reader = readers.get(row.edition_id, {}).get(row.subscriber_id or 0)
            if reason := self._reason_not_to_make(reader, edition, suppressed):
                yield Unmade(row, OutgoingState.SKIPPED, reason)
            elif reader is not None:
                yield self._make_one(row, reader, edition)

    def _read(
        self, rows: Sequence[ClaimedDelivery]
    ) -> tuple[dict[int, dict[int, Recipient]], dict[int, Edition], set[str]]:
        """The readers of these rows, by edition, with the editions and the addresses that must get no mail."""
        self._is_amended = False
        self._shelf.begin_batch(self._now)
        editions = Edition.objects.in_bulk({row.edition_id for row in rows})
        groups: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            if row.subscriber_id is not None:
                groups[row.edition_id].append(row.subscriber_id)
        readers = {
            pk: read_recipients(ids, editions[pk], returning=self._shelf.returning(editions[pk]), now=self._now)
            for pk, ids in groups.items()
        }
        suppressed = read_suppressed([reader for found in readers.values() for reader in found.values()])
        return readers, editions, suppressed

    def begin(self, mails: Sequence[Made[ClaimedDelivery]], *, again: bool) -> set[int]:
        compared = [
            (mail.row.pk, mail.facts.comparison, dict(mail.facts.teams))
            for mail in mails
            if mail.facts.comparison is not None
        ]
        if compared:
            remember(compared)
        journal.take_turns(mail.row.subscriber_id for mail in mails if mail.row.subscriber_id is not None)
        return journal.begin_rows(
            Delivery,
            [mail.row for mail in mails],
            permission=self._permission,
            columns=_WRITTEN,
            facts=_LOOKED_AT,
            values=[_values(mail.facts) for mail in mails],
            again=again,
        )

    def stopped(self, row: ClaimedDelivery) -> tuple[OutgoingState | None, str]:
        """Something changed since the row was claimed. Say what, or leave it to whoever holds it now."""
        fresh = Delivery.objects.select_related("edition", "subscriber").filter(pk=row.pk).first()
        if fresh is None:
            return None, ""
        if reason := _reason_not_to_send(fresh, now=self._now):
            return OutgoingState.SKIPPED, reason
        if fresh.edition.revision != row.revision:
            # What was made of it is old by now, and so is what the rest of this handful would be made of.
            self._is_amended = True
            return None, _AMENDED
        return None, _why_later(fresh)

    def _reason_not_to_make(self, reader: Recipient | None, edition: Edition, suppressed: set[str]) -> str:
        """Why this mail is not to be made at all, or nothing. `begin` asks the database again."""
        if reader is None:
            return "The reader was erased."
        if reason := _reason_of_reader_or_edition(reader.state, edition, now=self._now):
            return reason
        return _SUPPRESSED if reader.address_hash in suppressed else ""

    def _choose(self, row: ClaimedDelivery, reader: Recipient, edition: Edition) -> Digest:
        if row.is_resend:
            kept = Delivery.objects.values_list("paper_ids", "reasons").get(pk=row.pk)
            if kept[0]:
                return repeat_digest(reader, edition, shelf=self._shelf, paper_ids=kept[0], reasons=kept[1])
        return choose_digest(reader, edition, shelf=self._shelf)

    def _make_one(
        self, row: ClaimedDelivery, reader: Recipient, edition: Edition
    ) -> Made[ClaimedDelivery] | Unmade[ClaimedDelivery]:
        """What goes wrong with one digest stays on its row and never stops the others."""
        try:
            digest = self._choose(row, reader, edition)
            if not digest.lines:
                return Unmade(row, OutgoingState.SKIPPED, NOTHING_TO_SAY if digest.is_chosen else _NOTHING_AGAIN)
            return Made(row, _compose(row, digest, reader, self._shelf), digest)
        except OverBudgetError as error:
            logger.error("delivery %s: %s", row.public_id, error)  # noqa: TRY400 - the message says it all
            _tell_too_big(edition, str(error))
            return Unmade(row, OutgoingState.FAILED, str(error))
        except SoftTimeLimitExceeded:
            raise
        except (DatabaseError, InterfaceError):
            # It says nothing about the digest, so nobody may miss a mail for it.
            logger.warning("delivery %s could not be made yet", row.public_id, exc_info=True)
            renew_database_connection()
            return Unmade(row, OutgoingState.QUEUED, "The database did not answer.")
        except Exception as error:
            logger.exception("delivery %s cannot be made", row.public_id)
            return Unmade(row, OutgoingState.FAILED, f"The digest cannot be made: {error.__class__.__name__}.")


def _compose(row: ClaimedDelivery, digest: Digest, reader: Recipient, shelf: Shelf) -> Message:
    personal = personal_parts(reader, shelf, edition=digest.edition, delivery_id=row.public_id)
    return compose_digest(
        join_digest(digest, reader, shelf=shelf, personal=personal),
        reader,
        public_id=row.public_id,
        now=shelf.now,
        unsubscribe_url=personal.unsubscribe_url,
    )


def _tell_too_big(edition: Edition, reason: str) -> None:
    """Tell the owner, once for each edition. What goes wrong with that must not cost anybody a mail."""
    path = reverse("admin:digests_edition_change", args=[edition.pk])
    details = {"edition": str(edition), "reason": reason, "admin_path": path}
    try:
        tell_owner(key=f"digest-too-big-{edition.pk}", kind=NoticeKind.DIGEST_TOO_BIG, details=details)
    except (DatabaseError, InterfaceError):
        logger.warning("the owner could not be told", exc_info=True)


def _allowed(now: dt.datetime) -> Q:
    """What must hold at the very moment of the hand-off."""
    return (
        Q(subscriber__state=SubscriberState.ACTIVE)
        & Q(edition__state=EditionState.PUBLISHED, edition__date__gte=age_limit(now))
        & not_suppressed("subscriber__")
        & _is_newest()
    )


# What a correction or a withdrawal changed since the digest was made must not leave as it was.
_IS_OF_THIS_REVISION = Q(edition__revision=RawSQL("given.edition_revision", ()))


def _is_newest() -> Q:
    """No digest of a later edition waits for this reader, or went out: that one covers this edition too."""
    later = Delivery.objects.filter(
        subscriber=OuterRef("subscriber"),
        edition__date__gt=OuterRef("edition__date"),
        edition__state=EditionState.PUBLISHED,
    )
    # What the owner has sent again holds papers that no later digest does.
    return Q(resend_at__isnull=False) | ~Q(
        Exists(later.exclude(state__in=[OutgoingState.SKIPPED, OutgoingState.FAILED]))
    )


# Nothing went to this reader since the papers were chosen, so none of them can be one they have just had.
_NOTHING_SINCE_SQL = """AND NOT EXISTS (
    SELECT 1 FROM digests_delivery AS sent WHERE sent.subscriber_id = mail.subscriber_id
    AND sent.due_at >= given.seen_since AND sent.edition_id <> mail.edition_id
    AND (sent.state IN ({states}) OR sent.may_have_left_at IS NOT NULL
        OR (sent.state IN ('queued', 'claimed') AND sent.resend_at IS NOT NULL))
    AND {unseen})"""
_NOTHING_SINCE = {
    vendor: _NOTHING_SINCE_SQL.format(states=", ".join(f"'{state.value}'" for state in SENT_STATES), unseen=unseen)
    for vendor, unseen in {
        "postgresql": "NOT given.seen_ids @> TO_JSONB(sent.id)",
        "sqlite": "sent.id NOT IN (SELECT value FROM JSON_EACH(given.seen_ids))",
    }.items()
}


def _values(digest: Digest) -> list[object]:
    """For `_WRITTEN` and `_LOOKED_AT`."""
    paper_ids = [line.card.paper_id for line in digest.lines]
    reasons = [line.reason for line in digest.lines]
    return [paper_ids, reasons, digest.edition.revision, _written(digest.seen_since), sorted(digest.seen_ids)]


@lru_cache(maxsize=64)
def _written(instant: dt.datetime) -> str:
    """An instant as the database at hand reads it; all digests of an edition share it."""
    return str(connection.ops.adapt_datetimefield_value(instant))


def _reason_of_reader_or_edition(reader_state: str, edition: Edition, *, now: dt.datetime) -> str:
    if reader_state != SubscriberState.ACTIVE:
        return f"{_READER_IS}{reader_state}."
    if edition.state == EditionState.CANCELLED:
        return "The edition was cancelled."
    if edition.state == EditionState.CLOSED or edition.date < age_limit(now):
        return "The edition is too old to be sent."
    return ""


def _reason_not_to_send(delivery: Delivery, *, now: dt.datetime) -> str:
    """Why this mail is not to be sent at all, or nothing, as the database has it now."""
    if delivery.subscriber is None:
        return "The reader was erased."
    if reason := _reason_of_reader_or_edition(delivery.subscriber.state, delivery.edition, now=now):
        return reason
    if not Delivery.objects.filter(not_suppressed("subscriber__"), pk=delivery.pk).exists():
        return _SUPPRESSED
    if not Delivery.objects.filter(_is_newest(), pk=delivery.pk).exists():
        return "The digest of a later edition covers this one."
    return ""


def _why_later(delivery: Delivery) -> str:
    if delivery.edition.state != EditionState.PUBLISHED:
        return f"The edition is {delivery.edition.state}."
    if Delivery.objects.filter(pk=delivery.pk, lease_until__gt=Now()).exists():
        return "Another digest went out to this reader meanwhile."
    return "It took longer than its lease."

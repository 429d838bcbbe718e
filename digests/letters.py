"""A letter: the owner's own words to all readers, once, through the very books that digests go through.

A draft is started; a tick plans a row for every reader who gets mail, chunk by chunk, and the rows are sent like all
other mail: claimed, begun by a conditional UPDATE, handed over, heard of. Who is suppressed, has left or paused
meanwhile is skipped. What is left to plan stands in the row (`planned_to`), so that any end of any process loses
nothing and nobody is planned twice.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import Q

from digests.books import Books, count_books
from digests.markdown import to_html, to_text
from digests.models import Letter, LetterDelivery, LetterState
from mailer.languages import speaking
from mailer.messages import ListHeaders, OverBudgetError, Rendered, compose, render
from subscriptions import journal
from subscriptions.batch import Made, Unmade
from subscriptions.journal import Claimed, Permission
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.sending import send_claimed
from subscriptions.suppression import not_suppressed
from subscriptions.tokens import Purpose, link

PLAN_CHUNK = 2000
_NOBODY = "nobody"

logger = logging.getLogger(__name__)


def start(letter: Letter, *, now: dt.datetime) -> bool:
    """Let a draft go out. True where this call did it; a letter goes out once."""
    return _move(letter, {LetterState.DRAFT}, LetterState.SENDING, started_at=now)


def pause(letter: Letter) -> bool:
    """Hand over nothing more of it until it is resumed."""
    return _move(letter, {LetterState.SENDING}, LetterState.PAUSED)


def resume(letter: Letter) -> bool:
    """Go on with it."""
    return _move(letter, {LetterState.PAUSED}, LetterState.SENDING)


def cancel(letter: Letter) -> bool:
    """Never send it, or the rest of it."""
    before = {LetterState.DRAFT, LetterState.SENDING, LetterState.PAUSED}
    return _move(letter, before, LetterState.CANCELLED)


def plan_letters() -> int:
    """Give every reader who gets mail a row of each letter that goes out. Returns how many are new. Safe twice.

    Each chunk is one transaction, with the row that says how far it is.
    """
    planned = 0
    for pk in Letter.objects.filter(state=LetterState.SENDING, is_planned=False).values_list("pk", flat=True):
        while (count := _plan_chunk(pk)) is not None:
            planned += count
    return planned


def send_letters(ids: Iterable[int], *, now: dt.datetime) -> int:
    """Send those of these rows that are queued and due. Returns how many were accepted. Safe to run twice."""
    return send_claimed(LetterWork(now=now), ids).count(OutgoingState.ACCEPTED)


def sendable() -> Q:
    """The condition on rows «its letter goes out now»: what a sweeper rings for."""
    return Q(letter__state=LetterState.SENDING)


def letter_books(letter: Letter) -> Books:
    """Every reader of the letter, and what became of them."""
    return count_books(LetterDelivery.objects.filter(letter=letter))


def render_letter(letter: Letter, *, public_id: str, language: str) -> Rendered:
    """The letter as subject, text and HTML, with this reader's own links. Raises OverBudgetError."""
    with speaking(language):
        return render(
            "letter",
            {
                "subject": letter.subject,
                "words_html": to_html(letter.body),
                "words_text": to_text(letter.body),
                "preheader": " ".join(to_text(letter.body).split())[:110],
                "manage_url": link(Purpose.MANAGE, public_id),
                "unsubscribe_url": link(Purpose.UNSUBSCRIBE, public_id),
            },
            language=language,
        )


def is_too_long(letter: Letter) -> bool:
    """Whether it would be cut off in inboxes, and so is not sent."""
    try:
        render_letter(letter, public_id=_NOBODY, language="")
    except OverBudgetError:
        return True
    return False


@dataclass(slots=True, kw_only=True)
class ClaimedLetter(Claimed):
    """A letter to one reader in hand."""

    delivery: LetterDelivery


class LetterWork:
    """How letters become mails; see `subscriptions.batch.Work`."""

    model = LetterDelivery
    keeps_day_cap = True

    def __init__(self, *, now: dt.datetime) -> None:
        self._now = now
        self._allowed = sendable() & Q(subscriber__state=SubscriberState.ACTIVE) & not_suppressed("subscriber__")
        self._permission = Permission(LetterDelivery, self._allowed)

    def claim(self, ids: Sequence[int], *, token: str, again: bool) -> list[ClaimedLetter]:
        taken = [pk for (pk,) in journal.claim_rows(LetterDelivery, ids, token=token, columns=["id"], again=again)]
        rows = LetterDelivery.objects.select_related("subscriber", "letter").filter(pk__in=taken).order_by("pk")
        return [ClaimedLetter(pk=row.pk, attempt=row.attempt, claim_token=token, delivery=row) for row in rows]

    def make(self, rows: Sequence[ClaimedLetter]) -> Iterator[Made[ClaimedLetter] | Unmade[ClaimedLetter]]:
        for row in rows:
            yield self._make_one(row)

    def begin(self, mails: Sequence[Made[ClaimedLetter]], *, again: bool) -> set[int]:
        rows = [mail.row for mail in mails]
        return journal.begin_rows(LetterDelivery, rows, permission=self._permission, again=again)

    def stopped(self, row: ClaimedLetter) -> tuple[OutgoingState | None, str]:
        """Ask the database why. Of a letter that is paused the rows wait."""
        found = LetterDelivery.objects.select_related("letter").filter(pk=row.pk)
        if found.filter(self._allowed).exists():
            return None, "It took longer than its lease."
        state = found.values_list("letter__state", flat=True).first()
        if state == LetterState.PAUSED:
            return None, "The letter was paused."
        if state == LetterState.CANCELLED:
            return OutgoingState.SKIPPED, "The letter was cancelled."
        return OutgoingState.SKIPPED, "The reader gets no mail any more."

    def _make_one(self, row: ClaimedLetter) -> Made[ClaimedLetter] | Unmade[ClaimedLetter]:
        """What goes wrong with one stays on its row and never stops the others."""
        delivery, reader = row.delivery, row.delivery.subscriber
        if reader is None:
            return Unmade(row, OutgoingState.SKIPPED, "The subscriber was erased.")
        try:
            rendered = render_letter(delivery.letter, public_id=reader.public_id, language=reader.language)
            headers = ListHeaders(unsubscribe_url=link(Purpose.UNSUBSCRIBE, reader.public_id))
            message = compose(
                rendered, to=reader.email, public_id=delivery.public_id, now=self._now, list_headers=headers
            )
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            logger.exception("letter %s cannot be made", delivery.public_id)
            return Unmade(row, OutgoingState.FAILED, f"The mail cannot be made: {error.__class__.__name__}.")
        return Made(row, message)


def _plan_chunk(pk: int) -> int | None:
    """The next readers; None where there are none left, or nothing more is to be planned."""
    with transaction.atomic():
        going = Letter.objects.filter(pk=pk, state=LetterState.SENDING, is_planned=False)
        letter = going.select_for_update().first()
        if letter is None:
            return None
        readers = Subscriber.objects.filter(state=SubscriberState.ACTIVE, pk__gt=letter.planned_to).order_by("pk")
        ids = list(readers.values_list("pk", flat=True)[:PLAN_CHUNK])
        rows = [LetterDelivery(letter_id=pk, subscriber_id=subscriber_id) for subscriber_id in ids]
        LetterDelivery.objects.bulk_create(rows, ignore_conflicts=True)
        planned_to = ids[-1] if ids else letter.planned_to
        Letter.objects.filter(pk=pk).update(planned_to=planned_to, is_planned=not ids)
    return len(ids) if ids else None


def _move(letter: Letter, before: set[LetterState], after: LetterState, **values: object) -> bool:
    changed = Letter.objects.filter(pk=letter.pk, state__in=before).update(state=after, **values)
    letter.refresh_from_db()
    return bool(changed)

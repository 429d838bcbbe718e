"""One batch of mails over a few lines to the mail service: what sending digests and sending notices share.

The rule: **at most one message of unknown fate for each open line.** What is to be handed over on lines that are free
is begun, and what came of the messages before it is recorded, in one commit for all of them; only then do the messages
leave. So a kill leaves as many unknown as there are lines, and a commit serves as many mails as there are lines.
"""

import datetime as dt
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from django.core.mail import EmailMessage
from django.db import transaction

from mailer.handoff import Outcome, TryLater
from mailer.lines import Lines
from subscriptions import journal
from subscriptions.holding import held, mark_begun
from subscriptions.journal import Claimed
from subscriptions.outgoing import Outgoing, OutgoingState
from subscriptions.pace import Pace
from subscriptions.patience import patiently
from subscriptions.stopping import is_stopping

LOOK_AGAIN = dt.timedelta(minutes=5)
# So many rows are claimed, read and made together.
HANDFUL = 500
# How long a worker whose time is up waits for the answers to what it has handed over.
LAST_WORDS_SECONDS = 10.0
# With some answers there, how long to wait for more of them to share a commit with, and how many are enough.
GATHER_SECONDS = 0.005
GATHER_SHARE = 0.75
# A batch waits so long for leave to send; what must wait longer is put back.
LONGEST_WAIT = 20.0
SHORT_SLEEP = 0.25

Row = TypeVar("Row", bound=Claimed)


@dataclass(slots=True)
class Made(Generic[Row]):
    """A mail that is ready to leave, with what `begin` needs to know of it."""

    row: Row
    message: EmailMessage
    facts: Any = None


@dataclass(slots=True)
class Unmade(Generic[Row]):
    """A mail that is not to be sent, or cannot be made, and why."""

    row: Row
    state: OutgoingState
    reason: str


class Work(Protocol[Row]):
    """What sending digests and sending notices do not share."""

    @property
    def model(self) -> type[Outgoing]:
        """Whose rows they are."""

    @property
    def keeps_day_cap(self) -> bool:
        """Whether they count among the mails that a new sender may send in a day."""

    def claim(self, ids: Sequence[int], *, token: str, again: bool) -> list[Row]:
        """Take those of these rows that are queued and due. See `journal.claim_rows`."""

    def make(self, rows: Sequence[Row]) -> Iterator[Made[Row] | Unmade[Row]]:
        """Make the mails of these rows, one after the other, in their order. What goes wrong with one is its own."""

    def begin(self, mails: Sequence[Made[Row]], *, again: bool) -> set[int]:
        """Begin these; the ids of those that may be sent. See `journal.begin_rows`."""

    def stopped(self, row: Row) -> tuple[OutgoingState | None, str]:
        """Why begin said no: a state to settle it in, or none where it is to wait, and the reason in words."""


@dataclass
class Batch(Generic[Row]):
    """One batch on its way. `states` has what became of each row, in no order."""

    work: Work[Row]
    lines: Lines
    pace: Pace
    deadline: float
    states: list[OutgoingState | None] = field(default_factory=list)
    # The rows that this batch still answers for: claimed, and neither settled nor on their way.
    _rows: dict[int, Row] = field(default_factory=dict)
    _flying: dict[int, Row] = field(default_factory=dict)
    _answers: list[tuple[Row, Outcome]] = field(default_factory=list)
    _decided: list[Unmade[Row]] = field(default_factory=list)
    _ready: deque[Made[Row]] = field(default_factory=deque)
    # The rows not made yet, and the one that is being made.
    _waiting: deque[Row] = field(default_factory=deque)
    _making: Row | None = None
    # Ready, and told to wait because of their domain.
    _held: list[Made[Row]] = field(default_factory=list)

    def send(self, rows: Sequence[Row]) -> None:
        """Send the mails of these claimed rows. Raises nothing that is about one of them alone."""
        self._rows = {row.pk: row for row in rows}
        self._waiting = deque(rows)
        mails = self._mails(rows)
        is_more = True
        while True:
            wanted = self._wanted()
            while is_more and len(self._ready) < wanted and len(self._held) < HANDFUL:
                made = next(mails, None)
                is_more = made is not None
                if isinstance(made, Unmade):
                    self._decided.append(made)
                elif made is not None:
                    self._ready.append(made)
            if not (self._ready or self._held or self._flying or self._answers or self._decided):
                return
            if self._is_over() and not self._flying:
                self._give_back_rest()
                return
            self._take_step()

    def finish(self, *, why: str = "The worker's time was up.", is_making_at_fault: bool = True) -> None:
        """The end, before everything was sent: hear what was handed over, and give back what was not."""
        until = time.monotonic() + LAST_WORDS_SECONDS
        while self.lines.in_flight and time.monotonic() < until:
            self._hear(until - time.monotonic())
        self._journal([])
        self.states += [None] * len(self._flying)
        if self._making is not None and is_making_at_fault:
            # It keeps its claim: when its lease ends, the sweep counts this against it, so that a mail that takes for
            # ever to make cannot keep workers busy for ever.
            self._rows.pop(self._making.pk, None)
            self.states.append(None)
        rest = [row for row in self._rest() if row.pk not in self._flying]
        self._flying.clear()
        self._give_back(rest, why)
        self._take_back(rest, why)

    def _wanted(self) -> int:
        """How many mails to have ready: enough to fill every line, and as much again while they are busy."""
        return max(1, self.lines.in_flight + self.lines.free)

    def _mails(self, rows: Sequence[Row]) -> Iterator[Made[Row] | Unmade[Row]]:
        made = self.work.make(rows)
        while self._waiting:
            self._making = self._waiting.popleft()
            mail = next(made)
            self._making = None
            yield mail

    def _pick(self, count: int) -> list[Made[Row]]:
        """The next mails that may leave now, at most so many. Those whose domain must wait let others pass."""
        free = [mail for mail in self._held if not self.pace.wait_seconds([_address(mail)])]
        if free:
            self._ready.extendleft(reversed(free))
            freed = {mail.row.pk for mail in free}
            self._held = [mail for mail in self._held if mail.row.pk not in freed]
        picked: list[Made[Row]] = []
        while len(picked) < count and self._ready:
            tried = [self._ready.popleft() for _ in range(min(count - len(picked), len(self._ready)))]
            answers = self.pace.allow([_address(mail) for mail in tried])
            picked += [mail for mail, may_leave in zip(tried, answers, strict=True) if may_leave]
            told_to_wait = [mail for mail, may_leave in zip(tried, answers, strict=True) if not may_leave]
            if self.pace.is_shut:
                self._ready.extendleft(reversed(told_to_wait))
                break
            self._held += told_to_wait
        return picked

    def _is_over(self) -> bool:
        return time.monotonic() > self.deadline or is_stopping() or (not self.lines.free and not self.lines.in_flight)

    def _take_step(self) -> None:
        free = 0 if self._is_over() else self.lines.free
        mails = self._pick(free)
        begun = self._journal(mails) if mails or self._answers or self._decided else set()
        for mail in mails:
            if mail.row.pk in begun:
                self._flying[mail.row.pk] = self._rows.pop(mail.row.pk)
                self.lines.submit(mail.row.pk, mail.message)
        # Only now: what is asked about these must keep none of the others, which are begun, from leaving.
        if stopped := [mail for mail in mails if mail.row.pk not in begun]:
            self.pace.give_back([_address(mail) for mail in stopped])
            for mail in stopped:
                self._settle_stopped(mail.row)
        if self._flying:
            # With mails that wait for leave rather than for a line, not for long.
            self._hear(SHORT_SLEEP if self._ready and self.lines.free else 1.0)
        elif free and not mails and (self._ready or self._held):
            self._wait_for_pace()

    def _wait_for_pace(self) -> None:
        """Nothing may leave and nothing is on its way: wait a moment, or give all back where it takes longer."""
        seconds = self.pace.wait_seconds([_address(mail) for mail in (*self._ready, *self._held)])
        if seconds <= LONGEST_WAIT:
            time.sleep(min(max(seconds, 0.001), SHORT_SLEEP))
        else:
            reason = "Mail may not leave any faster for now."
            self._give_back(self._rest(), reason, after=dt.timedelta(seconds=seconds))

    def _rest(self) -> list[Row]:
        """The rows whose mails did not leave; they are this batch's no more.

        Not what stands in the queues: a worker whose time is up is told so between any two steps.
        """
        rows = list(self._rows.values())
        self._rows.clear()
        self._ready.clear()
        self._held.clear()
        self._waiting.clear()
        return rows

    def _hear(self, seconds: float) -> None:
        """Wait for answers; where there are some, a moment longer for more, so that a commit serves many."""
        heard = self.lines.poll(max(0.0, seconds))
        enough = GATHER_SHARE * len(self._flying)
        until = time.monotonic() + GATHER_SECONDS
        while heard and len(heard) < enough and (left := until - time.monotonic()) > 0:
            heard += self.lines.poll(left)
        self._answers += [(self._flying.pop(pk), outcome) for pk, outcome in heard]
        for _, outcome in heard:
            if isinstance(outcome, TryLater) and outcome.wait_seconds:
                self.pace.shut(outcome.wait_seconds)

    def _journal(self, mails: list[Made[Row]]) -> set[int]:
        """Record what is known and begin these, in one commit; the ids of those begun. These must leave at once."""
        answers, decided = self._answers, self._decided
        begun, states = patiently(lambda again: self._write(mails, answers, decided, again=again))
        if begun:
            mark_begun(self.work.model, max(begun))
        self._answers, self._decided = [], []
        for one in decided:
            self._rows.pop(one.row.pk, None)
        self.states += states
        return begun

    def _write(
        self,
        mails: list[Made[Row]],
        answers: list[tuple[Row, Outcome]],
        decided: list[Unmade[Row]],
        *,
        again: bool,
    ) -> tuple[set[int], list[OutgoingState | None]]:
        with transaction.atomic():
            recorded = journal.record_rows(self.work.model, answers)
            settled = journal.settle_rows(self.work.model, [(one.row, one.state, one.reason) for one in decided])
            begun = self.work.begin(mails, again=again) if mails else set()
        states = [recorded.get(row.pk) for row, _ in answers] + [settled.get(one.row.pk) for one in decided]
        return begun, states

    def _settle_stopped(self, row: Row) -> None:
        state, reason = self.work.stopped(row)
        if state is None:
            self._give_back([row], "Sending is held." if held() else reason, after=LOOK_AGAIN)
        else:
            self.states.append(journal.settle_rows(self.work.model, [(row, state, reason)]).get(row.pk))
        self._rows.pop(row.pk, None)

    def _give_back_rest(self) -> None:
        """The lines are gone, or the batch took too long: what is left waits for the next bell."""
        self._journal([])
        if is_stopping():
            self._give_back(self._rest(), "The worker was told to end.")
        elif self.lines.free:
            self._give_back(self._rest(), "The batch took too long.")
        else:
            self._give_back(self._rest(), "The connections to the mail service broke.", after=LOOK_AGAIN)

    def _give_back(self, rows: list[Row], reason: str, *, after: dt.timedelta = dt.timedelta(0)) -> None:
        put_back = patiently(lambda again: journal.put_back_rows(self.work.model, rows, reason, after=after))
        self.states += [OutgoingState.QUEUED if row.pk in put_back else None for row in rows]

    def _take_back(self, rows: list[Row], reason: str) -> None:
        """What was begun, and nobody came to submit, did not leave: whoever knows that must say so."""
        unsent = [(row, TryLater(reason)) for row in rows]
        patiently(lambda again: journal.record_rows(self.work.model, unsent))


def _address(mail: Made[Row]) -> str:
    return str(mail.message.to[0])

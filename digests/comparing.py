"""Comparisons of two rankings by readers' own words: who takes part, what is remembered, and how it stands."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from digests.interleaving import A, B, chance_of
from digests.models import ComparedDigest, Comparison
from subscriptions.models import Leaning, ReaderSignal
from subscriptions.outgoing import SENT_STATES

# So long after a digest a word on one of its papers counts as said of it.
COUNTS_FOR = dt.timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a comparison stands: digests sent, words for and against each ranking's papers, digests each won, and how
    likely so uneven a result is by chance."""

    digests: int
    more: dict[str, int]
    less: dict[str, int]
    wins: dict[str, int]

    @property
    def chance(self) -> float:
        return chance_of(self.wins[A], self.wins[B])

    @property
    def verdict(self) -> str:
        if self.chance < 0.05:
            better = A if self.wins[A] > self.wins[B] else B
            return f"{better} is better: by chance it would come out so in {100 * self.chance:.1f} % of cases."
        return "Not decided: it could well be chance."


def running() -> Comparison | None:
    """The comparison that digests take part in now."""
    return Comparison.objects.filter(ended_at__isnull=True).first()


def remember(compared: Iterable[tuple[int, Comparison, dict[int, str]]]) -> None:
    """Write down of these deliveries which ranking added which paper, before they leave. Safe twice: the last one
    counts."""
    rows = [
        ComparedDigest(
            delivery_id=delivery_id,
            comparison=comparison,
            teams={str(pk): team for pk, team in teams.items()},
        )
        for delivery_id, comparison, teams in compared
    ]
    ComparedDigest.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["delivery"], update_fields=["comparison", "teams"]
    )


def end(comparison: Comparison, *, now: dt.datetime) -> None:
    """From now on all digests are as they were. What was counted stays. Safe twice."""
    Comparison.objects.filter(pk=comparison.pk, ended_at__isnull=True).update(ended_at=now)


@transaction.atomic
def standing(comparison: Comparison) -> Standing:
    """How it stands, from the words that readers said on papers of these digests."""
    sent = ComparedDigest.objects.filter(comparison=comparison, delivery__state__in=SENT_STATES)
    said = ReaderSignal.objects.filter(at__gte=comparison.started_at)
    readers = said.values("subscriber_id")
    words: dict[tuple[int, int], tuple[str, dt.datetime]] = {
        (reader, paper): (leaning, at)
        for reader, paper, leaning, at in said.values_list("subscriber_id", "paper_id", "leaning", "at")
    }
    more, less, wins = Counter({A: 0, B: 0}), Counter({A: 0, B: 0}), Counter({A: 0, B: 0})
    rows = sent.filter(delivery__subscriber__in=readers)
    for reader, due_at, teams in rows.values_list("delivery__subscriber_id", "delivery__due_at", "teams"):
        balance = Counter[str]()
        for paper, team in teams.items():
            leaning, at = words.get((reader or 0, int(paper)), ("", due_at))
            if leaning and due_at <= at <= due_at + COUNTS_FOR:
                (more if leaning == Leaning.MORE else less)[team] += 1
                balance[team] += 1 if leaning == Leaning.MORE else -1
        if balance[A] != balance[B]:
            wins[A if balance[A] > balance[B] else B] += 1
    return Standing(sent.count(), dict(more), dict(less), dict(wins))

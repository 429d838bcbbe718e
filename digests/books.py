"""The books of an edition: every reader who was due, and what became of them. They must balance."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from digests.models import Delivery, Edition, EditionArchive
from subscriptions.outgoing import OutgoingState


@dataclass(frozen=True, slots=True)
class Books:
    """How many deliveries are in each state; `audience` is counted on its own, so that the sum can be wrong."""

    audience: int
    counts: dict[OutgoingState, int]

    @property
    def balances(self) -> bool:
        return self.audience == sum(self.counts.values())

    def __getitem__(self, state: str) -> int:
        return self.counts[OutgoingState(state)]


def read_books(edition: Edition) -> Books:
    """The books of an edition, as of now: of the deliveries that are kept, and of those that were archived."""
    rows = Delivery.objects.filter(edition=edition)
    found = dict(rows.values_list("state").annotate(Count("id")).order_by())
    archived = dict(EditionArchive.objects.filter(edition=edition).values_list("state", "count"))
    # Counted at two instants: what is planned between them shows as a sum that is off for a moment.
    return Books(
        audience=rows.count() + _archived_audience(edition),
        counts={state: found.get(state.value, 0) + archived.get(state.value, 0) for state in OutgoingState},
    )


def count_books(rows: QuerySet[Any]) -> Books:
    """The books of these mails, as of now, whatever kind they are."""
    found = dict(rows.values_list("state").annotate(Count("id")).order_by())
    return Books(audience=rows.count(), counts={state: found.get(state.value, 0) for state in OutgoingState})


def _archived_audience(edition: Edition) -> int:
    return EditionArchive.objects.filter(edition=edition).aggregate(total=Sum("count"))["total"] or 0

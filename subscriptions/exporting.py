"""The readers as rows, for the owner: read as they are asked for, so that any number takes the same memory."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice

from django.db.models import QuerySet

from subscriptions.models import Subscriber, Subscription

COLUMNS = (
    "email",
    "state",
    "cadence",
    "weekday",
    "hour",
    "zone",
    "max_papers",
    "wants_replacements",
    "created_at",
    "confirmed_at",
)
_LOT = 2000


def export_rows(subscribers: QuerySet[Subscriber]) -> Iterator[tuple[object, ...]]:
    """A row of names, then one for each subscriber, by age; topics stand in one cell, parted by spaces."""
    yield (*COLUMNS, "topics")
    ordered = subscribers.order_by("pk").values_list("pk", *COLUMNS)
    stream = ordered.iterator(chunk_size=_LOT)
    while lot := list(islice(stream, _LOT)):
        topics = defaultdict(list)
        chosen = Subscription.objects.filter(subscriber_id__in=[row[0] for row in lot]).order_by("topic__slug")
        for subscriber_id, slug in chosen.values_list("subscriber_id", "topic__slug"):
            topics[subscriber_id].append(slug)
        for pk, *values in lot:
            cells = [value.isoformat() if hasattr(value, "isoformat") else value for value in values]
            yield (*cells, " ".join(topics[pk]))

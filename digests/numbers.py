"""The numbers that an owner looks at once a week, as charts: readers, what became of mail, topics, papers, votes.

Only what was really counted: mail that a provider said arrived, readers who said yes. Nobody's opening or clicking is
tracked, so there is none of it here.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate

from digests.books import read_books
from digests.charts import Chart, Series
from digests.desk import readers_by_topic
from digests.models import SHOWN_STATES, Edition
from papers.models import Paper, Source, SourceDay, Topic
from subscriptions.models import ConsentEvent, ConsentKind, Leaning, ReaderSignal, Suppression
from subscriptions.outgoing import OutgoingState
from subscriptions.suppression import BOUNCES

DAYS = 30
PAPER_DAYS = 14
EDITIONS = 14
TOPICS = 20
SOURCES = 5


def read_charts(*, now: dt.datetime) -> list[tuple[str, Chart]]:
    """Every chart, and which way its bars go. Writes nothing."""
    return [
        ("columns", _readers(now)),
        ("columns", _mail()),
        ("bars", _topics()),
        ("columns", _papers(now)),
        ("columns", _votes(now)),
        ("columns", _opinions(now)),
    ]


def _readers(now: dt.datetime) -> Chart:
    days = _days(now, DAYS)
    events = ConsentEvent.objects.filter(at__date__gte=days[0])
    joined = events.filter(kind__in=[ConsentKind.CONFIRMED, ConsentKind.IMPORTED])
    left = events.filter(kind__in=[ConsentKind.UNSUBSCRIBED, ConsentKind.ERASED])
    bounced = Suppression.objects.filter(reason__in=BOUNCES, at__date__gte=days[0])
    return Chart(
        title="Readers: joined, left, bounced",
        labels=_labels(days),
        series=[
            Series(name, _by_day(rows, "at", days))
            for name, rows in (("joined", joined), ("left", left), ("bounced", bounced))
        ],
        note="Who confirmed or was imported, who left or was erased, and addresses that bounced for good.",
    )


def _mail() -> Chart:
    editions = list(reversed(Edition.objects.filter(state__in=SHOWN_STATES).order_by("-date")[:EDITIONS]))
    books = [read_books(edition) for edition in editions]
    kinds = {
        "delivered": [OutgoingState.DELIVERED],
        "accepted": [OutgoingState.ACCEPTED, OutgoingState.DEFERRED],
        "bounced": [OutgoingState.BOUNCED],
        "called spam": [OutgoingState.COMPLAINED],
        "failed or unknown": [OutgoingState.FAILED, OutgoingState.UNKNOWN],
    }
    return Chart(
        title="What became of each edition’s mail",
        labels=[f"{edition.date:%d %b}" for edition in editions],
        series=[
            Series(name, [sum(book[state] for state in states) for book in books]) for name, states in kinds.items()
        ],
        note="Accepted is not delivered: the mail service took it, and has said nothing since.",
    )


def _topics() -> Chart:
    names = dict(Topic.objects.values_list("slug", "name"))
    most = Counter(readers_by_topic()).most_common(TOPICS)
    return Chart(
        title="Topics by readers",
        labels=[names.get(slug, slug) for slug, _ in most],
        series=[Series("readers", [count for _, count in most])],
    )


def _papers(now: dt.datetime) -> Chart:
    days = _days(now, PAPER_DAYS)
    rows = SourceDay.objects.filter(date__gte=days[0]).values_list("source", "date").annotate(total=Sum("unseen"))
    counts: dict[int, dict[dt.date, int]] = {}
    for source_id, date, total in rows.order_by():
        counts.setdefault(source_id, {})[date] = total
    names = dict(Source.objects.values_list("pk", "name"))
    most = sorted(counts, key=lambda pk: -sum(counts[pk].values()))[:SOURCES]
    return Chart(
        title="New papers a day, by source",
        labels=_labels(days),
        series=[Series(names[pk], [counts[pk].get(day, 0) for day in days]) for pk in most]
        or [Series("papers", [0] * len(days))],
        note="The five sources that brought most.",
    )


def _votes(now: dt.datetime) -> Chart:
    days = _days(now, PAPER_DAYS)
    rows = Paper.objects.filter(announced_date__gte=days[0], upvotes__isnull=False, merged_into__isnull=True)
    found: Mapping[dt.date, int] = dict(rows.values_list("announced_date").annotate(total=Sum("upvotes")).order_by())
    return Chart(
        title="Votes, by the day the paper was announced",
        labels=_labels(days),
        series=[Series("votes", [found.get(day, 0) for day in days])],
        note="As the sources count them: their robots, too.",
    )


def _opinions(now: dt.datetime) -> Chart:
    days = _days(now, DAYS)
    rows = ReaderSignal.objects.filter(at__date__gte=days[0])
    return Chart(
        title="What readers said of papers",
        labels=_labels(days),
        series=[
            Series("more like this", _by_day(rows.filter(leaning=Leaning.MORE), "at", days)),
            Series("less like this", _by_day(rows.filter(leaning=Leaning.LESS), "at", days)),
        ],
        note="Presses on the button of a page: a link that a program opened counts for nothing.",
    )


def _days(now: dt.datetime, count: int) -> list[dt.date]:
    return [now.date() - dt.timedelta(days=back) for back in reversed(range(count))]


def _labels(days: Iterable[dt.date]) -> list[str]:
    return [f"{day:%d %b}" for day in days]


def _by_day(rows: QuerySet, field: str, days: Sequence[dt.date]) -> list[int]:  # type: ignore[type-arg]
    found = dict(rows.annotate(day=TruncDate(field)).values_list("day").annotate(count=Count("pk")).order_by())
    return [found.get(day, 0) for day in days]

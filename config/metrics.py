"""What is measured, for Prometheus (https://prometheus.io/docs/concepts/data_model/): how requests go, which each web
process counts, and how the send, the queue and the sources are, which is asked of the database when somebody looks.

Labels hold names of ours alone: routes, states, slugs of sources.
"""

import datetime as dt
import math
import os
from collections.abc import Iterable, Iterator

import redis
from django.conf import settings
from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from prometheus_client import CollectorRegistry, Histogram, generate_latest, multiprocess
from prometheus_client.core import GaugeHistogramMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from digests.models import Delivery, Edition
from digests.watching import queue_lengths
from papers.models import Source
from subscriptions.heartbeat import last_beat, last_tick
from subscriptions.models import Notice, Subscriber
from subscriptions.outgoing import OutgoingState

PREFIX = "papers"
# Set by gunicorn's configuration: several processes count into files of one folder.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_HANDED_OVER_WITHIN = 900
_HANDOFF_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MEASURED = 2000
_own = CollectorRegistry()
_requests = Histogram(
    f"{PREFIX}_web_request_seconds",
    "How long requests took, by route and class of the answer.",
    ["route", "status"],
    registry=_own,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


def count_request(*, route: str, status: int, seconds: float) -> None:
    """A request was answered."""
    _requests.labels(route, f"{status // 100}xx").observe(seconds)


def write_metrics() -> bytes:
    """Everything, in the text format of Prometheus."""
    web = _own
    if os.environ.get(SHARED_FOLDER):
        web = CollectorRegistry()
        multiprocess.MultiProcessCollector(web)  # type: ignore[no-untyped-call]
    states = CollectorRegistry()
    states.register(_States())
    return bytes(generate_latest(web) + generate_latest(states))


class _States(Collector):
    """What the database and the queue say, asked once a look: the same number of queries however many readers there
    are. The deliveries are those of the newest edition that was published."""

    def collect(self) -> Iterable[Metric]:
        yield from _deliveries()
        yield from _signs_of_life()
        yield from _sources()
        readers = _gauge("readers", "Readers by state.", ["state"])
        for state, count in Subscriber.objects.values_list("state").annotate(Count("id")).order_by():
            readers.add_metric([state], count)
        yield readers
        waiting = Notice.objects.filter(state=OutgoingState.QUEUED).count()
        yield _gauge("notices_waiting", "Confirmations and the like that wait to be sent.", value=waiting)
        yield from _queue()
        built = _gauge("build_info", "1, with the version of the program.", ["version"])
        built.add_metric([settings.VERSION], 1)
        yield built


def _deliveries() -> Iterator[Metric]:
    edition = Edition.objects.filter(published_at__isnull=False).order_by("-date").first()
    rows = Delivery.objects.filter(edition=edition)
    counts = dict(rows.values_list("state").annotate(Count("id")).order_by())
    deliveries = _gauge("deliveries", "Deliveries of the newest edition, by state.", ["state"])
    for state in OutgoingState:
        deliveries.add_metric([state.value], counts.get(state.value, 0))
    yield deliveries
    yield from _hand_offs(rows)


def _hand_offs(rows: QuerySet[Delivery]) -> Iterator[Metric]:
    """How long those of the last minutes took. Not a sum since the start: rows know the instants, whoever sent them."""
    since = timezone.now() - dt.timedelta(seconds=_HANDED_OVER_WITHIN)
    recent = rows.filter(begun_at__gte=since, settled_at__isnull=False)
    yield _gauge("handed_over", "Hand-offs of the newest edition within 15 minutes.", value=recent.count())
    # A part of them says as much, in a time that does not grow with the readers.
    instants = recent.order_by("-id").values_list("begun_at", "settled_at")[:_MEASURED]
    took = [(settled - begun).total_seconds() for begun, settled in instants if begun and settled]
    for name, value in (("mean", sum(took) / max(1, len(took))), ("most", max(took, default=0.0))):
        yield _gauge(f"handoff_seconds_{name}", f"How long these hand-offs took: the {name}.", value=value)
    bounds = [(str(float(bound)), bound) for bound in _HANDOFF_BUCKETS] + [("+Inf", math.inf)]
    yield GaugeHistogramMetricFamily(
        f"{PREFIX}_handoff_seconds",
        f"How many of these hand-offs, of {_MEASURED} at most, took so long or less. No counter: take no rate of it.",
        buckets=[(name, sum(seconds <= bound for seconds in took)) for name, bound in bounds],
        gsum_value=sum(took),
    )


def _signs_of_life() -> Iterator[Metric]:
    for name, age in (("beat", last_tick()), ("worker", last_beat(anywhere=True))):
        if age is not None:
            yield _gauge(f"{name}_age_seconds", f"How long ago a {name} last did its work.", value=age.total_seconds())


def _sources() -> Iterator[Metric]:
    ages = _gauge("source_age_seconds", "How long ago a source last brought new papers.", ["source"])
    states = _gauge("source_state", "1 for the state that a source is in.", ["source", "state"])
    rows = Source.objects.annotate(now=Now()).values_list("slug", "state", "last_new_at", "now")
    for slug, state, new_at, now in rows:
        states.add_metric([slug, state], 1)
        if new_at:
            ages.add_metric([slug], (now - new_at).total_seconds())
    yield ages
    yield states


def _queue() -> Iterator[Metric]:
    try:
        lengths = queue_lengths()
    except redis.RedisError:
        yield _gauge("queue_up", "Whether the queue could be asked.", value=0)
        return
    yield _gauge("queue_up", "Whether the queue could be asked.", value=1)
    found = _gauge("queue_length", "Bells that nobody has heard yet.", ["queue"])
    for name, length in lengths.items():
        found.add_metric([name], length)
    yield found


def _gauge(name: str, about: str, labels: list[str] | None = None, value: float | None = None) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", about, labels=labels, value=value)

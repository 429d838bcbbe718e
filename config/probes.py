"""What an orchestrator and a monitor ask: is it alive, is it ready, how is it."""

import datetime as dt
import hmac
import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

import redis
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.metrics import write_metrics
from config.moving import is_unfinished_move
from digests.models import Delivery, EditionState
from digests.watching import queue_lengths
from subscriptions.heartbeat import last_beat, last_tick
from subscriptions.holding import held
from subscriptions.outgoing import OutgoingState

logger = logging.getLogger(__name__)

# Beat ticks every ten seconds, and a worker shows life every fifteen.
LONGEST_SILENCE = dt.timedelta(minutes=2)
# Mail that could have left for so long, while none did, is stuck.
LONGEST_WAIT = dt.timedelta(minutes=15)
# How long the database and the queue have to answer, each. Probes of orchestrators wait for a few seconds.
PATIENCE_SECONDS = 1.5
# Whether all migrations are applied changes once in the life of a process.
_migrated = False


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers. Asks nothing of anybody, so that no database can have it restarted."""
    return HttpResponse("ok", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """What this site needs, part by part, each `ok` or what is wrong with it.

    503 where it cannot serve pages: no database, one that is not migrated, or one that a move has not filled yet. Where
    the queue, beat or the send is ill, pages and sign-ups go on, and taking the site away would help nobody: that is
    200, and 503 with `?all=1`, which is for monitors.
    """
    parts = {"database": _said(_database, in_time=True)}
    parts["migrations"] = _said(_migrations) if parts["database"] == "ok" else "not known without the database"
    serves = all(said == "ok" for said in parts.values())
    for name, look in (("queue", _queue), ("beat", _beat), ("worker", _worker), ("sending", _sending)):
        is_asked = serves or name == "queue"
        parts[name] = _said(look, in_time=name == "queue") if is_asked else "not known without the database"
    is_well = all(said == "ok" for said in parts.values()) if "all" in request.GET else serves
    return JsonResponse({"ready": is_well, "parts": parts}, status=200 if is_well else 503)


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever shows `METRICS_TOKEN` as a bearer token; there is no such page for anybody else."""
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode()):
        raise Http404("There is no such page.")
    return HttpResponse(write_metrics(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _said(look: Callable[[], str], *, in_time: bool = False) -> str:
    """What a look found; the kind of an error and never its words, which may hold addresses of machines."""
    try:
        return _within_patience(look) if in_time else look()
    except (DatabaseError, InterfaceError, redis.RedisError, OSError) as error:
        logger.warning("not ready: %s (%s)", look.__name__.strip("_"), type(error).__name__)
        return f"cannot be reached ({type(error).__name__})"


def _within_patience(look: Callable[[], str]) -> str:
    """What it found. Raises TimeoutError where that takes too long: what hangs answers neither yes nor no.

    The look goes on by itself, over a connection of its own, until the limits of that connection end it.
    """
    found: Future[str] = Future()

    def ask() -> None:
        try:
            found.set_result(look())
        except Exception as error:  # noqa: BLE001 - it is raised again, to whoever asked
            found.set_exception(error)
        finally:
            connection.close()

    Thread(target=ask, daemon=True).start()
    return found.result(timeout=PATIENCE_SECONDS)


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _migrations() -> str:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return f"{len(missing)} are not applied: manage.py migrate"
        _migrated = True
    hold = held()
    return hold.reason if hold and is_unfinished_move(hold) else "ok"


def _queue() -> str:
    queue_lengths()
    return "ok"


def _beat() -> str:
    return _recent(last_tick(), never="none has ever ticked")


def _worker() -> str:
    return _recent(last_beat(anywhere=True), never="none has ever done a task")


def _recent(age: dt.timedelta | None, *, never: str) -> str:
    if age is None:
        return never
    return "ok" if age <= LONGEST_SILENCE else f"silent for {age.total_seconds():.0f} seconds"


def _sending() -> str:
    """Late where mail has waited that could leave, and none was settled meanwhile."""
    hold = held()
    if hold is not None:
        return f"held: {hold.reason}"
    since = timezone.now() - LONGEST_WAIT
    waiting = Delivery.objects.filter(
        state=OutgoingState.QUEUED, due_at__lt=since, edition__state=EditionState.PUBLISHED
    ).exclude(not_before__gt=since)
    oldest = waiting.order_by("id").values_list("edition_id", flat=True).first()
    if oldest is None:
        return "ok"
    moves = Delivery.objects.filter(edition_id=oldest, settled_at__gte=since).exists()
    return "ok" if moves else f"mail waits for longer than {LONGEST_WAIT.total_seconds() / 60:.0f} minutes"

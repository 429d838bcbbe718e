"""A list that the owner uploads: looked at first, imported when they say so, by a worker, and then forgotten."""

import datetime as dt
import hashlib
import io
import logging
from collections import Counter
from collections.abc import Iterator

from limits.buckets import hold, release
from subscriptions.import_formats import BadRow, Format, Row, read_list
from subscriptions.importing import Fate, Problem, Wishes, import_rows
from subscriptions.models import ImportState, SubscriberImport

logger = logging.getLogger(__name__)

# Longer lists go through the command, which reads them piece by piece.
LARGEST = 20 * 1024 * 1024
SHOWN_PROBLEMS = 200
# Addresses of people who did not sign up here are not kept for longer than somebody thinks it over.
KEPT = dt.timedelta(days=1)
_TURN_SECONDS = 600


def preview_list(
    *, name: str, content: bytes, by: str, consent: str, wishes: Wishes, now: dt.datetime
) -> SubscriberImport:
    """Say what would come of this list, and keep it until the owner decides. Raises UnreadableListError."""
    known, rows = _read(content)
    record = SubscriberImport(
        started_at=now,
        by=by[:150],
        file_name=name[:200],
        sha256=hashlib.sha256(content).hexdigest(),
        source=known.name,
        consent=consent,
        wishes=wishes.as_json(),
        content=content,
    )
    _import(record, rows, now=now, dry_run=True)
    record.save()
    return record


def queue_import(record: SubscriberImport) -> bool:
    """The owner's yes. False where it was said before, or the list is forgotten by now."""
    waiting = SubscriberImport.objects.filter(pk=record.pk, state=ImportState.PREVIEWED, content__isnull=False)
    return waiting.update(state=ImportState.WAITING) == 1


def run_imports(*, now: dt.datetime) -> int:
    """Import what waits. Returns how many lists. Safe to run twice, and again after a worker was killed over one."""
    done = 0
    for record in SubscriberImport.objects.filter(state=ImportState.WAITING).order_by("pk"):
        turn = f"import:{record.pk}"
        if token := hold(turn, seconds=_TURN_SECONDS):
            try:
                done += _run(record, now=now)
            finally:
                release(turn, token=token)
    return done


def imports_wait() -> bool:
    """Whether there is anything for `run_imports` to do."""
    return SubscriberImport.objects.filter(state=ImportState.WAITING).exists()


def forget_previews(*, now: dt.datetime) -> int:
    """Drop the lists that nobody said yes to. Safe twice."""
    old = SubscriberImport.objects.filter(state=ImportState.PREVIEWED, started_at__lt=now - KEPT)
    return old.exclude(content=None).update(content=None)


def _run(record: SubscriberImport, *, now: dt.datetime) -> int:
    _, rows = _read(bytes(record.content or b""))
    _import(record, rows, now=now, dry_run=False)
    return SubscriberImport.objects.filter(pk=record.pk, state=ImportState.WAITING).update(
        state=ImportState.DONE, finished_at=now, counts=record.counts, problems=record.problems, content=None
    )


def _import(record: SubscriberImport, rows: Iterator[Row | BadRow], *, now: dt.datetime, dry_run: bool) -> None:
    problems: list[Problem] = []
    kept: Counter[Fate] = Counter()

    def keep(problem: Problem) -> None:
        # Some of each kind, so that a hundred who left do not hide the one that cannot be read.
        kept[problem.fate] += 1
        if kept[problem.fate] <= SHOWN_PROBLEMS // len(Fate):
            problems.append(problem)

    counts = import_rows(
        rows, record=record, wishes=Wishes.of(record.wishes), now=now, dry_run=dry_run, on_problem=keep
    )
    record.counts = {fate.value: counts[fate] for fate in Fate}
    record.problems = [[problem.line, problem.email, problem.fate, problem.reason] for problem in problems]


def _read(content: bytes) -> tuple[Format, Iterator[Row | BadRow]]:
    return read_list(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline=""))

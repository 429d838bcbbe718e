"""Writes docs/scale.md: what 1, 10 and 100 million readers need, computed from the measured unit costs."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks.bench import PROCESSES

NEEDED = {
    "pipeline_postgres_per_s",
    "commits_per_digest",
    "wal_per_digest_kb",
    "delivery_row_bytes",
    "rung_a_minute",
    "planning_per_s",
    "pruned_per_s",
    "worker_peak_mb",
    "message_kb",
}
READERS = (1_000_000, 10_000_000, 100_000_000)
# Readers choose their hour and live in many zones; this part of a day's digests is due in the busiest hour.
BUSIEST_HOUR = 0.25
KEPT_DAYS = 90
# Inserted, the reader moved to their next hour, claimed, begun, recorded; then a webhook stored, applied, and marked.
ROW_WRITES = 8
# A task is told to end after so long (CELERY_TASK_SOFT_TIME_LIMIT).
PLANNING_SECONDS = 270
ROOM = 0.5  # of a server's measured rate that one plans with

PAGE = Path(__file__).with_name("scale_page.md")


def write(path: Path, figures: Mapping[str, float]) -> None:
    """The whole page."""
    per_process = figures["pipeline_postgres_per_s"] / PROCESSES
    text = PAGE.read_text(encoding="utf-8").format(
        busiest=BUSIEST_HOUR,
        room=ROOM,
        per_process=per_process,
        memory=figures["worker_peak_mb"],
        commits=figures["commits_per_digest"],
        row_writes=ROW_WRITES,
        wal=figures["wal_per_digest_kb"],
        row=figures["delivery_row_bytes"],
        message=figures["message_kb"],
        planning=figures["planning_per_s"],
        pruning=figures["pruned_per_s"],
        table=_table(figures),
        **_what_breaks(figures),
    )
    path.write_text(text, encoding="utf-8")


def _table(figures: Mapping[str, float]) -> str:
    """One row a need, one column a size."""
    lines = [f"| | {' | '.join(f'{readers // 10**6} million' for readers in READERS)} |", "|---|---:|---:|---:|"]
    for name, need in _needs(figures).items():
        lines.append(f"| {name} | {' | '.join(need(readers) for readers in READERS)} |")
    return "\n".join(lines)


def _needs(figures: Mapping[str, float]) -> dict[str, Callable[[int], str]]:
    per_process = figures["pipeline_postgres_per_s"] / PROCESSES * ROOM
    return {
        "digests a second in the busiest hour": lambda readers: f"{_peak(readers):,.0f}",
        "sending processes": lambda readers: f"{math.ceil(_peak(readers) / per_process):,}",
        "machines of two cores": lambda readers: f"{math.ceil(_peak(readers) / per_process / PROCESSES):,}",
        "memory of all processes, GB": lambda readers: (
            f"{math.ceil(_peak(readers) / per_process) * figures['worker_peak_mb'] / 1024:,.1f}"
        ),
        "commits a second": lambda readers: f"{_peak(readers) * figures['commits_per_digest']:,.0f}",
        "row writes a second": lambda readers: f"{_peak(readers) * ROW_WRITES:,.0f}",
        "PostgreSQL's log, MB/s": lambda readers: f"{_peak(readers) * figures['wal_per_digest_kb'] / 1024:,.1f}",
        "planning, s in the busiest hour": lambda readers: f"{readers * BUSIEST_HOUR / figures['planning_per_s']:,.0f}",
        "pruning, hours a day": lambda readers: f"{readers / figures['pruned_per_s'] / 3600:,.1f}",
        f"delivery rows kept ({KEPT_DAYS} days), million": lambda readers: f"{readers * KEPT_DAYS / 10**6:,.0f}",
        "and on disk, GB": lambda readers: f"{readers * KEPT_DAYS * figures['delivery_row_bytes'] / 10**9:,.0f}",
        "out to the mail servers, Mbit/s": lambda readers: f"{_peak(readers) * figures['message_kb'] * 8 / 1024:,.0f}",
    }


def _what_breaks(figures: Mapping[str, float]) -> dict[str, float]:
    ten, hundred = READERS[1:]
    return {
        "rung": figures["rung_a_minute"],
        "rung_hour": figures["rung_a_minute"] * 60,
        "rung_readers": figures["rung_a_minute"] * 60 / BUSIEST_HOUR,
        "provider_rate": _peak(ten),
        "rows_ten": ten * KEPT_DAYS / 10**9,
        "disk_ten": ten * KEPT_DAYS * figures["delivery_row_bytes"] / 10**12,
        "prune_ten": ten / figures["pruned_per_s"] / 3600,
        "wal_ten": _peak(ten) * figures["wal_per_digest_kb"] / 1024,
        "wal_hundred": _peak(hundred) * figures["wal_per_digest_kb"] / 1024,
        "planning_limit": PLANNING_SECONDS * figures["planning_per_s"] / 10**6,
        "planning_hundred": hundred * BUSIEST_HOUR / figures["planning_per_s"],
    }


def _peak(readers: int) -> float:
    """Digests a second in the busiest hour."""
    return readers * BUSIEST_HOUR / 3600

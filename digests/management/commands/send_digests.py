"""`manage.py send_digests`: send what is due, here and now, without a worker."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from digests.delivering import send_deliveries
from digests.models import Delivery
from digests.planning import plan_due
from subscriptions.outgoing import due_ids, sweep

BATCH = 50


class Command(BaseCommand):
    """The doorway of planning and delivering."""

    help = (
        "Plan a digest for every reader who is due and send all that waits, in this process. "
        "Workers may run at the same time: each digest is still sent once. "
        "--dry-run says how many readers are due and changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object on standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        plan = plan_due(now=now, dry_run=options["dry_run"])
        summary = {"planned": plan.planned, "waiting": plan.waiting, "no_edition": plan.skipped}
        if not options["dry_run"]:
            sweep(Delivery)
            summary |= self._send_all(quiet=options["json"])
        if options["json"]:
            self.stdout.write(json.dumps(summary))
        else:
            self.stdout.write(", ".join(f"{count} {name.replace('_', ' ')}" for name, count in summary.items()) + ".")

    def _send_all(self, *, quiet: bool) -> dict[str, int]:
        total = {"accepted": 0, "skipped": 0, "other": 0}
        waiting = due_ids(Delivery, limit=1_000_000)
        for start in range(0, len(waiting), BATCH):
            report = send_deliveries(waiting[start : start + BATCH], now=timezone.now())
            for name in total:
                total[name] += getattr(report, name)
            if not quiet and sys.stderr.isatty():
                done = min(start + BATCH, len(waiting))
                sys.stderr.write(f"\r{_bar(done, len(waiting))} {done}/{len(waiting)}")
        if not quiet and waiting and sys.stderr.isatty():
            sys.stderr.write("\n")
        return total


def _bar(done: int, total: int, width: int = 30) -> str:
    filled = width * done // max(total, 1)
    return "█" * filled + "·" * (width - filled)

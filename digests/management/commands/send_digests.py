"""`manage.py send_digests`: send what is due, here and now, without a worker."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from digests.delivering import due_deliveries, send_deliveries
from digests.models import Delivery
from digests.planning import plan_due
from papers.management.answering import AnsweringCommand, in_batches, in_words
from subscriptions.outgoing import sweep

EVERY_ROW = 1_000_000


class Command(AnsweringCommand):
    """The doorway of planning and delivering."""

    help = (
        "Plan a digest for every reader who is due and send all that waits, in this process. "
        "Workers may run at the same time: each digest is still sent once. "
        "--dry-run says how many readers are due and changes nothing."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        plan = plan_due(now=timezone.now(), dry_run=options["dry_run"])
        self.answer = {"planned": plan.planned, "waiting": plan.waiting, "no_edition": plan.skipped}
        if not options["dry_run"]:
            self.answer |= send_waiting_digests(quiet=options["json"])
        self.say(options, in_words(self.answer))


def send_waiting_digests(*, quiet: bool) -> dict[str, int]:
    """Send every delivery that waits, in this process. Returns how many ended how."""
    sweep(Delivery)
    total = {"accepted": 0, "skipped": 0, "other": 0}
    for ids in in_batches(due_deliveries(limit=EVERY_ROW), quiet=quiet):
        report = send_deliveries(ids, now=timezone.now())
        for name in total:
            total[name] += getattr(report, name)
    return total

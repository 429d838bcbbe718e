"""`manage.py prune_deliveries`: archive deliveries that are too old to be kept one by one."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from digests.pruning import KEPT_DAYS, prune_deliveries, prune_skipped_days
from papers.management.answering import AnsweringCommand, in_words
from subscriptions.pruning import RECORDS_KEPT_DAYS, prune_records


class Command(AnsweringCommand):
    """The doorway of `digests.pruning`."""

    help = (
        f"Archive the deliveries of more than {KEPT_DAYS} days ago: the papers each reader had are kept, so that none "
        "comes twice, and each edition's books still balance. Notes of days without a digest, events of mail services "
        f"and notices are deleted after {RECORDS_KEPT_DAYS} days. The worker does this every night. "
        "--dry-run counts and changes nothing."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        now, dry_run = timezone.now(), options["dry_run"]
        report = prune_deliveries(now=now, dry_run=dry_run)
        records = prune_records(now=now, dry_run=dry_run)
        self.answer = {
            "deliveries": report.deliveries,
            "readers": report.readers,
            "skipped_days": prune_skipped_days(now=now, dry_run=dry_run),
            "mail_events": records.mail_events,
            "notices": records.notices,
        }
        self.say(options, in_words(self.answer))

"""`manage.py prune_deliveries`: archive deliveries that are too old to be kept one by one."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from digests.pruning import KEPT_DAYS, prune_deliveries
from papers.management.answering import AnsweringCommand, in_words


class Command(AnsweringCommand):
    """The doorway of `digests.pruning`."""

    help = (
        f"Archive the deliveries of more than {KEPT_DAYS} days ago: the papers each reader had are kept, so that none "
        "comes twice, and each edition's books still balance. The worker does this every night. "
        "--dry-run counts and changes nothing."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        report = prune_deliveries(now=timezone.now(), dry_run=options["dry_run"])
        self.answer = {"deliveries": report.deliveries, "readers": report.readers}
        self.say(options, in_words(self.answer))

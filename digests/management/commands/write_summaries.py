"""`manage.py write_summaries`: one line by a machine on papers of the editions to come."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from digests.summaries import BATCH, write_summaries
from papers.management.answering import AnsweringCommand


class Command(AnsweringCommand):
    """The doorway of `digests.summaries`."""

    help = (
        f"Ask the machine at SUMMARY_URL for one line each on up to {BATCH} papers of the newest editions, in one "
        "request. The worker does this every few minutes; nothing ever waits for it. Each paper is asked about once, "
        "within SUMMARY_DAILY_LIMIT. --dry-run counts the papers and asks nobody."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        report = write_summaries(now=timezone.now(), dry_run=options["dry_run"])
        self.answer = {"asked": report.asked, "kept": report.kept, "reason": report.reason}
        verb = "to ask about" if options["dry_run"] else "asked about"
        self.say(options, f"{report.asked} papers {verb}, {report.kept} lines kept. {report.reason}".strip())

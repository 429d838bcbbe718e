"""`manage.py send_notices`: send the notices that wait, here and now, without a worker."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from papers.management.answering import AnsweringCommand, in_batches, in_words
from subscriptions.models import Notice
from subscriptions.notices import send_notices
from subscriptions.outgoing import due_ids, sweep

EVERY_ROW = 1_000_000


class Command(AnsweringCommand):
    """The doorway of `subscriptions.notices`."""

    help = (
        "Send every notice that waits, in this process: confirmations, and all other mail that is no digest. "
        "Workers may run at the same time: each notice is still sent once. What the mail service does not take now "
        "waits for the next time. --dry-run says how many wait and changes nothing."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        if options["dry_run"]:
            self.answer = {"waiting": len(due_ids(Notice, limit=EVERY_ROW))}
        else:
            self.answer = send_waiting_notices(quiet=options["json"])
        self.say(options, in_words(self.answer))


def send_waiting_notices(*, quiet: bool) -> dict[str, int]:
    """Send every notice that waits, in this process. `other` are those that were skipped, failed, or wait on."""
    sweep(Notice)
    waiting = due_ids(Notice, limit=EVERY_ROW)
    accepted = sum(send_notices(ids, now=timezone.now()) for ids in in_batches(waiting, quiet=quiet))
    return {"accepted": accepted, "other": len(waiting) - accepted}

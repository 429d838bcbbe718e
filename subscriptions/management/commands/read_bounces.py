"""`manage.py read_bounces`: take in what came back to the bounce address."""

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError

from papers.management.answering import AnsweringCommand, in_batches
from subscriptions.bounce_mailbox import MailboxError, open_mailbox
from subscriptions.bounce_reading import Found, read_letter, read_mailbox

STANDARD_INPUT = "-"
# sysexits.h: mail servers that pipe a letter into a program try again later.
TRY_LATER = 75


class Command(AnsweringCommand):
    """The doorway of `subscriptions.bounce_reading`."""

    help = (
        "Read delivery reports (RFC 3464) and complaints (RFC 5965) from the mailbox that BOUNCE_MAILBOX names: "
        "imaps://user:password@host/folder, or maildir:/a/folder. Name another one to read that, or - for one letter "
        'on standard input, as a mail server pipes it: bounce: "|/srv/papers/manage.py read_bounces -". '
        "Reports are marked as read, all other letters are flagged for a person; nothing is deleted, and reading twice "
        "changes nothing. Where BOUNCE_MAILBOX is set the worker does this every five minutes. "
        "Exit code 0: done. 1: some letters could not be read. 2: nothing is set, or what is named is no mailbox. "
        "75: the mailbox or the database could not be reached, try again later."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("mailbox", nargs="?", default="", help="Default: what BOUNCE_MAILBOX says.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        url = options["mailbox"] or settings.BOUNCE_MAILBOX
        if not url:
            raise CommandError("BOUNCE_MAILBOX is not set, and no mailbox was named.", returncode=2)
        try:
            counts = self._read(url, options)
        except (MailboxError, OperationalError) as error:
            raise CommandError(str(error), returncode=TRY_LATER) from error
        except ValueError as error:
            raise CommandError(str(error), returncode=2) from error
        self.answer = {found.value: counts[found] for found in Found}
        self.say(options, _words(counts))
        if counts[Found.BROKEN]:
            raise CommandError(f"{counts[Found.BROKEN]} could not be read; they are flagged in the mailbox.")

    def _read(self, url: str, options: Mapping[str, Any]) -> Counter[Found]:
        dry_run = options["dry_run"]
        if url == STANDARD_INPUT:
            return Counter([read_letter(sys.stdin.buffer.read(), dry_run=dry_run)])
        counts: Counter[Found] = Counter()
        with open_mailbox(url) as mailbox:
            for names in in_batches(mailbox.names(), quiet=options["json"]):
                counts += read_mailbox(mailbox, names, dry_run=dry_run)
        return counts


def _words(counts: Counter[Found]) -> str:
    return (
        f"{counts.total()} letters: {counts[Found.NEW]} new reports, {counts[Found.KNOWN]} known, "
        f"{counts[Found.STRANGE]} about no mail of ours, {counts[Found.OTHER]} that are no reports, "
        f"{counts[Found.BROKEN]} that cannot be read."
    )

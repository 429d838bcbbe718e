"""`manage.py doctor`: what is wrong with this installation, or will be soon, and what to do about it."""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from config.dns_records import Records
from config.mail_health import check_mail
from papers.health import Finding, Level, check_holidays, check_sources
from papers.management.answering import AnsweringCommand

_SIGNS = {Level.OK: "✓", Level.WARNING: "!", Level.ERROR: "✗"}


class Command(AnsweringCommand):
    """The doorway of the health checks of all packages."""

    help = (
        "Look at this installation as a doctor would: do all sources bring what they should, are days missing, is the "
        "calendar of holidays still good, is there an owner to tell; and where mail leaves the machine: are the mail "
        "service's settings complete, and do SPF, DKIM, DMARC, MX and reverse DNS say what receivers want to see. It "
        "says what to publish. Changes nothing, and asks nobody but the DNS. "
        "`check --deploy` is about the settings, this is about how things go. "
        "Exit code 0: well, perhaps with warnings. 1: something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-dns", action="store_true", help="Ask the DNS nothing.")
        parser.add_argument("--resolver", default="", help="A name server to ask, as address or address:port.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        try:
            records = None if options["no_dns"] or settings.OFFLINE else Records(resolver=options["resolver"])
            findings = list(examine(now=timezone.now(), records=records))
        except (OperationalError, ProgrammingError) as error:
            message = f"The database cannot be read ({error}). Is it there, and up to date? manage.py migrate"
            raise CommandError(message) from error
        self.answer = {
            "findings": [
                {"level": found.level.value, "about": found.about, "says": found.says, "hint": found.hint}
                for found in findings
            ]
        }
        for found in findings:
            self.say(options, f"{_SIGNS[found.level]} {found.says}")
            if found.hint:
                self.say(options, f"    {found.hint}")
        errors = [found.says for found in findings if found.level is Level.ERROR]
        if errors:
            raise CommandError(errors[0] if len(errors) == 1 else f"{len(errors)} things are wrong.")


def examine(*, now: dt.datetime, records: Records | None = None) -> Iterator[Finding]:
    """All findings, the good ones too; without `records` the DNS is not asked."""
    yield check_holidays(now=now)
    yield from check_sources(now=now)
    yield _check_owner()
    yield from check_mail(records=records)


def _check_owner() -> Finding:
    if settings.OWNER_EMAIL:
        return Finding(Level.OK, "owner", f"The owner is told of trouble at {settings.OWNER_EMAIL}.")
    return Finding(Level.WARNING, "owner", "Nobody is told of trouble.", "Set OWNER_EMAIL.")

"""`manage.py publish_edition`: publish an edition now."""

import datetime as dt
import json
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from digests.editions import next_date, open_date, publish_now


def iso_date(text: str) -> dt.date:
    """A date on the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date. Write it like 2026-11-23.") from error


class Command(BaseCommand):
    """The doorway of `digests.editions.publish_now`."""

    help = (
        "Publish the edition of a day at once, with every paper seen until now, without waiting for its cut-off. "
        "Readers who are due then get it at their own hour. Publishing twice changes nothing. "
        "A day without papers gets no edition; that is no error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date",
            type=iso_date,
            help="The edition's day, like 2026-11-23. Default: today, or once that is out, the next.",
        )
        parser.add_argument("--json", action="store_true", help="Print one JSON object on standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        date = options["date"] or next_date(now)
        if date > open_date(now):
            raise CommandError(f"{date} has not come yet.", returncode=2)
        published = publish_now(date=date, now=now)
        edition = published.edition
        papers = edition.entries.count() if edition else 0
        if options["json"]:
            state = edition.state if edition else None
            self.stdout.write(
                json.dumps({"date": str(date), "state": state, "papers": papers, "reason": published.reason})
            )
        elif edition:
            self.stdout.write(
                f"The edition of {date} is {edition.state}, with {papers} papers. {published.reason}".strip()
            )
        else:
            self.stdout.write(published.reason)

"""`manage.py publish_edition`: publish an edition now."""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from digests.editions import next_date, open_date, publish_now
from papers.management.answering import AnsweringCommand


def iso_date(text: str) -> dt.date:
    """A date on the command line. Raises CommandError where it is none."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no date. Write it like 2026-11-23.", returncode=2) from error


class Command(AnsweringCommand):
    """The doorway of `digests.editions.publish_now`."""

    help = (
        "Publish the edition of a day at once, with every paper seen until now, without waiting for its cut-off. "
        "Readers who are due then get it at their own hour. Publishing twice changes nothing. "
        "A day without papers gets no edition; that is no error."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--date",
            help="The edition's day, like 2026-11-23. Default: today, or once that is out, the next.",
        )
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        now = timezone.now()
        date = iso_date(options["date"]) if options["date"] else next_date(now)
        if date > open_date(now):
            raise CommandError(f"{date} has not come yet.", returncode=2)
        published = publish_now(date=date, now=now)
        edition = published.edition
        papers = edition.entries.shown().count() if edition else 0
        state = edition.state if edition else None
        self.answer = {"date": str(date), "state": state, "papers": papers, "reason": published.reason}
        facts = f"The edition of {date} is {state}, with {papers} papers. " if edition else ""
        self.say(options, f"{facts}{published.reason}".strip())

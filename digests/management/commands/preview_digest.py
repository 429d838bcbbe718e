"""`manage.py preview_digest`: what a reader would get, without sending it."""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from digests.management.commands.publish_edition import iso_date
from digests.models import Edition
from digests.previews import preview
from mailer.messages import OverBudgetError
from papers.management.answering import AnsweringCommand
from subscriptions.addresses import InvalidAddressError, normalise_address
from subscriptions.models import Subscriber


class Command(AnsweringCommand):
    """The doorway of `digests.previews`."""

    help = (
        "Print the digest that a subscriber would get from an edition, as HTML, text or the whole message. "
        "Nothing is sent and nothing is written down; --json adds the papers and reasons. "
        "Exit code 2: no such subscriber or edition."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The subscriber's address.")
        parser.add_argument("--date", help="The edition's day, like 2026-11-23. Default: the newest.")
        parser.add_argument("--format", choices=["html", "text", "eml"], default="text", help="Default: text.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        date = iso_date(options["date"]) if options["date"] else None
        subscriber, edition = _subscriber(options["email"]), _edition(date)
        try:
            shown = preview(subscriber, edition, now=timezone.now())
        except OverBudgetError as error:
            raise CommandError(str(error)) from error
        body = {"html": shown.rendered.html, "text": shown.rendered.text, "eml": shown.source}[options["format"]]
        self.say(options, body)
        lines = shown.digest.lines
        self.answer = {
            "date": str(edition.date),
            "subject": shown.rendered.subject,
            "format": options["format"],
            "bytes": len(body.encode()),
            "papers": [{"id": line.card.key, "title": line.card.title, "reason": line.reason} for line in lines],
            "body": body,
        }


def _subscriber(text: str) -> Subscriber:
    try:
        return Subscriber.objects.get(email=normalise_address(text))
    except InvalidAddressError as error:
        raise CommandError(str(error), returncode=2) from error
    except Subscriber.DoesNotExist as error:
        raise CommandError("Nobody subscribed with this address.", returncode=2) from error


def _edition(date: dt.date | None) -> Edition:
    editions = Edition.objects.exclude(state="cancelled")
    found = editions.filter(date=date).first() if date else editions.first()
    if found is None:
        raise CommandError(f"There is no edition of {date}." if date else "There is no edition yet.", returncode=2)
    return found

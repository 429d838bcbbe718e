"""`manage.py preview_digest`: what a reader would get, without sending it."""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from digests.management.commands.publish_edition import iso_date
from digests.models import Edition
from digests.previews import Preview, preview
from mailer.messages import OverBudgetError
from mailer.spam_score import SpamScore, spam_score
from papers.management.answering import AnsweringCommand
from subscriptions.addresses import InvalidAddressError, normalise_address
from subscriptions.models import Subscriber


class Command(AnsweringCommand):
    """The doorway of `digests.previews`."""

    help = (
        "Print the digest that a subscriber would get from an edition, as HTML, text or the whole message. "
        "Nothing is sent and nothing is written down. --facts prints size, headers and the papers with their reasons "
        "instead, --spam adds what SpamAssassin says where it is installed; --json has all of it. "
        "Exit code 2: no such subscriber or edition."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="The subscriber's address.")
        parser.add_argument("--date", help="The edition's day, like 2026-11-23. Default: the newest.")
        parser.add_argument("--format", choices=["html", "text", "eml"], default="text", help="Default: text.")
        parser.add_argument("--facts", action="store_true", help="Print what is known about the mail instead of it.")
        parser.add_argument("--spam", action="store_true", help="Ask SpamAssassin on this machine; takes a second.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        date = iso_date(options["date"]) if options["date"] else None
        subscriber, edition = _subscriber(options["email"]), _edition(date)
        try:
            shown = preview(subscriber, edition, now=timezone.now())
        except OverBudgetError as error:
            raise CommandError(str(error)) from error
        body = {"html": shown.rendered.html, "text": shown.rendered.text, "eml": shown.source}[options["format"]]
        score = spam_score(shown.octets) if options["spam"] else None
        self.say(options, "\n".join(_facts(shown, score=score)) if options["facts"] else body)
        if options["spam"] and not options["facts"]:
            self.stderr.write(_in_words(score))
        lines = shown.digest.lines
        self.answer = {
            "date": str(edition.date),
            "subject": shown.rendered.subject,
            "format": options["format"],
            "bytes": len(body.encode()),
            "html_kilobytes": shown.html_kilobytes,
            "spam": {"points": score.points, "limit": score.limit, "rules": score.rules} if score else None,
            "headers": shown.headers,
            "papers": [{"id": line.card.key, "title": line.card.title, "reason": line.reason} for line in lines],
            "body": body,
        }


def _facts(shown: Preview, *, score: SpamScore | None) -> Iterator[str]:
    yield f"Subject: {shown.rendered.subject}"
    yield f"HTML: {shown.html_kilobytes} KB of at most {shown.budget_kilobytes}"
    yield f"The whole mail: {shown.whole_kilobytes} KB"
    yield f"Spam: {_in_words(score)}"
    yield "\nHeaders"
    yield from (f"  {name}: {value}" for name, value in shown.headers)
    yield "\nPapers"
    yield from (f"  {line.card.title} [{line.reason}]" for line in shown.digest.lines)


def _in_words(score: SpamScore | None) -> str:
    if score is None:
        return "not asked, or SpamAssassin is not installed here"
    return "\n  ".join([str(score), *score.rules])


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

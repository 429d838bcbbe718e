"""`manage.py letter`: the owner's own words to all readers, from the shell."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from digests import letters
from digests.letters import is_too_long, letter_books
from digests.models import Letter
from papers.management.answering import AnsweringCommand
from subscriptions.models import Subscriber, SubscriberState

_MOVES: dict[str, Callable[[Letter], bool]] = {
    "start": lambda letter: letters.start(letter, now=timezone.now()),
    "pause": letters.pause,
    "resume": letters.resume,
    "cancel": letters.cancel,
}


class Command(AnsweringCommand):
    """The doorway of `digests.letters`."""

    help = (
        "Write a letter to all readers, and let it go out. `write` keeps what it reads, in Markdown, as a draft: "
        'manage.py letter write --subject "A word" < words.md. `start` sends it, once, to everybody who gets mail; '
        "`pause`, `resume`, `cancel` and `show` name it by its number. "
        "Exit code 0: done. 1: it could not be done in the state it is in. 2: no such letter, or no words."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("act", choices=["write", "show", *_MOVES])
        parser.add_argument("letter", nargs="?", type=int, help="Its number; all but write need it.")
        parser.add_argument("--subject", default="", help="With write.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if options["act"] == "write":
            self._write(options)
            return
        letter = Letter.objects.filter(pk=options["letter"] or 0).first()
        if letter is None:
            raise CommandError("There is no letter of this number.", returncode=2)
        if options["act"] != "show" and not options["dry_run"] and not _MOVES[options["act"]](letter):
            raise CommandError(f"It could not be done: the letter is {letter.state}.")
        books = letter_books(letter)
        counts = {state.value: count for state, count in books.counts.items() if count}
        readers = Subscriber.objects.filter(state=SubscriberState.ACTIVE).count()
        self.answer = {"letter": letter.pk, "state": letter.state, "audience": books.audience, **counts}
        told = ", ".join(f"{count} {state}" for state, count in counts.items()) or "none yet"
        self.say(
            options, f"«{letter}» {letter.state}: {books.audience} planned ({told}); {readers} readers get mail now."
        )

    def _write(self, options: Mapping[str, Any]) -> None:
        subject, body = " ".join(options["subject"].split()), sys.stdin.read().strip()
        if not subject or not body or len(subject) > 120:
            raise CommandError("Give --subject, of at most 120 letters, and the words on standard input.", returncode=2)
        draft = Letter(subject=subject, body=body)
        if is_too_long(draft):
            raise CommandError("It is so long that inboxes would cut it off: shorten it.", returncode=2)
        if not options["dry_run"]:
            draft.save()
        self.answer = {"letter": draft.pk, "state": draft.state}
        self.say(options, f"Kept as letter {draft.pk}." if draft.pk else "It would be kept.")

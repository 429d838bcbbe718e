"""Commands that answer people in sentences and programs in JSON, where they fail as well."""

import json
import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from django.core.management.base import BaseCommand, CommandError

BATCH = 50
Item = TypeVar("Item")


class AnsweringCommand(BaseCommand, ABC):
    """A command with --json: one object on standard output, with the key `error` where it fails.

    What goes wrong is raised as CommandError; `answer` holds what is known by then and belongs into the object.
    """

    has_dry_run: ClassVar[bool] = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        if self.has_dry_run:
            parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and do nothing.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object on standard output.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.answer: dict[str, Any] = {}
        try:
            self.run(options)
        except CommandError as error:
            if options["json"]:
                self.stdout.write(json.dumps({**self.answer, "error": str(error)}))
            raise
        if options["json"]:
            self.stdout.write(json.dumps(self.answer))

    @abstractmethod
    def run(self, options: Mapping[str, Any]) -> None:
        """Do the work: fill `answer`, and `say` it to people."""

    def say(self, options: Mapping[str, Any], text: str) -> None:
        """A line for people; programs read the object."""
        if not options["json"]:
            self.stdout.write(text)


def in_batches(ids: Sequence[Item], *, quiet: bool) -> Iterator[Sequence[Item]]:
    """These ids or names, a batch at a time, with a bar for whoever watches."""
    is_watched = not quiet and bool(ids) and sys.stderr.isatty()
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]
        if is_watched:
            done = min(start + BATCH, len(ids))
            sys.stderr.write(f"\r{progress_bar(done, len(ids))} {done}/{len(ids)}")
    if is_watched:
        sys.stderr.write("\n")


def in_words(answer: Mapping[str, Any]) -> str:
    """The counts of an answer as a sentence: 3 planned, 0 waiting."""
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in answer.items()) + "."


def progress_bar(done: int, total: int, width: int = 30) -> str:
    """How far it is, as a picture of `width` characters."""
    filled = min(width, width * done // max(total, 1))
    return "█" * filled + "·" * (width - filled)

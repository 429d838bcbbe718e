"""Commands that measure on a corpus: the file in, the figures out, as a table, JSON and a part of the docs."""

import datetime as dt
import sys
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from papers.management.answering import progress_bar

NEEDS = "This command needs scikit-learn, which sending mail does not: pip install 'daily-papers[evaluate]'."


class MeasuringCommand(BaseCommand, ABC):
    """PATH, --json OUT and --page OUT. Whatever is wrong with the input is exit code 2."""

    part: str

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", metavar="PATH", type=Path, help="The corpus: JSON lines, gzipped or not.")
        parser.add_argument("--json", metavar="OUT", type=Path, help="Write the figures into this file.")
        parser.add_argument("--page", metavar="OUT", type=Path, help="Write this part of the page, docs/relevance.md.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            from digests.evaluation.corpora import CorpusError, read_corpus
            from digests.evaluation.page import as_json, write_part
        except ModuleNotFoundError as error:
            raise CommandError(NEEDS, returncode=2) from error
        self._want_folders(options)
        try:
            answer = self.measure(read_corpus(options["path"]), options)
        except (CorpusError, NothingToMeasureError) as error:
            raise CommandError(str(error), returncode=2) from error
        text = self.text_of(answer, corpus=options["path"].name, today=timezone.now().date())
        if options["json"]:
            options["json"].write_text(as_json(answer), encoding="utf-8")
        if options["page"]:
            page = options["page"]
            before = page.read_text(encoding="utf-8") if page.exists() else ""
            page.write_text(write_part(before, self.part, text), encoding="utf-8")
        self.stdout.write(text)

    @abstractmethod
    def measure(self, papers: list[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        """The figures. Raises NothingToMeasureError."""

    @abstractmethod
    def text_of(self, answer: Mapping[str, Any], *, corpus: str, today: dt.date) -> str:
        """The figures as Markdown."""

    def tick(self, done: int, total: int) -> None:
        """Show how far it is to whoever watches."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{progress_bar(done, total)} {done}/{total}" + ("\n" if done == total else ""))

    def _want_folders(self, options: Mapping[str, Any]) -> None:
        # Said before minutes of work, not after.
        for name in ("json", "page"):
            if (path := options[name]) and (path.is_dir() or not path.parent.is_dir()):
                raise CommandError(f"--{name} {path}: there is no such folder, or this is one.", returncode=2)


class NothingToMeasureError(Exception):
    """The corpus is well-formed and holds nothing that could be measured; the message says what is missing."""

"""`manage.py export_subscribers`: the readers as CSV."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from papers.management.answering import AnsweringCommand, progress_bar
from subscriptions.exporting import export_rows
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.spreadsheets import csv_lines

_EVERY = 2000


class Command(AnsweringCommand):
    """The doorway of `subscriptions.exporting`."""

    help = (
        "Write all readers, their wishes and topics into a CSV file, or to standard output with -. What a spreadsheet "
        "would take for a formula has a quote before it; import_subscribers takes it away again. "
        "The file holds addresses: it is made readable by its owner only. Exit code 0: done. 2: it cannot be written."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="Where to write, or - for standard output.")
        parser.add_argument("--state", choices=[*SubscriberState], help="Only those in this state. Default: all.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        readers = Subscriber.objects.all()
        if options["state"]:
            readers = readers.filter(state=options["state"])
        if options["file"] == "-":
            if options["json"]:
                raise CommandError("--json needs a file: standard output is taken by one of them.", returncode=2)
            for line in csv_lines(export_rows(readers)):
                self.stdout.write(line, ending="")
            return
        try:
            count = self._write(Path(options["file"]), readers, quiet=options["json"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error.strerror}.", returncode=2) from error
        self.answer = {"subscribers": count}
        self.say(options, f"{count} subscribers are in {options['file']}.")

    def _write(self, path: Path, readers: Any, *, quiet: bool) -> int:
        total = readers.count()
        is_watched = not quiet and sys.stderr.isatty()
        path.touch(mode=0o600)
        count = -1
        with path.open("w", encoding="utf-8", newline="") as file:
            for count, line in enumerate(csv_lines(export_rows(readers))):
                file.write(line)
                if is_watched and count % _EVERY == 0:
                    sys.stderr.write(f"\r{progress_bar(count, total)} {count}/{total}")
        if is_watched:
            sys.stderr.write("\n")
        return count

"""`manage.py import_subscribers`: bring readers along from another service."""

import csv
import hashlib
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from papers.management.answering import AnsweringCommand, progress_bar
from subscriptions.import_formats import Format, UnreadableListError, read_list
from subscriptions.importing import Fate, Problem, Wishes, import_rows, unknown_topics
from subscriptions.models import ImportState, SubscriberImport
from subscriptions.schedule import Cadence
from subscriptions.spreadsheets import safe_cell


class Command(AnsweringCommand):
    """The doorway of `subscriptions.importing`."""

    help = (
        "Subscribe the people of a list: an export of Mailchimp, listmonk or Buttondown, one of export_subscribers, or "
        "any CSV with a column called email. They become readers without being asked again, so --consent must say what "
        "they agreed to, where and when, in your own words; it is kept with each of them. Whoever left, bounced, "
        "complained or never confirmed, there or here, is left out. Rows that make no reader are written, with the "
        "reason, beside the file. Safe to run again: whoever is here already is left alone. "
        "Exit code 0: done. 1: done, but some rows hold no address. 2: nothing was done."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="The list, as CSV in UTF-8.")
        parser.add_argument("--consent", required=True, help="What they agreed to, where and when: kept with each.")
        parser.add_argument(
            "--topics", default="", help="Slugs of the topics they get, parted by commas. Default: none."
        )
        parser.add_argument("--cadence", choices=[*Cadence], default=Cadence.DAILY, help="How often. Default: daily.")
        parser.add_argument("--weekday", type=int, choices=range(7), default=0, help="For weekly: 0 is Monday.")
        parser.add_argument("--hour", type=int, choices=range(24), default=8, help="In their zone. Default: 8.")
        parser.add_argument(
            "--errors", type=Path, help="Where the rows go that made no reader. Default: FILE.errors.csv"
        )
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        wishes = _wishes(options)
        if not options["consent"].strip():
            raise CommandError("--consent says nothing. What did these people agree to?", returncode=2)
        try:
            with options["file"].open(encoding="utf-8-sig", errors="replace", newline="") as file:
                known, counts, problems = self._import(file, wishes, options)
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.", returncode=2) from error
        except UnreadableListError as error:
            raise CommandError(str(error), returncode=2) from error
        self.answer = {"source": known.name, **{fate.value: counts[fate] for fate in Fate}, "errors": problems}
        self.say(options, _words(counts, known, dry_run=options["dry_run"]))
        if problems:
            self.say(options, f"The rows that made no reader are in {problems}.")
        if counts[Fate.INVALID]:
            raise CommandError(f"{counts[Fate.INVALID]} rows hold no address that could be mailed.")

    def _import(
        self, file: TextIOWrapper, wishes: Wishes, options: Mapping[str, Any]
    ) -> tuple[Format, Counter[Fate], str]:
        known, rows = read_list(file)
        record = SubscriberImport(
            state=ImportState.DONE,
            started_at=timezone.now(),
            by="import_subscribers",
            file_name=options["file"].name[:200],
            sha256=_sha256(options["file"]),
            source=known.name,
            consent=options["consent"].strip(),
            wishes=wishes.as_json(),
        )
        if not options["dry_run"]:
            record.save()
        path = options["errors"] or options["file"].with_name(f"{options['file'].name}.errors.csv")
        with _ProblemsFile(path) as problems:
            counts = import_rows(
                rows,
                record=record,
                wishes=wishes,
                now=timezone.now(),
                dry_run=options["dry_run"],
                on_problem=problems.write,
                on_lot=_bar(file, options["file"].stat().st_size, quiet=options["json"]),
            )
        if not options["dry_run"]:
            record.counts, record.finished_at = dict(counts), timezone.now()
            record.save(update_fields=["counts", "finished_at"])
        return known, counts, str(path) if problems.is_there else ""


class _ProblemsFile:
    """A CSV file that is there only when something was written into it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    @property
    def is_there(self) -> bool:
        return self._file is not None

    def write(self, problem: Problem) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            csv.writer(self._file).writerow(["line", "email", "what", "why"])
        cells = [problem.line, problem.email, problem.fate, problem.reason]
        csv.writer(self._file).writerow([safe_cell(cell) for cell in cells])

    def __enter__(self) -> "_ProblemsFile":
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()


def _wishes(options: Mapping[str, Any]) -> Wishes:
    topics = tuple(slug.strip() for slug in options["topics"].split(",") if slug.strip())
    if unknown := unknown_topics(topics):
        raise CommandError(f"There is no topic {unknown[0]!r}.", returncode=2)
    return Wishes(topics=topics, cadence=Cadence(options["cadence"]), weekday=options["weekday"], hour=options["hour"])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _bar(file: TextIOWrapper, size: int, *, quiet: bool) -> Callable[[int], None]:
    is_watched = not quiet and sys.stderr.isatty()

    def show(done: int) -> None:
        if is_watched:
            sys.stderr.write(f"\r{progress_bar(_read_so_far(file), size)} {done} rows")
            sys.stderr.flush()

    return show


def _read_so_far(file: TextIOWrapper) -> int:
    # The text itself cannot say while somebody reads it line by line; the bytes below it can.
    return int(file.buffer.tell())  # type: ignore[attr-defined]


def _words(counts: Counter[Fate], known: Format, *, dry_run: bool) -> str:
    what = "would be new readers" if dry_run else "new readers"
    return (
        f"A list of the kind {known.name}: {counts[Fate.NEW]} {what}, {counts[Fate.KNOWN]} known already, "
        f"{counts[Fate.TWICE]} twice in the list, {counts[Fate.LEFT]} who left or never confirmed, "
        f"{counts[Fate.REFUSED]} who must not be mailed, {counts[Fate.INVALID]} without an address."
    )

"""`manage.py backfill_papers`: ask a source for past days again."""

import datetime as dt
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from papers.backfilling import NoBackfillError, can_backfill, continue_backfill, start_backfill
from papers.ingest import announcement_today
from papers.management.answering import AnsweringCommand, progress_bar
from papers.models import Backfill, BackfillState, Source

# A request that has to wait longer than this ends the command; the row goes on where it was, by a worker or here.
_LONGEST_WAIT = 900.0


class Command(AnsweringCommand):
    """The doorway of `papers.backfilling`."""

    help = (
        "Ask a source for all papers of past days: for days that went missing, or to fill a new installation. "
        "arXiv's feeds are asked through their back-fill address (OAI-PMH), Hugging Face day by day, bioRxiv for the "
        "whole span. "
        "What is known already changes nothing. Every page is stored before the next is asked for, and what is left "
        "stands in the database: Ctrl-C, then the same command again, goes on where it was. One request every three "
        "seconds, so a month of a large arXiv category takes a few minutes. "
        "Exit code 0: done. 1: stopped before the end, call it again. 2: this source or span cannot be asked for."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="SLUG", required=True, help="Which source.")
        parser.add_argument("--since", metavar="YYYY-MM-DD", type=_day, required=True, help="The first day.")
        parser.add_argument("--until", metavar="YYYY-MM-DD", type=_day, help="The last day. Default: today.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        source = _source(options["source"])
        until = options["until"] or announcement_today(timezone.now())
        if options["dry_run"]:
            self._only_say(source, options, until)
            return
        try:
            backfill = start_backfill(
                source=source, since=options["since"], until=until, why="by hand", now=timezone.now()
            )
        except (NoBackfillError, ValueError) as error:
            raise CommandError(str(error), returncode=2) from error
        if backfill.entries:
            self.say(options, f"Going on where it was: {backfill.entries} entries are in.")
        self._work(backfill, quiet=options["json"])
        self.answer = _summary(backfill)
        self.say(
            options,
            f"{backfill.source.slug}, {backfill.since} to {backfill.until}: {backfill.entries} entries, {backfill.new}"
            f" new, {backfill.changed} changed, {backfill.rejected} rejected.",
        )
        if backfill.state != BackfillState.DONE:
            raise CommandError(f"{backfill.error or 'Stopped before the end.'} Call it again to go on.")

    def _only_say(self, source: Source, options: Mapping[str, Any], until: dt.date) -> None:
        if not can_backfill(source):
            raise CommandError(f"«{source}» shows its latest papers only and has no back-fill address.", returncode=2)
        self.answer = {"source": source.slug, "since": str(options["since"]), "until": str(until)}
        address = source.backfill_url or source.url
        self.say(options, f"Would ask {address} for {options['since']} to {until}.")

    def _work(self, backfill: Backfill, *, quiet: bool) -> None:
        is_watched = not quiet and sys.stderr.isatty()
        lists = max(1, len(backfill.pages))
        while backfill.state == BackfillState.RUNNING:
            step = continue_backfill(backfill_id=backfill.pk, now=timezone.now(), patience=60.0)
            backfill.refresh_from_db()
            if is_watched:
                _show(backfill, lists)
            if step.is_asked or backfill.state != BackfillState.RUNNING:
                continue
            wait = max(1.0, (backfill.next_page_at - timezone.now()).total_seconds())
            if wait > _LONGEST_WAIT:
                break
            if is_watched and step.error:
                sys.stderr.write(f"\n{step.error} Trying again in {wait:.0f} seconds.\n")
            time.sleep(wait)
        if is_watched:
            sys.stderr.write("\n")


def _show(backfill: Backfill, lists: int) -> None:
    done, total = (backfill.entries, backfill.total) if backfill.total else (lists - len(backfill.pages), lists)
    sys.stderr.write(f"\r{progress_bar(done, total)} {done}/{total} ({backfill.new} new)")
    sys.stderr.flush()


def _summary(backfill: Backfill) -> dict[str, Any]:
    counts = {name: getattr(backfill, name) for name in ("entries", "new", "changed", "rejected")}
    return {"source": backfill.source.slug, "since": str(backfill.since), "until": str(backfill.until), **counts}


def _source(slug: str) -> Source:
    try:
        return Source.objects.get(slug=slug)
    except Source.DoesNotExist as error:
        known = ", ".join(Source.objects.values_list("slug", flat=True))
        raise CommandError(f"There is no source {slug!r}. There are: {known}.", returncode=2) from error


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        message = f"{text!r} is no day like 2026-11-23"
        raise ArgumentTypeError(message) from error

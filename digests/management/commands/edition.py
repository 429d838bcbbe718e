"""`manage.py edition`: the desk from the shell."""

import argparse
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from digests import curation, editions
from digests.curation import ClashError, LockedError
from digests.delivering import send_again
from digests.desk import Sieve, read_desk
from digests.management.commands.publish_edition import iso_date
from digests.models import Choice, Delivery, Edition
from papers.correcting import StalePaperError, correct_paper
from papers.management.answering import AnsweringCommand
from papers.models import Paper
from subscriptions.outgoing import OutgoingState, take_as_sent

BY = "command"
_CHOICES = {"pick": Choice.PICK, "unpick": Choice.CANDIDATE, "hide": Choice.HIDDEN, "restore": Choice.CANDIDATE}
_MOVES: dict[str, Callable[[Edition], bool]] = {
    "hold": editions.hold,
    "release": editions.release,
    "pause": editions.pause,
    "resume": editions.resume,
    "cancel": editions.cancel,
    "publish": lambda edition: editions.publish(edition, now=timezone.now()),
}
_SETTLE = ("retry-failed", "resend-unknown", "accept-unknown")
HELP = """Look at an edition, and do at the shell what the desk does.

  manage.py edition 2026-11-23                          show it: state, picks, the best candidates
  manage.py edition 2026-11-23 pick arxiv:2611.01234 --note "Read this *first*."
  manage.py edition 2026-11-23 hide arxiv:2611.01234 --reason "Shown last week."
  manage.py edition 2026-11-23 order arxiv:2611.2 arxiv:2611.1
  manage.py edition 2026-11-23 set --subject "A day of whales" --intro "Good morning."
  manage.py edition 2026-11-23 correct arxiv:2611.01234 --title "On whales"
  manage.py edition 2026-11-23 hold                     release, publish, pause, resume, cancel, undo alike
  manage.py edition 2026-11-23 retry-failed             resend-unknown, accept-unknown alike

Exit code 0: done, or there was nothing to change. 1: it could not be done in the state it is in. 2: no such edition or
paper, or words that make no sense."""


class Command(AnsweringCommand):
    """The doorway of `digests.curation`."""

    help = HELP
    has_dry_run = True

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("date", help="The edition's day, like 2026-11-23.")
        acts = ["show", *_CHOICES, "order", "set", "correct", *_MOVES, "undo", *_SETTLE]
        parser.add_argument("act", nargs="?", default="show", choices=acts, help="Default: show.")
        parser.add_argument("papers", nargs="*", help="Keys of papers, like arxiv:2611.01234.")
        parser.add_argument("--note", help="With pick: why.")
        parser.add_argument("--reason", help="With hide: why, for the desk alone.")
        parser.add_argument("--title", help="With set: beside the date. With correct: the paper's.")
        parser.add_argument("--subject", help="With set: the subject line of its mails.")
        parser.add_argument("--intro", help="With set: a few words to all readers, in Markdown.")
        parser.add_argument("--abstract", help="With correct.")
        parser.add_argument("--author", action="append", help="With correct: once for each author.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        edition = Edition.objects.filter(date=iso_date(options["date"])).first()
        if edition is None:
            raise CommandError(f"There is no edition of {options['date']}.", returncode=2)
        act = options["act"]
        if act == "show":
            self._show(edition, options)
        elif act in _MOVES:
            self._move(edition, act, options)
        elif act in _SETTLE:
            self._settle(edition, act, options)
        elif act == "undo":
            self._undo(edition, options)
        elif act == "correct":
            self._correct(edition, options)
        else:
            self._change(edition, _wanted(edition, act, options), options)

    def _show(self, edition: Edition, options: Mapping[str, Any]) -> None:
        desk = read_desk(edition, Sieve())
        self.answer = {
            "date": str(edition.date),
            "state": edition.state,
            "version": edition.version,
            "subject": edition.subject,
            "picks": [row.paper.key for row in desk.picks],
            "hidden": [row.paper.key for row in desk.hidden],
            "candidates": [{"key": row.paper.key, "score": row.standing.score} for row in desk.candidates],
        }
        self.say(options, f"{edition} {edition.state}, cut-off {edition.cutoff_at:%Y-%m-%d %H:%M} UTC")
        for name, rows in (("Picks", desk.picks), ("Hidden", desk.hidden), ("Candidates", desk.candidates[:20])):
            self.say(options, f"\n{name}: {len(rows)}")
            for row in rows:
                self.say(options, f"  {row.standing.score:>3}  {row.paper.key}  {row.paper.title}")

    def _change(self, edition: Edition, wanted: dict[str, Any], options: Mapping[str, Any]) -> None:
        now_there = curation.read_values(edition.pk, wanted)
        changes = {key: value for key, value in wanted.items() if now_there.get(key) != value}
        self.answer = {"changed": sorted(changes), "dry_run": options["dry_run"]}
        if changes and not options["dry_run"]:
            try:
                curation.change(edition.pk, changes, version=edition.version, by=BY, now=timezone.now())
            except (ClashError, LockedError) as error:
                raise CommandError(f"Nothing was changed: {error}") from error
        did = "Would change" if options["dry_run"] else "Changed"
        self.say(options, f"{did}: {curation.describe(changes)}." if changes else "Nothing to change.")

    def _move(self, edition: Edition, act: str, options: Mapping[str, Any]) -> None:
        if options["dry_run"]:
            self.answer = {"state": edition.state, "dry_run": True}
            self.say(options, f"It is {edition.state}; {act} would be tried.")
            return
        moved = curation.move(edition, _MOVES[act], by=BY, now=timezone.now())
        self.answer = {"state": edition.state}
        if not moved:
            raise CommandError(f"It could not be done: the edition is {edition.state}.")
        self.say(options, f"The edition is {edition.state}.")

    def _undo(self, edition: Edition, options: Mapping[str, Any]) -> None:
        last = curation.last_change(edition.pk)
        if last and not options["dry_run"]:
            try:
                curation.undo(edition.pk, by=BY, now=timezone.now())
            except (ClashError, LockedError) as error:
                raise CommandError(f"It cannot be taken back: {error}") from error
        self.answer = {"undone": last.what if last else None, "dry_run": options["dry_run"]}
        self.say(options, f"Taken back: {last.what} (by {last.by})." if last else "There is nothing to take back.")

    def _settle(self, edition: Edition, act: str, options: Mapping[str, Any]) -> None:
        state = OutgoingState.FAILED if act == "retry-failed" else OutgoingState.UNKNOWN
        rows = Delivery.objects.filter(edition=edition, state=state)
        done = rows.count() if options["dry_run"] else (take_as_sent if act == "accept-unknown" else send_again)(rows)
        self.answer = {"deliveries": done, "dry_run": options["dry_run"]}
        self.say(options, f"{done} {'are there' if options['dry_run'] else 'settled'}.")

    def _correct(self, edition: Edition, options: Mapping[str, Any]) -> None:
        (paper,) = _papers(edition, options["papers"], exactly=1)
        values = {name: options[name] for name in ("title", "abstract") if options[name] is not None}
        if options["author"]:
            values["authors"] = options["author"]
        if not values:
            raise CommandError("Say what is right: --title, --abstract or --author.", returncode=2)
        changed = [name for name in values if values[name] != getattr(paper, name)]
        if not options["dry_run"]:
            try:
                correct_paper(paper.pk, values, revision=paper.revision)
            except StalePaperError as error:
                raise CommandError("The paper changed at this very moment: try again.") from error
        self.answer = {"changed": changed, "dry_run": options["dry_run"]}
        self.say(options, f"Corrected: {', '.join(changed)}." if changed else "Nothing to change.")


def _wanted(edition: Edition, act: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if act == "set":
        wanted = {name: options[name] for name in curation.EDITION_KEYS if options[name] is not None}
        if not wanted:
            raise CommandError("Say what to set: --title, --subject or --intro.", returncode=2)
        return wanted
    if act == "order":
        papers = _papers(edition, options["papers"], exactly=None)
        return {curation.ORDER: [paper.pk for paper in papers]}
    (paper,) = _papers(edition, options["papers"], exactly=1)
    wanted = {f"choice:{paper.pk}": _CHOICES[act].value}
    if options["note"] is not None:
        wanted[f"note:{paper.pk}"] = options["note"]
    if options["reason"] is not None:
        wanted[f"hidden_reason:{paper.pk}"] = options["reason"]
    return wanted


def _papers(edition: Edition, keys: list[str], *, exactly: int | None) -> list[Paper]:
    if not keys or (exactly is not None and len(keys) != exactly):
        raise CommandError("Name one paper by its key, like arxiv:2611.01234.", returncode=2)
    found = {paper.key: paper for paper in edition.papers.filter(key__in=keys)}
    if missing := [key for key in keys if key not in found]:
        raise CommandError(f"There is no paper {missing[0]} in this edition.", returncode=2)
    return [found[key] for key in keys]

"""`manage.py fetch_papers`: visit the sources, or read a document from a file."""

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from papers.feeds import KINDS
from papers.ingest import take_document, visit_source
from papers.management.answering import AnsweringCommand
from papers.models import FetchStatus, Source, SourceState
from papers.recording import Visit

UNDERSTOOD = {FetchStatus.STORED, FetchStatus.NOT_MODIFIED}


class Command(AnsweringCommand):
    """The doorway of `papers.ingest`."""

    help = (
        "Fetch new papers now. Without options every source that is on is visited once, one after the other; "
        "--source visits one. --from-file reads a document from a file instead, as if its source had served it: "
        "for trying a feed, or for a day that was missed. What is known already changes nothing. "
        "Exit code 0: understood, even if empty. 2: refused or not reached, with the reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--source", metavar="SLUG", help="Visit this source alone.")
        parser.add_argument("--from-file", metavar="PATH", type=Path, help="Read this document instead of fetching.")
        parser.add_argument("--kind", choices=KINDS, help="What kind of document the file is.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        self.answer = _summary([])
        if options["from_file"] and options["source"]:
            raise CommandError(
                "Either --from-file or --source: a document of a file has a source of its own.", returncode=2
            )
        if options["from_file"]:
            visits = [self._read_file(options["from_file"], options["kind"])]
        else:
            visits = [visit_source(source_id=source.pk, now=timezone.now()) for source in _sources(options["source"])]
        self.answer = _summary(visits)
        for visit in visits:
            self.say(options, _sentence(visit))
        failed = [visit.error for visit in visits if visit.status not in UNDERSTOOD]
        if failed:
            # Each was said above; where there was only one, its reason is the answer.
            message = failed[0] if len(visits) == 1 else f"{len(failed)} of {len(visits)} sources could not be read."
            raise CommandError(message, returncode=2)

    def _read_file(self, path: Path, kind: str | None) -> Visit:
        if not kind:
            raise CommandError("Say what kind of document it is: --kind " + "|".join(KINDS), returncode=2)
        try:
            body = path.read_bytes()
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from error
        return take_document(source=file_source(kind), body=body, now=timezone.now())


def file_source(kind: str) -> Source:
    """The source that documents read from files belong to: one for each kind, never polled."""
    source, _ = Source.objects.get_or_create(
        slug=f"file-{kind}", defaults={"name": f"From a file ({kind})", "kind": kind, "state": SourceState.OFF}
    )
    return source


def _sources(slug: str | None) -> list[Source]:
    if not slug:
        return list(Source.objects.exclude(state=SourceState.OFF))
    try:
        return [Source.objects.get(slug=slug)]
    except Source.DoesNotExist as error:
        known = ", ".join(Source.objects.values_list("slug", flat=True))
        raise CommandError(f"There is no source {slug!r}. There are: {known}.", returncode=2) from error


def _summary(visits: list[Visit]) -> dict[str, Any]:
    """The sum over all visits, in the shape of one."""
    reports = [asdict(visit.report) for visit in visits]
    counts = {name: sum(r[name] for r in reports) for name in ("entries", "new", "changed", "known", "rejected")}
    problems = [problem for report in reports for problem in report["problems"]]
    refusals = [{"item": v.source, "reason": v.error, "excerpt": ""} for v in visits if v.error]
    return {**counts, "problems": problems + refusals}


def _sentence(visit: Visit) -> str:
    if visit.error:
        return f"{visit.source}: {visit.error}"
    if visit.status == FetchStatus.NOT_MODIFIED:
        return f"{visit.source}: nothing changed since the last visit."
    report = visit.report
    lines = [
        f"{visit.source}: {report.entries} entries, {report.new} new, {report.changed} changed,"
        f" {report.known} known, {report.rejected} rejected."
    ]
    lines += [f"  {problem['item']}: {problem['reason']}" for problem in report.problems]
    return "\n".join(lines)

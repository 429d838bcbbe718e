"""`manage.py demo`, which is `make demo`: the whole loop once, without servers."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from digests.demo import DemoReport, Document, day_of, run_demo, understood
from papers.entries import FeedRefusedError
from papers.feeds import KINDS
from papers.fetching import FetchPolicy, fetch
from papers.management.answering import AnsweringCommand
from papers.sample.server import SAMPLE_PATHS, serve_sample
from subscriptions.models import Subscriber


class Command(AnsweringCommand):
    """The doorway of `digests.demo`."""

    help = (
        "Run the daily loop once in a fresh database: take in a document, publish its edition, and send one digest to "
        "the mailbox in VAR_DIR. The document's own date is «today». Without --feed the bundled sample is used. "
        "`make demo FEED=path KIND=rss` (or another kind) sets up the fresh database for you. "
        "Exit code 0: it worked, or nothing was announced. 2: the document was refused, with the reason."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--feed", type=Path, help="A document to take in, from a file.")
        parser.add_argument("--kind", choices=KINDS, help="What kind of document it is.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if settings.PRODUCTION or settings.EMAIL_PROVIDER != "outbox":
            raise CommandError("The demo runs with the local mailbox and SQLite only.", returncode=2)
        call_command("migrate", verbosity=0, interactive=False)
        if Subscriber.objects.exists():
            raise CommandError(f"{settings.VAR_DIR} holds subscribers: the demo wants a fresh VAR_DIR.", returncode=2)
        documents = _read(options["feed"], options["kind"])
        try:
            report = run_demo(documents, day=day_of(documents))
        except FeedRefusedError as error:
            raise CommandError(str(error), returncode=2) from error
        self.answer = {"today": str(report.day), **dict(report.rows), "files": [str(path) for path in report.files]}
        self.say(options, _as_table(report))
        if refused := [visit.error for visit in report.visits if not understood(visit)]:
            raise CommandError("; ".join(refused), returncode=2)


def _read(path: Path | None, kind: str | None) -> list[Document]:
    if path is None:
        if kind:
            raise CommandError(f"KIND={kind} says what FEED is, but no FEED was given.", returncode=2)
        return _read_sample()
    if not kind:
        raise CommandError("Say what kind of document it is: KIND=" + "|".join(KINDS), returncode=2)
    try:
        return [Document(kind=kind, body=path.read_bytes(), name=path.name)]
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from error


def _read_sample() -> list[Document]:
    """The sample comes over HTTP, as a real source would."""
    with serve_sample() as url:
        policy = FetchPolicy(user_agent=settings.FETCH_USER_AGENT, allow=frozenset({urlsplit(url).netloc}))
        return [
            Document(kind=kind, body=fetch(f"{url}{page}", policy=policy).body, name=f"Sample ({kind})", is_sample=True)
            for kind, page in SAMPLE_PATHS.items()
        ]


def _as_table(report: DemoReport) -> str:
    rows = [("today", str(report.day)), *report.rows]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join(["", *lines, "", *(f"  wrote {path}" for path in report.files), ""])

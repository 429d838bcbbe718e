"""`manage.py learn_tastes`: what the worker does each minute for readers who said what they like."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from digests.learning import count_stale, learn_tastes
from digests.models import Taste
from papers.management.answering import AnsweringCommand, progress_bar


class Command(AnsweringCommand):
    """The doorway of learning what readers like."""

    help = (
        "Learn what readers like, from papers they asked for more or less of, papers they named and their own words, "
        "and rank the papers of now for each of them. Only readers whose ranking is not up to date are done; --all "
        "does everybody anew. It may be stopped at any moment and goes on where it was. Digests that leave meanwhile "
        "go by what is learned by then. --dry-run counts."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--all", action="store_true", help="Learn everybody anew.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        now = timezone.now()
        if options["all"] and not options["dry_run"]:
            Taste.objects.update(basis="")
        waiting = count_stale(now=now)
        if options["dry_run"]:
            self.answer = {"readers": waiting}
            self.say(options, f"{waiting} readers' tastes would be learned.")
            return
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            if not options["json"]:
                sys.stderr.write(
                    f"\r{progress_bar(done, waiting)} {done}/{waiting}" + ("\n" if done >= waiting else "")
                )

        report = learn_tastes(now=now, told=tell)
        self.answer = {"readers": report.readers, "papers_counted": report.papers}
        self.say(options, f"{report.readers} readers' tastes learned, {report.papers} papers counted.")

"""`manage.py encode_papers`: what the learning queue does by itself, where an encoder is set."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.utils import timezone

from digests.dense import encode_papers, load_encoder
from digests.learning import read_pool
from digests.models import PaperVector
from papers.management.answering import AnsweringCommand, progress_bar


class Command(AnsweringCommand):
    """The doorway of `digests.dense`."""

    help = (
        "Encode the papers that digests may hold now with the encoder of the setting ENCODER, so that likeness goes by "
        "vectors as well as by words. It may be stopped at any moment and goes on where it was. --dry-run counts. Exit "
        "code 2: no encoder is set, or there is none of that name."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        try:
            encoder = load_encoder()
        except ImproperlyConfigured as error:
            raise CommandError(str(error), returncode=2) from error
        if encoder is None:
            raise CommandError("No ENCODER is set: likeness goes by words alone.", returncode=2)
        _, ids = read_pool(timezone.now())
        waiting = len(ids) - PaperVector.objects.filter(paper__in=ids).count()
        done = 0

        def tell(count: int) -> None:
            nonlocal done
            done += count
            if not options["json"]:
                end = "\n" if done >= waiting else ""
                sys.stderr.write(f"\r{progress_bar(done, waiting)} {done}/{waiting}{end}")

        encoded = 0 if options["dry_run"] else encode_papers(ids, told=tell)
        self.answer = {"papers": len(ids), "encoded": encoded, "waiting": max(0, waiting - encoded)}
        self.say(options, f"{encoded} papers encoded, {max(0, waiting - encoded)} wait.")

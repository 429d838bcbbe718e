"""`manage.py first_run`: the first loop of a new installation."""

import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from config.bootstrap import first_loop


class Command(BaseCommand):
    """The doorway of `config.bootstrap`."""

    help = (
        "Fetch from every source once and publish the first edition, so that a new installation has something to show. "
        "If no source can be reached within five seconds, the bundled sample papers take the same way in. "
        "Does nothing where an edition was ever published, so it is safe to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--sample-url",
            default=os.environ.get("SAMPLE_URL", ""),
            help="Where the bundled sample is being served (the supervisor passes it on).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        first_loop(sample_url=options["sample_url"], clock=timezone.now, say=self.stdout.write)

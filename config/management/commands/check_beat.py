"""`manage.py check_beat`: whether beat rings its bells, for health checks."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from papers.management.answering import AnsweringCommand
from subscriptions.heartbeat import last_tick


class Command(AnsweringCommand):
    """The doorway of `config.beat`."""

    help = (
        "Say how long ago a beat last ticked. Of several that were started one ticks and the others wait, so this is "
        "about all of them together. Exit code 0: one ticks. 1: none did for too long."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--max-age", type=int, default=90, help="Seconds that may have passed. Default: 90.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        age = last_tick()
        self.answer = {"seconds": None if age is None else round(age.total_seconds(), 1)}
        if age is None:
            raise CommandError("No beat has ticked here yet.")
        if age.total_seconds() > options["max_age"]:
            raise CommandError(f"The last beat ticked {age.total_seconds():.0f} seconds ago.")
        self.say(options, f"A beat ticked {age.total_seconds():.0f} seconds ago.")

"""`manage.py check_worker`: whether the worker of this host really works, for health checks."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError

from papers.management.answering import AnsweringCommand
from subscriptions.heartbeat import last_beat


class Command(AnsweringCommand):
    """The doorway of `subscriptions.heartbeat`."""

    help = (
        "Say how long ago a task was last done on this host. A worker that is there but does nothing (stuck, cut off "
        "from the broker or the database) is found so; a process list would not. "
        "Exit code 0: it works. 1: no task was done for too long."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--max-age", type=int, default=300, help="Seconds that may have passed. Default: 300.")
        parser.add_argument("--anywhere", action="store_true", help="Ask about the workers of all hosts together.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        age = last_beat(anywhere=options["anywhere"])
        self.answer = {"seconds": None if age is None else round(age.total_seconds(), 1)}
        if age is None:
            raise CommandError(
                "No task was ever done on this host. A container is a host: ask that of the worker, or with --anywhere."
            )
        if age.total_seconds() > options["max_age"]:
            raise CommandError(f"The last task was done {age.total_seconds():.0f} seconds ago.")
        self.say(options, f"The last task was done {age.total_seconds():.0f} seconds ago.")

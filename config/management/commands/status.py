"""`manage.py status`: how everything goes, on one screen."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError
from django.utils import timezone

from config.status import read_status
from papers.management.answering import AnsweringCommand


class Command(AnsweringCommand):
    """The doorway of `config.status`."""

    help = (
        "Show on one screen how everything goes now: sources, the latest editions with their books, readers, notices, "
        "letters, workers with the last sign of life, the queue, the disk. A line that needs somebody begins with !. "
        "Changes nothing; `doctor` looks at what is set up. "
        "Exit code 0: nothing needs anybody. 1: something does. 2: the database cannot be read."
    )

    def run(self, options: Mapping[str, Any]) -> None:
        try:
            lines = read_status(now=timezone.now())
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(f"The database cannot be read ({error}).", returncode=2) from error
        self.answer = {"lines": [{"about": line.about, "says": line.says, "is_well": line.is_well} for line in lines]}
        for line in lines:
            self.say(options, f"{' ' if line.is_well else '!'} {line.about:<9}{line.says}")
        bad = [line for line in lines if not line.is_well]
        if bad:
            raise CommandError(f"{len(bad)} of {len(lines)} lines need somebody: {bad[0].about}, {bad[0].says}")

"""`manage.py restore`: put a backup back."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from config.backups import BadBackupError
from config.dumps import DumpError
from config.restoring import CannotRestoreError, check_backup, restore
from papers.management.answering import AnsweringCommand


class Command(AnsweringCommand):
    """The doorway of `config.restoring`."""

    help = (
        "Put a backup in the place of the database, in one step. From that instant on nothing is mailed: what was sent "
        "since the backup stands in no book, so you say what was (manage.py after_restore), and then let sending go "
        "on. Whoever left, or was erased, since the backup is let go again, as far as this host noted it beside the "
        "database. Stop worker and beat first. Exit code 0: done. 1: refused, or it failed and all is as it was. 2: no "
        "such file, or no backup."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--replace", action="store_true", help="Although this database is not empty.")
        parser.add_argument("--other-keys", action="store_true", help="Although the keys are others here.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        now = timezone.now()
        try:
            contents = check_backup(options["file"], replace=options["replace"], other_keys=options["other_keys"])
            self.answer = {"made_at": contents.made_at.isoformat(), "rows": sum(contents.rows.values())}
            what = f"{options['file'].name} of {contents.made_at:%Y-%m-%d %H:%M} UTC, {self.answer['rows']} rows"
            if options["dry_run"]:
                self.say(options, f"Would put back {what}.")
                return
            done = restore(options["file"], now=now)
        except (FileNotFoundError, PermissionError, BadBackupError) as error:
            raise CommandError(str(error), returncode=2) from error
        except (CannotRestoreError, DumpError, OSError) as error:
            raise CommandError(str(error)) from error
        self.answer |= {"migrated": done.migrated, "let_go": done.let_go}
        self.say(options, f"Put back {what}.")
        if done.migrated:
            self.say(options, f"It was of an older version: {done.migrated} migrations were applied.")
        self.say(options, f"{done.let_go} readers who had left since are gone again.")
        self.say(options, "Nothing is mailed until you have said what was sent: manage.py after_restore")

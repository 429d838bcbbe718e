"""`manage.py move_database`: everything of an SQLite file into the PostgreSQL that is configured."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from config.moving import CannotMoveError, move
from papers.management.answering import AnsweringCommand


class Command(AnsweringCommand):
    """The doorway of `config.moving`."""

    help = (
        "Copy a whole SQLite database of Daily Papers into the PostgreSQL that DATABASE_URL names, and hold every "
        "table against the other, by the number of its rows and a sum over all of them. Stop all processes first, and "
        "give the same LINK_KEY and ADDRESS_KEY as before (var/keys.json). The target is migrated first and must hold "
        "no reader yet; all of it is one transaction, so that it is there whole or not at all. Until it is, sending is "
        "held there, and /readyz says so: run it again. The SQLite file is only read. Exit code 0: moved, and every "
        "sum is right. 1: refused, or a sum is wrong, and nothing came over."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="The SQLite database, like var/db.sqlite3.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        def told(table: str, rows: int) -> None:
            self.say(options, f"  {table}: {rows} rows")

        try:
            moved = move(options["file"], dry_run=options["dry_run"], told=told)
        except CannotMoveError as error:
            raise CommandError(str(error)) from error
        self.answer = {"tables": len(moved), "rows": sum(moved.values())}
        verb = "Would move" if options["dry_run"] else "Moved, and held against each other,"
        self.say(options, f"{verb} {len(moved)} tables with {sum(moved.values())} rows.")

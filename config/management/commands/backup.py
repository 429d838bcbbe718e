"""`manage.py backup`: the database and the keys in one file."""

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from config.backups import BadBackupError, Pruned, make_backup, prune_backups, read_backup
from config.dumps import DumpError
from papers.management.answering import AnsweringCommand

_NOTHING = Pruned(gone=[], damaged=[])


class Command(AnsweringCommand):
    """The doorway of `config.backups`."""

    help = (
        "Write one file with the whole database, as it is at one instant, and the keys. Everything may go on "
        "meanwhile. The file is read again and held against its sums before it gets its name, so a backup that is "
        "there is whole, wherever an earlier one was killed: what that left lying is removed. It holds addresses and "
        "keys: only its owner may read it, and it belongs on another machine. "
        "For PostgreSQL its client programs must be installed. Exit code 0: written and read again. 1: it could not be."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        folder = settings.VAR_DIR / "backups"
        parser.add_argument("--to", metavar="FOLDER", type=Path, default=folder, help=f"Where to. Default: {folder}.")
        parser.add_argument(
            "--keep",
            metavar="N",
            type=int,
            help="Delete what is older than the newest N whole ones in that folder afterwards; these are read through.",
        )
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        if options["keep"] is not None and options["keep"] < 1:
            raise CommandError("--keep must be 1 or more.", returncode=2)
        try:
            path = make_backup(options["to"], now=timezone.now())
            rows, octets = sum(read_backup(path).rows.values()), path.stat().st_size
            pruned = prune_backups(options["to"], keep=options["keep"]) if options["keep"] else _NOTHING
        except (DumpError, BadBackupError, OSError) as error:
            raise CommandError(str(error)) from error
        gone, damaged = ([str(one) for one in paths] for paths in (pruned.gone, pruned.damaged))
        self.answer = {"file": str(path), "octets": octets, "rows": rows, "deleted": gone, "damaged": damaged}
        self.say(options, f"{path}: {rows} rows, {octets / 1e6:.1f} MB.")
        for old in pruned.gone:
            self.say(options, f"Deleted {old.name}.")
        for bad in pruned.damaged:
            self.say(options, f"{bad.name} is damaged, and was not counted.")

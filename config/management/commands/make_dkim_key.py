"""`manage.py make_dkim_key`: a key to sign mail with, and what to publish for it."""

import os
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from mailer.dkim import BadKeyError, load_key, make_key
from papers.management.answering import AnsweringCommand


class Command(AnsweringCommand):
    """The doorway of `mailer.dkim.make_key`."""

    has_dry_run = True
    help = (
        "Make a private key for DKIM, write it to a file that only you can read, and print the DNS record to publish. "
        "An existing file is never overwritten. Name the file in DKIM_KEY_FILE once the record is published. "
        "RSA is what every mailbox provider checks; Ed25519 is small and quick, and goes along as DKIM_SECOND_KEY."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="Where the private key goes.")
        parser.add_argument("--kind", choices=["rsa", "ed25519"], default="rsa", help="Default: rsa.")
        parser.add_argument("--selector", default=settings.DKIM_KEYS[0][0] if settings.DKIM_KEYS else "papers")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        path: Path = options["file"]
        if path.exists():
            raise CommandError(f"{path} exists already; a key in use must not be lost.", returncode=2)
        pem = make_key(options["kind"])
        try:
            key = load_key(options["selector"], pem)
        except BadKeyError as error:
            raise CommandError(str(error), returncode=2) from error
        name = f"{key.selector}._domainkey.{settings.DKIM_DOMAIN}"
        self.answer = {"file": str(path), "kind": options["kind"], "name": name, "type": "TXT", "value": key.record()}
        if options["dry_run"]:
            self.say(options, f"Would write a new {options['kind']} key to {path}, to be published at {name}.")
            return
        _write(path, pem)
        self.say(options, f"The key is in {path}. Publish this TXT record, then set DKIM_KEY_FILE and DKIM_SELECTOR:")
        self.say(options, f"{name}\n    {key.record()}")


def _write(path: Path, pem: str) -> None:
    """Readable by nobody else at any moment."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(pem)

"""`manage.py reset_two_factor`: for somebody who lost their phone and their recovery codes."""

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from config.two_factor import has_second_factor, remove


class Command(BaseCommand):
    """The doorway of `config.two_factor.remove`."""

    help = (
        "Take the second factor of a person away, with its recovery codes: they sign in by their password alone until "
        "they set up another (at once, where ADMIN_TWO_FACTOR is on). Make sure that it is they who ask. "
        "Exit code 2: no such person."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="By which name they sign in.")
        parser.add_argument("--dry-run", action="store_true", help="Only say whether there is one.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError("Nobody signs in by this name.", returncode=2)
        had = has_second_factor(user) if options["dry_run"] else remove(user)
        done = "is there" if options["dry_run"] else "was taken away"
        self.stdout.write(f"The second factor {done}." if had else "There is no second factor.")

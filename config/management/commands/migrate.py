"""`manage.py migrate`, which on PostgreSQL waits for a lock for seconds and not for ever."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import OperationalError, connections

LOCK_SECONDS = 10
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_LOCK_NOT_AVAILABLE = "55P03"


class Command(DjangoCommand):
    """A change of a table that waits behind a long query keeps everybody else waiting behind itself: better to fail,
    with nothing done, and to be run again."""

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
        try:
            super().handle(*args, **options)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                raise
            raise CommandError(
                f"Somebody held a table for longer than {LOCK_SECONDS} seconds, so this migration was not applied, and "
                "nothing of it was done. Run it again at a quieter minute."
            ) from error
        finally:
            if (
                connection.vendor == "postgresql"
                and connection.connection is not None
                and not connection.in_atomic_block
            ):
                connection.close()

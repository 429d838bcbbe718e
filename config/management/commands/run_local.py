"""`manage.py run_local`, which is `make run`."""

import os
import signal
import sys
from contextlib import suppress

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections

from config import local
from config.supervisor import StopRequestedError, SupervisorError


class Command(BaseCommand):
    """The doorway of `config.local`."""

    help = (
        "Run the whole of Daily Papers on this machine, as `make run` does: a real Valkey, a Celery worker, Celery "
        "beat and the web server on 127.0.0.1, with a mailbox instead of real mail. Everything is kept in VAR_DIR, so "
        "the next start goes on where this one ended. PORT changes the port, OFFLINE=1 uses the bundled sample instead "
        "of the real sources. Ctrl-C ends everything."
    )
    requires_system_checks = ()

    def handle(self, *args: object, **options: object) -> None:
        """Run until somebody asks for the end (exit 0) or it cannot go on (exit 1)."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        try:
            self._run()
        except StopRequestedError:
            self._say("Ended. Everything is kept; `make run` goes on from here.")
        except (local.CannotRunError, SupervisorError) as error:
            self.stderr.write(str(error))
            sys.exit(1)

    is_stopping = False

    def _stop(self, number: int, frame: object) -> None:
        if not self.is_stopping:
            # Not through a stream that the signal may have interrupted in the middle of a write.
            with suppress(OSError):
                os.write(sys.stdout.fileno(), b"\nEnding ...\n")
        self.is_stopping = True

    def _run(self) -> None:
        local.check_environment(os.environ)
        # The mailbox and the password are for the eyes of whoever started this.
        os.umask(0o077)
        place = local.Place(var_dir=settings.VAR_DIR, base_dir=settings.BASE_DIR, port=settings.PORT)
        with local.only_one(place.var_dir) as lock:
            local.check_port(place.port)
            self._say("Starting ...")
            call_command("migrate", verbosity=0, interactive=False)
            sign_in = local.make_admin(place.var_dir)
            connections.close_all()
            with local.local_site(
                place=place, env=os.environ, say=self._say, is_stopping=lambda: self.is_stopping, lock=lock
            ) as supervisor:
                local.first_run(supervisor, say=self._say)
                self._say(local.describe(place, sign_in=sign_in, mailbox=settings.LOCAL_MAILBOX))
                supervisor.wait_until(lambda: False)

    def _say(self, text: str) -> None:
        # The terminal may be gone; what runs goes on without it, or ends in order.
        with suppress(OSError):
            self.stdout.write(text)
            self.stdout.flush()

"""`manage.py after_restore`: say what was sent since a backup, and let sending go on."""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from config.moving import is_unfinished_move
from config.restoring import finish_restore, is_finished
from digests.after_restore import editions_in_question, mark_sent
from papers.management.answering import AnsweringCommand
from subscriptions.holding import held, release_sending
from subscriptions.models import SendingHold


class Command(AnsweringCommand):
    """The doorway of `digests.after_restore` and `subscriptions.holding`."""

    help = (
        "While sending is held after a restore: list the editions that may have been sent since the backup, say of one "
        "that it was, and let everything go on. What you do not say was sent is sent, so a reader may have it twice; "
        "what you say was sent and was not, nobody gets. Your mail service's log tells which. Where a restore was "
        "broken off, or the database was put back by other means, release first lets those go who left since, and "
        "stops letters that were on their way.\n\n"
        "  manage.py after_restore                     list them\n"
        "  manage.py after_restore sent 2026-11-23     its mails that wait are skipped, with this as the reason\n"
        "  manage.py after_restore release             let sending go on\n\n"
        "Exit code 0: done. 1: sending is not held, or this is half of a move. 2: no such day, or "
        "one that is not in question."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("do", nargs="?", choices=["list", "sent", "release"], default="list")
        parser.add_argument("date", nargs="?", help="With sent: the edition's day, like 2026-11-23.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        hold, now = held(), timezone.now()
        if hold is None:
            raise CommandError("Sending is not held.")
        if is_unfinished_move(hold):
            raise CommandError(hold.reason)
        if options["do"] == "sent":
            self._sent(options, since=hold.since or hold.at, now=now)
        elif options["do"] == "release":
            self._release(options, hold, now=now)
        else:
            self._list(options, reason=hold.reason, since=hold.since or hold.at, now=now)

    def _release(self, options: Mapping[str, Any], hold: SendingHold, *, now: dt.datetime) -> None:
        if options["dry_run"]:
            self.say(options, "Sending would go on.")
            return
        if not is_finished(hold):
            _, let_go = finish_restore(since=hold.since or hold.at, now=now)
            self.answer = {"let_go": let_go}
            self.say(options, f"{let_go} readers who had left since are gone again.")
        release_sending()
        self.say(options, "Sending goes on within a minute.")

    def _list(self, options: Mapping[str, Any], *, reason: str, since: dt.datetime, now: dt.datetime) -> None:
        found = editions_in_question(since=since, now=now)
        self.answer = {
            "reason": reason,
            "since": since.isoformat(),
            "editions": [{"date": f"{one.date}", "state": one.says, "waiting": one.waiting} for one in found],
        }
        self.say(options, f"Sending is held: {reason}")
        self.say(options, f"What was sent since {since:%Y-%m-%d %H:%M} UTC is not known here. In question:")
        for one in found:
            self.say(options, f"  {one.date}  {one.says}, {one.waiting} mails wait")
        if not found:
            self.say(options, "  no edition")

    def _sent(self, options: Mapping[str, Any], *, since: dt.datetime, now: dt.datetime) -> None:
        try:
            date = dt.date.fromisoformat(options["date"] or "")
        except ValueError as error:
            raise CommandError("Say which day, like: after_restore sent 2026-11-23", returncode=2) from error
        if date > now.date() + dt.timedelta(days=1):
            raise CommandError(f"{date} has not come yet.", returncode=2)
        days = [f"{one.date}" for one in editions_in_question(since=since, now=now)]
        if f"{date}" not in days:
            raise CommandError(
                f"{date} is not in question. In question: {', '.join(days) or 'no edition'}.", returncode=2
            )
        skipped = 0 if options["dry_run"] else mark_sent(date=date, now=now)
        self.answer = {"date": f"{date}", "skipped": skipped}
        self.say(options, f"{date}: {skipped} mails that waited are skipped. Nobody gets this edition any more.")

"""`manage.py ask_again`: the yearly «do you still want this?», here and now."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.utils import timezone

from papers.management.answering import AnsweringCommand, in_words
from subscriptions.asking_again import ask_again


class Command(AnsweringCommand):
    """The doorway of `subscriptions.asking_again`."""

    help = (
        "Ask readers who gave no sign of life for ASK_AGAIN_AFTER_DAYS whether they still want the newsletter, and "
        "pause those who were asked and have not answered within 30 days. A sign is whatever a reader did here: "
        "confirming, changing a choice, a word on a paper. The questions are written down as mails; a worker or "
        "send_notices sends them. Beat does this once a day; at most 1000 are asked at once. --dry-run says how many "
        "it would be. Exit code 1: the setting is 0, which asks nobody."
    )
    has_dry_run = True

    def run(self, options: Mapping[str, Any]) -> None:
        if not settings.ASK_AGAIN_AFTER_DAYS:
            raise CommandError("ASK_AGAIN_AFTER_DAYS is 0: nobody is asked. Set it to 365 to ask once a year.")
        report = ask_again(now=timezone.now(), dry_run=options["dry_run"])
        self.answer = {"asked": report.asked, "paused": report.paused}
        self.say(options, in_words(self.answer))

"""`manage.py tick`: one minute's work of every kind, here and now, without worker, beat or queue."""

import datetime as dt
import logging
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction
from django.utils import timezone

from digests.alerts import tell_about_sources
from digests.delivering import due_deliveries
from digests.editions import publish_due_editions
from digests.management.commands.send_digests import EVERY_ROW, send_waiting_digests
from digests.planning import plan_due
from papers.backfilling import continue_backfill, due_backfills, plan_backfills
from papers.ingest import claim_due_sources, visit_source
from papers.management.answering import AnsweringCommand
from papers.recording import judge_all
from subscriptions.events import apply_events
from subscriptions.management.commands.send_notices import send_waiting_notices
from subscriptions.models import Notice
from subscriptions.moving import forget_old_changes
from subscriptions.outgoing import due_ids
from subscriptions.pausing import end_pauses
from subscriptions.signup import forget_unconfirmed

logger = logging.getLogger(__name__)


class Command(AnsweringCommand):
    """The doorway of what beat and the workers do each minute."""

    help = (
        "Do one minute's work of every kind in this process: visit the sources whose time has come, apply what mail "
        "services reported, wake readers whose pause is over, publish the editions that are due, plan and send the "
        "digests, send the notices, and forget who never confirmed. For machines where cron stands in for the worker,"
        " and for seeing what a minute does; workers may run at the same time. What is not due is left alone. --dry-"
        "run does all but fetching and sending, counts, and takes everything back. Exit code 1: a step failed; the "
        "others were still done."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-fetch", action="store_true", help="Leave the sources alone.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        is_dry, now = options["dry_run"], timezone.now()
        work: list[Callable[[], dict[str, Any]]] = [
            lambda: _apply(now),
            lambda: {"pauses_ended": end_pauses(now=now)},
            lambda: _publish(now),
            lambda: {"owner_told": tell_about_sources(now=now)},
            lambda: _plan(now),
            lambda: _forget(now),
        ]
        if is_dry:
            steps = [_count_sources, *work, _count_mails] if not options["no_fetch"] else [*work, _count_mails]
            with transaction.atomic():
                failed = self._do(steps, is_dry=True)
                transaction.set_rollback(True)
        else:
            quiet = options["json"]
            sending = [lambda: _send_digests(quiet=quiet), lambda: _send_notices(quiet=quiet)]
            failed = self._do([*([] if options["no_fetch"] else [_fetch]), *work, *sending], is_dry=False)
        for name, found in self.answer.items():
            self.say(
                options, f"{name.replace('_', ' ')}: {', '.join(found) or 'none' if isinstance(found, list) else found}"
            )
        if failed:
            raise CommandError("; ".join(failed))

    def _do(self, steps: list[Callable[[], dict[str, Any]]], *, is_dry: bool) -> list[str]:
        """Take each step; what goes wrong with one does not keep the others from their work. Returns what did."""
        failed = []
        for step in steps:
            try:
                # Inside the transaction of a dry run a step that fails takes back itself alone.
                with transaction.atomic() if is_dry else nullcontext():
                    self.answer |= step()
            except Exception as error:
                logger.exception("a step of the minute failed")
                failed.append(f"A step failed: {error.__class__.__name__}: {error}")
        return failed


def _fetch() -> dict[str, Any]:
    visits = [visit_source(source_id=pk, now=timezone.now()) for pk in claim_due_sources(now=timezone.now())]
    judge_all(now=timezone.now())
    plan_backfills(now=timezone.now())
    pages = [continue_backfill(backfill_id=pk, now=timezone.now()) for pk in due_backfills(now=timezone.now())]
    return {
        "sources_visited": len(visits),
        "sources_failed": [visit.source for visit in visits if visit.error],
        "backfill_pages": sum(page.is_asked for page in pages),
        "papers_new": sum(visit.report.new for visit in visits),
    }


def _count_sources() -> dict[str, Any]:
    return {"sources_due": len(claim_due_sources(now=timezone.now()))}


def _apply(now: dt.datetime) -> dict[str, Any]:
    return {"events_applied": apply_events(now=now)}


def _publish(now: dt.datetime) -> dict[str, Any]:
    return {"published": [str(edition.date) for edition in publish_due_editions(now=now)]}


def _plan(now: dt.datetime) -> dict[str, Any]:
    plan = plan_due(now=now)
    return {"digests_planned": plan.planned, "readers_waiting": plan.waiting, "readers_without_edition": plan.skipped}


def _forget(now: dt.datetime) -> dict[str, Any]:
    forget_old_changes(now=now)
    return {"unconfirmed_forgotten": forget_unconfirmed(now=now)}


def _send_digests(*, quiet: bool) -> dict[str, Any]:
    return {f"digests_{name}": count for name, count in send_waiting_digests(quiet=quiet).items()}


def _send_notices(*, quiet: bool) -> dict[str, Any]:
    return {f"notices_{name}": count for name, count in send_waiting_notices(quiet=quiet).items()}


def _count_mails() -> dict[str, Any]:
    return {
        "digests_to_send": len(due_deliveries(limit=EVERY_ROW)),
        "notices_to_send": len(due_ids(Notice, limit=EVERY_ROW)),
    }

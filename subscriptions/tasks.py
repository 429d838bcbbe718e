"""Doorways for the worker: each takes ids or nothing, calls one function, and is safe to run twice."""

import logging

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from limits.buckets import hold, release
from subscriptions.asking_again import ask_again as ask
from subscriptions.bounce_mailbox import MailboxError, open_mailbox
from subscriptions.bounce_reading import read_mailbox
from subscriptions.events import apply_events
from subscriptions.guard import forget_visitors
from subscriptions.heartbeat import beat
from subscriptions.import_runs import forget_previews, imports_wait
from subscriptions.import_runs import run_imports as run
from subscriptions.models import Notice
from subscriptions.moving import forget_old_changes
from subscriptions.notices import send_notices as send
from subscriptions.outgoing import due_ids, sweep
from subscriptions.pausing import end_pauses
from subscriptions.sign_in import forget_sessions
from subscriptions.signup import forget_unconfirmed
from subscriptions.submissions import read_submission, submissions_to_read

logger = logging.getLogger(__name__)

BATCH = 50
BOUNCE_MAILBOX_TURN = "bounce-mailbox"
READING_SECONDS = 290
MAIL_EVENTS_TURN = "mail-events"
EVENTS_SECONDS = 290
LETTERS = 2000


@shared_task
def send_notices(ids: list[int]) -> None:
    """Send these notices, and others that wait with them: in a rush one bell serves many, and the next none."""
    waiting = due_ids(Notice, limit=BATCH)
    if not waiting:
        return
    sent = send(dict.fromkeys([*ids, *waiting]), now=timezone.now())
    if sent and len(waiting) == BATCH:
        # Perhaps more than one bell can serve: after an outage, say. Where none could leave (sending is held, the mail
        # service is away), ringing at once would go round and round; the next minute rings.
        send_notices.delay([])


@shared_task
def show_life() -> None:
    """Write down that a task was done on this host: `manage.py check_worker` asks for it."""
    beat()


@shared_task
def read_bounces() -> None:
    """Take in what came back to the bounce address; one worker at a time, and at most so many letters a time."""
    token = hold(BOUNCE_MAILBOX_TURN, seconds=READING_SECONDS) if settings.BOUNCE_MAILBOX else ""
    if not token:
        return
    try:
        with open_mailbox(settings.BOUNCE_MAILBOX) as mailbox:
            counts = read_mailbox(mailbox, mailbox.names()[:LETTERS])
        logger.info("read the bounce mailbox: %s", dict(counts))
    except MailboxError as error:
        # It is asked again in five minutes.
        logger.warning("%s", error)
    finally:
        release(BOUNCE_MAILBOX_TURN, token=token)


@shared_task
def apply_mail_events() -> None:
    """Once a minute: apply what mail services said, however much it is; one worker at a time."""
    token = hold(MAIL_EVENTS_TURN, seconds=EVENTS_SECONDS)
    if not token:
        return
    try:
        apply_events(now=timezone.now())
    finally:
        release(MAIL_EVENTS_TURN, token=token)


@shared_task
def run_imports() -> None:
    """Import the lists that the owner said yes to."""
    run(now=timezone.now())


@shared_task
def read_submissions(ids: list[int]) -> None:
    """Fetch what readers submitted, so that it can be shown to them and to the curators."""
    for submission_id in ids:
        read_submission(submission_id=submission_id, now=timezone.now())


@shared_task
def tick() -> None:
    """Once a minute: end leases that ran out, ring for notices the queue forgot, apply what mail services said, wake
    those whose pause is over, forget who never confirmed and who knocked long ago, and ring for lists that wait to be
    imported."""
    sweep(Notice)
    if ids := due_ids(Notice, limit=BATCH):
        send_notices.delay(ids)
    apply_mail_events.delay()
    end_pauses(now=timezone.now())
    forget_unconfirmed(now=timezone.now())
    forget_old_changes(now=timezone.now())
    forget_visitors()
    forget_sessions(now=timezone.now())
    if waiting := submissions_to_read(now=timezone.now()):
        read_submissions.delay(waiting)
    forget_previews(now=timezone.now())
    if imports_wait():
        run_imports.delay()


@shared_task
def ask_again() -> None:
    """Once a day: the yearly question to readers who gave no sign, where the owner wants it asked."""
    report = ask(now=timezone.now())
    if report.notice_ids:
        send_notices.delay(list(report.notice_ids))

"""What readers submitted, on the desk: accepted or declined there, with a mail to whoever brought it."""

import datetime as dt
import logging

from django.contrib import messages
from django.http import HttpRequest

from subscriptions.models import Submission
from subscriptions.submissions import accept_submission, decline_submission, waiting_submissions

logger = logging.getLogger(__name__)

SHOWN = 30
ACCEPT, ACCEPT_AS_PICK, DECLINE = "accept", "accept-as-pick", "decline"
ACTS = {ACCEPT, ACCEPT_AS_PICK, DECLINE}
RIGHT = "subscriptions.change_submission"


def waiting() -> list[Submission]:
    """Those that wait for a curator, the oldest first."""
    return list(waiting_submissions()[:SHOWN])


def decide(request: HttpRequest, act: str, submission_id: int, *, now: dt.datetime) -> str:
    """Do what the button says. Returns what was done, for the trail; nothing where it could not be."""
    found = waiting_submissions().filter(pk=submission_id).first()
    if found is None or not request.user.has_perm(RIGHT):
        messages.warning(request, "This one was decided meanwhile.")
        return ""
    if act == DECLINE:
        decline_submission(submission=found, now=now)
        done = f"declined «{found}»"
    else:
        try:
            accept_submission(submission=found, is_pick=act == ACCEPT_AS_PICK, now=now)
        except ValueError:
            logger.exception("submission %d cannot be stored", found.pk)
            messages.error(request, "What was fetched cannot be stored. It stays as it was.")
            return ""
        done = f"accepted «{found}»{' as a pick' if act == ACCEPT_AS_PICK else ''}"
    messages.success(request, f"{done[0].upper()}{done[1:]}. The reader is told by mail.")
    return done

"""One-line summaries by a machine, where the owner has switched them on: asked for ahead of time, never while a mail is
made, so a machine that is slow, wrong or gone costs nobody a mail. A card shows a line if one is there, and says whose
words it is.

Each paper is asked about once; where no fit line came, again after an hour, three times at most. A day's asking is
counted in the database before it happens, so no number of workers asks about more papers than the owner pays for.
"""

import datetime as dt
import logging
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from digests.models import Delivery, Edition, EditionPaper, EditionState
from papers.models import OneLiner, OneLinerDay, Paper
from papers.one_liners import Endpoint, NoAnswerError, Question, ask
from subscriptions.outgoing import due_ids

BATCH = 8
MOST_ATTEMPTS = 3
WAIT = dt.timedelta(hours=1)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SummaryReport:
    """What one run did: papers asked about, lines kept, and why it did no more."""

    asked: int = 0
    kept: int = 0
    reason: str = ""


def write_summaries(*, now: dt.datetime, dry_run: bool = False) -> SummaryReport:
    """Ask about the next few papers of the editions to come, in one request. Safe to run twice and at once.

    Does nothing where it is switched off, where digests wait to be sent, or when the day's budget is used up.
    """
    if not (settings.SUMMARY_URL and settings.SUMMARY_MODEL):
        return SummaryReport(reason="Summaries are switched off: SUMMARY_URL and SUMMARY_MODEL are not set.")
    if due_ids(Delivery, limit=1):
        return SummaryReport(reason="Digests wait to be sent, which comes first.")
    wanted = _wanted(now)
    if dry_run or not wanted:
        return SummaryReport(asked=len(wanted), reason="" if wanted else "Every paper has been asked about.")
    papers = _claim(wanted, now=now)
    if not papers:
        return SummaryReport(reason="The budget of the day is used up, or another worker was quicker.")
    # No transaction is open here: the machine may take its time.
    return _ask_and_keep(papers, now=now)


def _wanted(now: dt.datetime) -> list[Paper]:
    """Papers of the newest editions that have no line and may be asked about, those most readers will see first."""
    editions = Edition.objects.filter(state__in=[EditionState.DRAFT, EditionState.HELD, EditionState.PUBLISHED])
    newest = list(editions.order_by("-date").values_list("id", flat=True)[:2])
    entries = EditionPaper.objects.filter(edition_id__in=newest).sendable().exclude(paper__abstract="")
    never = Q(paper__one_liner__isnull=True)
    again = Q(
        paper__one_liner__text="",
        paper__one_liner__is_removed=False,
        paper__one_liner__attempts__lt=MOST_ATTEMPTS,
        paper__one_liner__asked_at__lte=now - WAIT,
    )
    rows = entries.filter(never | again).order_by(
        "-edition__date", "-choice", F("paper__upvotes").desc(nulls_last=True)
    )
    ids = list(dict.fromkeys(rows.values_list("paper_id", flat=True)[: 4 * BATCH]))[:BATCH]
    papers = Paper.objects.in_bulk(ids)
    return [papers[pk] for pk in ids]


@transaction.atomic
def _claim(papers: list[Paper], *, now: dt.datetime) -> list[Paper]:
    """Those of these papers that are ours to ask about, with the day's budget taken for them."""
    OneLinerDay.objects.get_or_create(date=now.date())
    day = OneLinerDay.objects.select_for_update().get(date=now.date())
    left = max(0, settings.SUMMARY_DAILY_LIMIT - day.asked)
    claimed = [paper for paper in papers[:left] if _claim_one(paper, now=now)]
    OneLinerDay.objects.filter(pk=day.pk).update(asked=F("asked") + len(claimed))
    return claimed


def _claim_one(paper: Paper, *, now: dt.datetime) -> bool:
    line, is_new = OneLiner.objects.get_or_create(paper=paper, defaults={"asked_at": now, "attempts": 1})
    if is_new:
        return True
    free = OneLiner.objects.filter(pk=line.pk, text="", is_removed=False, asked_at__lte=now - WAIT)
    return bool(free.filter(attempts__lt=MOST_ATTEMPTS).update(asked_at=now, attempts=F("attempts") + 1))


def _ask_and_keep(papers: list[Paper], *, now: dt.datetime) -> SummaryReport:
    endpoint = Endpoint(url=settings.SUMMARY_URL, model=settings.SUMMARY_MODEL, key=settings.SUMMARY_KEY)
    questions = [Question(paper.pk, paper.title, paper.abstract) for paper in papers]
    try:
        lines = ask(questions, endpoint=endpoint)
    except NoAnswerError as error:
        logger.warning("no summaries: %s", error)
        return SummaryReport(asked=len(papers), reason=str(error))
    kept = 0
    for paper_id, text in lines.items():
        unwritten = OneLiner.objects.filter(paper_id=paper_id, text="", is_removed=False)
        kept += unwritten.update(text=text, model=settings.SUMMARY_MODEL, written_at=now)
    return SummaryReport(asked=len(papers), kept=kept)

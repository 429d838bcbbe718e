"""What is wrong, or will be, with the way papers come in: what `doctor` asks this package."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from papers.backfilling import can_backfill
from papers.holidays import announcement_holidays
from papers.models import Backfill, BackfillState, Source, SourceState

WARN_BEFORE = dt.timedelta(days=30)


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, in a sentence, and what to do about it."""

    level: Level
    about: str
    says: str
    hint: str = ""


def check_holidays(*, now: dt.datetime) -> Finding:
    """The calendar of days without announcement is still good for a month."""
    until = announcement_holidays().covered_until
    left = (until - now.date()).days
    says = f"The calendar of arXiv's holidays is good until {until}."
    hint = (
        "Bring papers/data/announcement_holidays.csv up to date from https://info.arxiv.org/help/availability.html, or "
        "install a newer version. Without it a holiday looks like a stalled source."
    )
    if left < 0:
        return Finding(Level.ERROR, "holidays", f"The calendar of arXiv's holidays ran out on {until}.", hint)
    if left <= WARN_BEFORE.days:
        return Finding(Level.WARNING, "holidays", f"{says} That is {left} more days.", hint)
    return Finding(Level.OK, "holidays", says)


def check_sources(*, now: dt.datetime) -> Iterator[Finding]:
    """Each source that is on brings what it should."""
    sources = list(Source.objects.on())
    if not sources:
        yield Finding(Level.WARNING, "sources", "No source is switched on.", "Switch one on in the admin.")
    for source in sources:
        yield _check_source(source)
    for backfill in Backfill.objects.filter(state=BackfillState.FAILED, finished_at__gt=now - dt.timedelta(days=7)):
        says = f"The back-fill of {backfill} was given up: {backfill.error}"
        yield Finding(Level.WARNING, "back-fill", says, "Start it again: manage.py backfill_papers --help")


def _check_source(source: Source) -> Finding:
    is_ill = source.state in {SourceState.STALLED, SourceState.FAILING}
    if not (is_ill or source.missing_dates):
        return Finding(Level.OK, source.slug, f"{source.name}: {source.state_reason or 'not visited yet'}.")
    says, hints = [], []
    if is_ill:
        says.append(f"{source.name} is {source.state}: {source.state_reason}. {source.last_error}".strip())
        hints.append("See its latest visits in the admin.")
    if source.missing_dates:
        says.append(f"{source.name}: days are missing: {', '.join(source.missing_dates)}.")
        hints.append(
            "They are asked for again by themselves."
            if can_backfill(source)
            else "Give the source a back-fill address, so that they can be asked for again."
        )
    return Finding(Level.WARNING, source.slug, " ".join(says), " ".join(hints))

"""What the owner must know: `papers` records the states of sources, here they become notices, each once."""

import datetime as dt

from django.urls import reverse

from papers.models import Source, SourceChange, SourceState
from subscriptions.models import NoticeKind
from subscriptions.owner import tell_owner

# Changes older than this are no news; the key of each notice keeps it from being told twice within it.
LOOK_BACK = dt.timedelta(days=3)


def tell_about_sources(*, now: dt.datetime) -> int:
    """Tell of sources that have stalled, are back, or left out days. Returns how many notices are new. Safe twice."""
    told = sum(_tell_change(change) for change in _changes(now))
    return told + sum(_tell_missing(source) for source in Source.objects.on().exclude(missing_dates=[]))


def _changes(now: dt.datetime) -> list[SourceChange]:
    recent = SourceChange.objects.filter(at__gt=now - LOOK_BACK).select_related("source").order_by("id")
    return [change for change in recent if SourceState.STALLED in {change.before, change.after}]


def _tell_change(change: SourceChange) -> bool:
    source = change.source
    if change.after == SourceState.STALLED:
        details = {**_about(source), "reason": change.reason, "last_error": source.last_error}
        return tell_owner(key=f"source-stalled-{change.pk}", kind=NoticeKind.SOURCE_STALLED, details=details)
    if change.after == SourceState.OFF:
        return False
    details = {**_about(source), "reason": change.reason, "since": f"{change.at:%A, %d %B, %H:%M} UTC"}
    return tell_owner(key=f"source-back-{change.pk}", kind=NoticeKind.SOURCE_BACK, details=details)


def _tell_missing(source: Source) -> bool:
    """A stall is told by its own notice; this is for days that are gone although the source goes on."""
    if source.state == SourceState.STALLED:
        return False
    days = [dt.date.fromisoformat(day) for day in source.missing_dates]
    details = {**_about(source), "days": ", ".join(f"{day:%A, %d %B}" for day in days)}
    return tell_owner(key=f"days-missing-{source.pk}-{days[-1]}", kind=NoticeKind.DAYS_MISSING, details=details)


def _about(source: Source) -> dict[str, str]:
    first, last = (source.missing_dates or ["YYYY-MM-DD"])[0], (source.missing_dates or ["YYYY-MM-DD"])[-1]
    return {
        "source": source.name,
        "admin_path": reverse("admin:papers_source_change", args=[source.pk]),
        "backfill_command": f"manage.py backfill_papers --source {source.slug} --since {first} --until {last}",
        "is_made_good": "yes" if source.backfill_url else "",
    }

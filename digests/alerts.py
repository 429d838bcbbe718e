"""What the owner must know: `papers` records the states of sources, here they become notices, each once."""

import datetime as dt

from django.conf import settings
from django.urls import reverse

from mailer.languages import short_day_of_week, speaking
from papers.backfilling import can_backfill
from papers.models import Source, SourceChange, SourceState
from subscriptions.models import Notice, NoticeKind
from subscriptions.owner import tell_owner
from subscriptions.schedule import known_zone

# Changes older than this are no news; the key of each notice keeps it from being told twice within it.
LOOK_BACK = dt.timedelta(days=3)
_ABOUT_DAYS = (NoticeKind.SOURCE_STALLED, NoticeKind.DAYS_MISSING)


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
    details = {**_about(source), "reason": change.reason, "since": _moment(change.at)}
    return tell_owner(key=f"source-back-{change.pk}", kind=NoticeKind.SOURCE_BACK, details=details)


def _tell_missing(source: Source) -> bool:
    """A stall is told by its own notice; this is for days that are gone although the source goes on."""
    if source.state == SourceState.STALLED:
        return False
    told = Notice.objects.filter(kind__in=_ABOUT_DAYS, details__source_id=str(source.pk))
    known = {day for days in told.values_list("details__missing", flat=True) for day in (days or "").split()}
    untold = [day for day in source.missing_dates if day not in known]
    if not untold:
        return False
    with speaking(""):
        days = ", ".join(short_day_of_week(dt.date.fromisoformat(day)) for day in source.missing_dates)
    key = f"days-missing-{source.pk}-{untold[0]}-{untold[-1]}"
    return tell_owner(key=key, kind=NoticeKind.DAYS_MISSING, details={**_about(source), "days": days})


def _moment(at: dt.datetime) -> str:
    # The owner's clock is the one by which editions are published.
    local = at.astimezone(known_zone(settings.EDITION_TIME_ZONE))
    with speaking(""):
        return f"{short_day_of_week(local.date())}, {local:%H:%M} ({settings.EDITION_TIME_ZONE})"


def _about(source: Source) -> dict[str, str]:
    return {
        "source": source.name,
        "source_id": str(source.pk),
        "missing": " ".join(source.missing_dates),
        "admin_path": reverse("admin:papers_source_change", args=[source.pk]),
        "is_made_good": "yes" if can_backfill(source) else "",
    }

"""How the sources are, for everybody to see: no addresses, no error of a machine, nothing secret."""

import datetime as dt
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from digests.editions import latest_shown
from digests.pages.caching import public_page
from digests.pages.frame import show
from digests.pages.neighbours import note_for
from papers.models import Source, SourceState

_WORDS = {
    SourceState.FRESH: "Up to date",
    SourceState.WAITING: "Waiting for what is announced next",
    SourceState.QUIET: "Quiet: nothing is announced these days",
    SourceState.STALLED: "Late: what should have come has not. We ask again and fetch what is missing",
    SourceState.FAILING: "Cannot be reached just now. We ask again",
    SourceState.OFF: "Switched off",
}
_BAD = {SourceState.STALLED, SourceState.FAILING}


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source, in words."""

    name: str
    says: str
    is_well: bool
    last_new_at: dt.datetime | None
    missing: tuple[dt.date, ...]


@public_page()
def status(request: HttpRequest) -> HttpResponse:
    """Each source with its state, its last new papers, and the days that are missing."""
    now = timezone.now()
    sources = [_line(source) for source in Source.objects.exclude(state=SourceState.OFF).order_by("name")]
    edition = latest_shown(now)
    context = {
        "sources": sources,
        "all_well": all(source.is_well for source in sources),
        "edition": edition,
        "note": note_for(edition.date, now=now) if edition else "",
    }
    return show(request, "site/status.html", context, is_listed=False)


def _line(source: Source) -> SourceLine:
    return SourceLine(
        name=source.name,
        says=_WORDS[SourceState(source.state)],
        is_well=source.state not in _BAD,
        last_new_at=source.last_new_at,
        missing=tuple(dt.date.fromisoformat(day) for day in source.missing_dates)[-10:],
    )

"""The first loop of a new installation: from the real sources if they can be reached, else from the bundled sample."""

import datetime as dt
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from django.conf import settings

from digests.editions import local_date, publish_now
from digests.models import Edition, EditionPaper
from papers.fetching import can_connect
from papers.ingest import fetch_policy, visit_source
from papers.models import Source, SourceState
from papers.recording import Visit
from papers.sample.server import SAMPLE_PATHS

Clock = Callable[[], dt.datetime]

CONNECT_SECONDS = 5.0
SAMPLE_NAMES = {"arxiv": "Sample (arXiv’s format)", "hf": "Sample (Hugging Face’s format)"}


def first_loop(*, sample_url: str, clock: Clock, say: Callable[[str], None]) -> Edition | None:
    """Fetch, store, and publish the first edition. Does nothing where an edition was ever shown. Safe to run twice.

    `clock` is asked again for each step: the worker may be storing papers at the same time, and they belong in, too.
    """
    point_sample_at(sample_url)
    if shown := Edition.objects.shown().first():
        return shown
    if settings.OFFLINE or not _is_online():
        reason = "OFFLINE is set" if settings.OFFLINE else "No source can be reached"
        say(f"{reason}: using the bundled sample papers.")
        visits = visit_all(Source.objects.filter(is_sample=True), clock=clock, say=say)
    else:
        visits = visit_all(Source.objects.filter(is_sample=False).exclude(state=SourceState.OFF), clock=clock, say=say)
        if not any(visit.report.entries for visit in visits):
            say("The sources have nothing to show now: using the bundled sample papers.")
            visits += visit_all(Source.objects.filter(is_sample=True), clock=clock, say=say)
    # Today's cut-off may have passed, but a new installation has something to show at once.
    now = clock()
    published = publish_now(date=local_date(now), now=now)
    if published.edition:
        count = EditionPaper.objects.filter(edition=published.edition).shown().count()
        say(f"Published the edition of {published.edition.date} with {count} papers.")
    else:
        say(published.reason)
    return published.edition


def point_sample_at(base_url: str) -> None:
    """Keep the sample's sources at the address where it is served this time, and off where it is not served."""
    if not base_url:
        Source.objects.filter(is_sample=True).update(state=SourceState.OFF)
        return
    for kind, path in SAMPLE_PATHS.items():
        url = f"{base_url.rstrip('/')}{path}"
        # Only when offline is the sample polled again day by day; else it served the first loop and rests.
        state = SourceState.WAITING if settings.OFFLINE else SourceState.OFF
        Source.objects.update_or_create(
            slug=f"sample-{kind}",
            defaults={"name": SAMPLE_NAMES[kind], "kind": kind, "url": url, "is_sample": True, "state": state},
        )


def visit_all(sources: Iterable[Source], *, clock: Clock, say: Callable[[str], None]) -> list[Visit]:
    """Visit these sources one after the other, saying how each went."""
    visits = []
    for source in sources:
        visit = visit_source(source_id=source.pk, now=clock())
        visits.append(visit)
        outcome = visit.error or f"{visit.report.entries} entries, {visit.report.new} new"
        say(f"  {source.name}: {outcome}")
    return visits


def _is_online() -> bool:
    """Whether any host of our sources answers, asking each once, within five seconds in all."""
    urls = {urlsplit(url).netloc: url for url in Source.objects.filter(is_sample=False).values_list("url", flat=True)}
    deadline = time.monotonic() + CONNECT_SECONDS
    for number, url in enumerate(urls.values()):
        left = deadline - time.monotonic()
        share = left / (len(urls) - number)
        if share > 0 and can_connect(url, policy=fetch_policy(), timeout=share):
            return True
    return False

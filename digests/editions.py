"""The life of an edition: it grows, is curated, publishes itself or is published, is paused, ends.

Every change of state is one conditional UPDATE, so pressing a button twice, or two curators at once, does it once.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from digests.models import SHOWN_STATES, Choice, Edition, EditionPaper, EditionState, age_limit
from papers.entries import AnnouncementKind
from papers.models import Announcement, Paper

CANDIDATE_DAYS = 7
_CHUNK = 1000
_COUNTS_AS_ANNOUNCED = (AnnouncementKind.NEW, AnnouncementKind.CROSS_LIST)
_NOT_YET_SHOWN = (EditionState.DRAFT, EditionState.HELD)


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing: the edition, or why there is none."""

    edition: Edition | None
    reason: str = ""


def cutoff_of(date: dt.date) -> dt.datetime:
    """The instant at which the edition of this date publishes itself, in UTC."""
    zone = ZoneInfo(settings.EDITION_TIME_ZONE)
    return dt.datetime.combine(date, settings.EDITION_CUTOFF, tzinfo=zone).astimezone(dt.UTC)


def local_date(now: dt.datetime) -> dt.date:
    """The date an edition would have at this instant."""
    return now.astimezone(ZoneInfo(settings.EDITION_TIME_ZONE)).date()


def open_date(now: dt.datetime) -> dt.date:
    """The date of the edition that papers seen now go into."""
    today = local_date(now)
    return today if now < cutoff_of(today) else today + dt.timedelta(days=1)


def next_date(now: dt.datetime) -> dt.date:
    """The date of the edition to publish by hand now: today's, unless it was shown or cancelled before."""
    today = local_date(now)
    is_done = Edition.objects.filter(date=today).exclude(state__in=[EditionState.DRAFT, EditionState.HELD]).exists()
    return open_date(now) if is_done else today


def grow_draft(*, date: dt.date, cutoff_at: dt.datetime) -> int:
    """Put every paper that belongs into the edition of `date`. Returns how many came in. Safe to run twice.

    It takes each paper announced (new or cross-listed) on or before that day, not older than a week, seen before the
    cut-off, not withdrawn, and in no edition already shown. A day without such papers gets no edition.
    """
    paper_ids = _candidate_ids(date=date, cutoff_at=cutoff_at)
    if not paper_ids:
        return 0
    with transaction.atomic():
        # Locked, so that it cannot be published between the look at its state and the papers that come in.
        edition, _ = Edition.objects.select_for_update().get_or_create(date=date, defaults={"cutoff_at": cutoff_at})
        if edition.state not in _NOT_YET_SHOWN:
            return 0
        held = set(edition.entries.values_list("paper_id", flat=True))
        fresh = [EditionPaper(edition=edition, paper_id=pk) for pk in paper_ids if pk not in held]
        EditionPaper.objects.bulk_create(fresh, ignore_conflicts=True, batch_size=_CHUNK)
    return len(fresh)


def publish_due_editions(*, now: dt.datetime) -> list[Edition]:
    """Bring the drafts up to date, publish those whose cut-off has come, close those too old to send."""
    today = local_date(now)
    if not Edition.objects.filter(date=today, state__in=SHOWN_STATES).exists():
        grow_draft(date=today, cutoff_at=cutoff_of(today))
    due = Edition.objects.filter(state=EditionState.DRAFT, cutoff_at__lte=now, date__gte=age_limit(now))
    published = [edition for edition in due.order_by("date") if publish(edition, now=now)]
    # Only now, or the next draft would take the papers of the edition that is just being published.
    if open_date(now) != today:
        grow_draft(date=open_date(now), cutoff_at=cutoff_of(open_date(now)))
    old = Edition.objects.filter(date__lt=age_limit(now))
    old.filter(state__in=[EditionState.PUBLISHED, EditionState.PAUSED]).update(state=EditionState.CLOSED)
    # A closed edition has a public page. What was never published, perhaps on purpose, gets none by growing old.
    old.filter(state__in=_NOT_YET_SHOWN).update(state=EditionState.CANCELLED)
    return published


def publish(edition: Edition, *, now: dt.datetime) -> bool:
    """Publish a draft or held edition. True where this call did it; a second one changes nothing.

    Papers never stand in two shown editions: candidates that another showed meanwhile leave this one, and its papers,
    hidden ones too, leave the drafts. What a curator touched stays where they put it, for them to see.
    """
    with transaction.atomic():
        # Not a join, with which a publish and a cancel at the same moment could both succeed; see `begin`.
        changed = Edition.objects.filter(
            Exists(_not_shown_elsewhere(EditionPaper.objects.filter(edition=OuterRef("pk")))),
            pk=edition.pk,
            state__in=_NOT_YET_SHOWN,
        ).update(state=EditionState.PUBLISHED, published_at=now)
        if changed:
            own = EditionPaper.objects.filter(edition=edition)
            own.exclude(pk__in=_not_shown_elsewhere(own).values("pk")).delete()
            EditionPaper.objects.filter(
                edition__state__in=_NOT_YET_SHOWN, choice=Choice.CANDIDATE, paper_id__in=own.values("paper_id")
            ).delete()
    edition.refresh_from_db()
    return bool(changed)


def publish_now(*, date: dt.date, now: dt.datetime) -> Published:
    """Publish the edition of `date` at once, with all that was seen until now."""
    edition = Edition.objects.filter(date=date).first()
    if edition and edition.state in SHOWN_STATES:
        return Published(edition, "It was published before; nothing changed.")
    if edition and edition.state == EditionState.CANCELLED:
        return Published(None, f"The edition of {date} was cancelled.")
    grow_draft(date=date, cutoff_at=now)
    edition = Edition.objects.filter(date=date).first()
    if edition is None:
        return Published(None, f"Nothing announced: there are no papers for {date}.")
    if not publish(edition, now=now):
        return Published(None, f"The edition of {date} has no papers that were not shown before.")
    return Published(edition)


def hold(edition: Edition) -> bool:
    """Keep a draft from publishing itself."""
    return _move(edition, {EditionState.DRAFT}, EditionState.HELD)


def release(edition: Edition) -> bool:
    """Let a held edition publish itself again."""
    return _move(edition, {EditionState.HELD}, EditionState.DRAFT)


def pause(edition: Edition) -> bool:
    """Hand over nothing more of it until it is resumed."""
    return _move(edition, {EditionState.PUBLISHED}, EditionState.PAUSED)


def resume(edition: Edition) -> bool:
    """Go on with a paused edition."""
    return _move(edition, {EditionState.PAUSED}, EditionState.PUBLISHED)


def cancel(edition: Edition) -> bool:
    """Never send it, or the rest of it."""
    return _move(
        edition,
        {*_NOT_YET_SHOWN, EditionState.PUBLISHED, EditionState.PAUSED},
        EditionState.CANCELLED,
    )


def amend(edition: Edition) -> None:
    """Note that a shown edition was changed, so that deliveries record which revision they were made from."""
    Edition.objects.filter(pk=edition.pk, state__in=SHOWN_STATES).update(revision=F("revision") + 1)


def latest_shown(now: dt.datetime) -> Edition | None:
    """The edition the front page shows."""
    return Edition.objects.shown().filter(date__lte=open_date(now)).first()


def _move(edition: Edition, before: set[EditionState], after: EditionState) -> bool:
    changed = Edition.objects.filter(pk=edition.pk, state__in=before).update(state=after)
    edition.refresh_from_db()
    return bool(changed)


def _not_shown_elsewhere(entries: QuerySet[EditionPaper]) -> QuerySet[EditionPaper]:
    """Those of these entries that a curator touched, or whose paper stands in no other edition that was shown."""
    elsewhere = EditionPaper.objects.filter(paper=OuterRef("paper"), edition__state__in=SHOWN_STATES)
    return entries.exclude(Exists(elsewhere.exclude(edition=OuterRef("edition"))), choice=Choice.CANDIDATE)


def _candidate_ids(*, date: dt.date, cutoff_at: dt.datetime) -> list[int]:
    announced = Announcement.objects.filter(
        date__lte=date,
        date__gt=date - dt.timedelta(days=CANDIDATE_DAYS),
        kind__in=_COUNTS_AS_ANNOUNCED,
        seen_at__lt=cutoff_at,
    )
    shown_before = EditionPaper.objects.filter(edition__state__in=SHOWN_STATES)
    papers = (
        Paper.objects.filter(withdrawn_at__isnull=True, id__in=announced.values("paper_id"))
        .exclude(id__in=shown_before.values("paper_id"))
        .order_by("id")
    )
    return list(papers.values_list("id", flat=True))

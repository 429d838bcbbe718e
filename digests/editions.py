"""The life of an edition: it grows, is curated, publishes itself or is published, is paused, ends.

Every change of state is one conditional UPDATE, so pressing a button twice, or two curators at once, does it once.
"""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from digests.models import SHOWN_STATES, Choice, Edition, EditionPaper, EditionState, age_limit
from papers.changes import NEWS_DAYS
from papers.entries import AnnouncementKind
from papers.models import Announcement, Paper

CANDIDATE_DAYS = NEWS_DAYS
_CHUNK = 1000
_COUNTS_AS_NEW = (AnnouncementKind.NEW, AnnouncementKind.CROSS_LIST)
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
    cut-off, not withdrawn, and in no edition already shown. A day without such papers gets no edition, and a draft left
    without any goes. New versions of older papers come in beside them, marked: they are for the readers who asked for
    those.
    """
    with transaction.atomic():
        # Locked, so that it cannot be published between the look at its state and the papers that come in.
        edition = Edition.objects.select_for_update().filter(date=date).first()
        if edition is not None:
            if edition.state not in _NOT_YET_SHOWN:
                return 0
            _drop_gone(edition)
        new_ids = _candidate_ids(date=date, cutoff_at=cutoff_at)
        if not new_ids:
            if edition is not None:
                _discard_empty(edition)
            return 0
        new_versions = _new_version_ids(date=date, cutoff_at=cutoff_at)
        if edition is None:
            edition, _ = Edition.objects.select_for_update().get_or_create(date=date, defaults={"cutoff_at": cutoff_at})
            if edition.state not in _NOT_YET_SHOWN:
                return 0
        held = dict(edition.entries.values_list("paper_id", "is_replacement"))
        fresh = [EditionPaper(edition=edition, paper_id=pk) for pk in new_ids if pk not in held]
        versions = [
            EditionPaper(edition=edition, paper_id=pk, is_replacement=True)
            for pk in new_versions
            if pk not in held and pk not in new_ids
        ]
        EditionPaper.objects.bulk_create([*fresh, *versions], ignore_conflicts=True, batch_size=_CHUNK)
        # Announced as new after all: its new version came in first.
        news = [pk for pk in new_ids if held.get(pk)]
        edition.entries.filter(paper_id__in=news, is_replacement=True).update(is_replacement=False)
    return len(fresh)


def take_submitted(*, paper_id: int, is_pick: bool, now: dt.datetime) -> Edition | None:
    """Put a paper that a curator accepted among those of the edition being made, which begins with it if need be, as a
    candidate or as a pick behind the others. None where that edition was shown or cancelled. In the caller's
    transaction."""
    date = next_date(now)
    edition, _ = Edition.objects.select_for_update().get_or_create(
        date=date, defaults={"cutoff_at": max(cutoff_of(date), now + dt.timedelta(minutes=1))}
    )
    if edition.state not in _NOT_YET_SHOWN:
        return None
    entry, _ = EditionPaper.objects.get_or_create(edition=edition, paper_id=paper_id)
    if is_pick and entry.choice != Choice.PICK:
        places = edition.entries.filter(choice=Choice.PICK).aggregate(last=Max("position"))
        last = -1 if places["last"] is None else places["last"]
        EditionPaper.objects.filter(pk=entry.pk).update(choice=Choice.PICK, position=last + 1, is_replacement=False)
    return edition


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
    """Publish a draft or held edition that has something to show. True where this call did it; a second one changes
    nothing.

    Papers never stand in two shown editions: candidates that another showed meanwhile leave this one, and its papers,
    hidden ones too, leave the drafts. What a curator touched stays where they put it, for them to see.
    """
    with transaction.atomic():
        # Not a join, with which a publish and a cancel at the same moment could both succeed; see `begin`.
        changed = Edition.objects.filter(
            Exists(_not_shown_elsewhere(EditionPaper.objects.shown().filter(edition=OuterRef("pk")))),
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
    """Note that a shown edition was changed: digests that are being made of it are made anew, and deliveries record
    which revision they were made from. The digests of later editions may cover this one, so those change with it."""
    later = Q(date__gt=edition.date, state__in=[EditionState.PUBLISHED, EditionState.PAUSED])
    Edition.objects.filter(Q(pk=edition.pk, state__in=SHOWN_STATES) | later).update(revision=F("revision") + 1)


def amend_holding(paper_ids: Collection[int]) -> None:
    """The same for every edition that may still be sent and holds one of these papers, which were changed; and for
    those sent long ago, whose pages are kept under their revision (docs/adr/0022)."""
    sendable = Edition.objects.filter(state__in=[EditionState.PUBLISHED, EditionState.PAUSED])
    holding = EditionPaper.objects.filter(edition_id=OuterRef("pk"), paper_id__in=paper_ids)
    first = sendable.filter(Exists(holding)).order_by("date").first()
    if first is not None:
        amend(first)
    Edition.objects.filter(Exists(holding), state=EditionState.CLOSED).update(revision=F("revision") + 1)


def latest_shown(now: dt.datetime) -> Edition | None:
    """The edition the front page shows."""
    return Edition.objects.shown().filter(date__lte=open_date(now)).first()


def _move(edition: Edition, before: set[EditionState], after: EditionState) -> bool:
    changed = Edition.objects.filter(pk=edition.pk, state__in=before).update(state=after)
    edition.refresh_from_db()
    return bool(changed)


def _not_shown_elsewhere(entries: QuerySet[EditionPaper]) -> QuerySet[EditionPaper]:
    """Those of these entries that a curator touched, or whose paper stands in no other edition that was shown (a new
    version: in none that showed a new version)."""
    elsewhere = EditionPaper.objects.filter(
        paper=OuterRef("paper"), is_replacement=OuterRef("is_replacement"), edition__state__in=SHOWN_STATES
    )
    return entries.exclude(Exists(elsewhere.exclude(edition=OuterRef("edition"))), choice=Choice.CANDIDATE)


def _drop_gone(edition: Edition) -> None:
    """What was withdrawn, or was found to be the same as another paper just when it came in, leaves an edition that
    nobody has seen; what a curator touched stays for them to see."""
    is_gone = Q(paper__withdrawn_at__isnull=False) | Q(paper__merged_into__isnull=False)
    gone = edition.entries.filter(is_gone, choice=Choice.CANDIDATE)
    EditionPaper.objects.filter(pk__in=list(gone.values_list("pk", flat=True))).delete()


def _discard_empty(edition: Edition) -> None:
    """A draft that nobody touched and that has nothing to show is none."""
    rest = edition.entries.exclude(choice=Choice.CANDIDATE, is_replacement=True)
    if edition.state == EditionState.DRAFT and not (edition.title or edition.subject or edition.intro or rest.exists()):
        edition.delete()


def _candidate_ids(*, date: dt.date, cutoff_at: dt.datetime) -> list[int]:
    announced = _announced(date=date, cutoff_at=cutoff_at).filter(kind__in=_COUNTS_AS_NEW)
    shown_before = EditionPaper.objects.filter(edition__state__in=SHOWN_STATES, is_replacement=False)
    return _standing_ids(announced, shown_before)


def _new_version_ids(*, date: dt.date, cutoff_at: dt.datetime) -> list[int]:
    replaced = _announced(date=date, cutoff_at=cutoff_at).filter(kind=AnnouncementKind.REPLACEMENT)
    # A week later the same paper may come in a newer version still.
    lately = EditionPaper.objects.filter(
        edition__state__in=SHOWN_STATES, edition__date__gt=date - dt.timedelta(days=CANDIDATE_DAYS)
    )
    return _standing_ids(replaced, lately.filter(is_replacement=True))


def _announced(*, date: dt.date, cutoff_at: dt.datetime) -> QuerySet[Announcement]:
    return Announcement.objects.filter(
        date__lte=date, date__gt=date - dt.timedelta(days=CANDIDATE_DAYS), seen_at__lt=cutoff_at
    )


def _standing_ids(announced: QuerySet[Announcement], shown: QuerySet[EditionPaper]) -> list[int]:
    papers = Paper.objects.standing().filter(id__in=announced.values("paper_id"))
    papers = papers.exclude(id__in=shown.values("paper_id")).order_by("id")
    return list(papers.values_list("id", flat=True))

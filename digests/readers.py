"""The readers of a batch of digests, read from the database together: a few queries for all, never some for each.

A paper is news for a week, so what a reader had in the last two weeks is all they can have had of the papers in an
edition, but for those that come back: new versions of older papers, and papers of earlier editions that were announced
once more. For these all that a reader ever had is looked through, and only then.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Exists, Max, OuterRef, Q

from digests.models import Choice, Delivery, Edition, EditionPaper, ReaderArchive, counts_as_seen
from digests.models import Taste as LearnedTaste
from digests.selection import NO_TASTE, Liking, Taste
from digests.wishes import Wishes
from papers.models import Paper, Topic
from subscriptions.models import Subscriber, Subscription, Suppression
from subscriptions.models import Wishes as ReaderWishes
from subscriptions.phrases import phrases_of
from subscriptions.schedule import Cadence, Schedule
from subscriptions.sql import one_of

SEEN_DAYS = 14
# A reader's hour may come half a day before the edition that they wait for.
_MARGIN_DAYS = 2


@dataclass(frozen=True, slots=True)
class Returning:
    """Papers of some editions that may have been sent long ago, with the ids of rows merged into them: each id with
    that of the paper. Without `to_all` only readers who want new versions are offered any of them."""

    papers: Mapping[int, int] = field(default_factory=dict)
    to_all: bool = False


@dataclass(slots=True)
class Recipient:
    """All that a digest must know of its reader, as plain values."""

    id: int
    public_id: str
    email: str
    address_hash: str
    state: str
    max_papers: int
    wants_replacements: bool
    schedule: Schedule
    # What they had, from `seen_since` on: the papers of each of their deliveries that left, or may have left.
    seen_since: dt.datetime
    seen: dict[int, list[int]] = field(default_factory=dict)
    # The day of the newest edition before this one that they had a digest of.
    last_date: dt.date | None = None
    topic_slugs: tuple[str, ...] = ()
    topic_names: tuple[str, ...] = ()
    wants_cross_lists: bool = True
    wants_picks: bool = True
    # None for the many who ask for nothing beyond topics.
    wishes: Wishes | None = None
    # What was learned of them; nothing for the many who said nothing.
    taste: Taste = NO_TASTE
    # Every paper they had, and those that stand for it since two were found to be one.
    seen_paper_ids: frozenset[int] = frozenset()
    # As a code; nothing is the installation's own.
    language: str = ""


def read_recipients(
    subscriber_ids: Collection[int], edition: Edition, *, returning: Returning, now: dt.datetime
) -> dict[int, Recipient]:
    """These readers, by id, as they stand before a digest recorded against `edition`; `returning` are the papers that
    come back in it, or in those it covers."""
    since = look_back(edition, now=now)
    found = {
        pk: Recipient(
            **facts,
            id=pk,
            schedule=Schedule(cadence=Cadence(cadence), hour=hour, zone=zone, weekday=weekday),
            seen_since=since,
        )
        for pk, cadence, hour, zone, weekday, facts in _read_subscribers(subscriber_ids)
    }
    _add_topics(found)
    _add_wishes(found)
    _add_tastes(found)
    _add_history(found, edition, since=since)
    _add_returning(found, returning, edition=edition, since=since)
    return found


def read_returning(editions: Sequence[Edition]) -> Returning:
    """The papers that come back in these editions: marked as new versions, or in an edition of long ago before."""
    long_ago = max(edition.date for edition in editions) - dt.timedelta(days=SEEN_DAYS - _MARGIN_DAYS)
    earlier = EditionPaper.objects.filter(paper=OuterRef("paper"), edition__date__lt=long_ago)
    entries = EditionPaper.objects.filter(edition__in=editions).sendable()
    found = entries.filter(Q(is_replacement=True) | Exists(earlier)).values_list("paper_id", "is_replacement", "choice")
    rows = list(found)
    papers = {pk: pk for pk, _, _ in rows}
    papers |= dict(Paper.objects.filter(merged_into__in=one_of(papers)).values_list("pk", "merged_into_id"))
    return Returning(papers, any(choice == Choice.PICK or not is_new for _, is_new, choice in rows))


def read_suppressed(recipients: Iterable[Recipient]) -> set[str]:
    """The address hashes of those whom we must not mail."""
    hashes = [recipient.address_hash for recipient in recipients]
    return set(Suppression.objects.filter(address_hash__in=one_of(hashes)).values_list("address_hash", flat=True))


def look_back(edition: Edition, *, now: dt.datetime) -> dt.datetime:
    """From when on a reader's digests count for the choice of papers that do not come back: none was sent before."""
    return min(now, dt.datetime.combine(edition.date, dt.time(), tzinfo=dt.UTC)) - dt.timedelta(days=SEEN_DAYS)


def _read_subscribers(ids: Collection[int]) -> Iterator[tuple[int, str, int, str, int, dict[str, Any]]]:
    own = ("public_id", "email", "address_hash", "state", "max_papers", "wants_replacements", "language")
    schedule = ("id", "cadence", "hour", "zone", "weekday")
    for row in Subscriber.objects.filter(id__in=one_of(ids)).values_list(*schedule, *own):
        yield *row[:5], dict(zip(own, row[5:], strict=True))


def _add_wishes(recipients: dict[int, Recipient]) -> None:
    rows = ReaderWishes.objects.filter(subscriber_id__in=one_of(recipients))
    for pk, interest, mute_words, authors, wants_cross_lists, wants_picks in rows.values_list(
        "subscriber_id", "interest", "mute_words", "followed_authors", "wants_cross_lists", "wants_picks"
    ):
        recipients[pk].wants_cross_lists = wants_cross_lists
        recipients[pk].wants_picks = wants_picks
        if interest or mute_words or authors:
            recipients[pk].wishes = Wishes(
                phrases=tuple(phrases_of(interest)), mute_words=tuple(mute_words), followed_authors=tuple(authors)
            )


def _add_tastes(recipients: dict[int, Recipient]) -> None:
    rows = LearnedTaste.objects.filter(subscriber_id__in=one_of(recipients))
    for pk, ranked, because, sunk in rows.values_list("subscriber_id", "ranked", "because", "sunk"):
        likings = tuple(
            [Liking(paper, score, bool(anywhere), *because[cause]) for paper, score, cause, anywhere in ranked]
        )
        recipients[pk].taste = Taste(tuple(likings), frozenset(sunk))


def _add_topics(recipients: dict[int, Recipient]) -> None:
    in_order = Topic.objects.order_by("position", "name").values_list("id", "slug", "name")
    topics = {pk: (place, slug, name) for place, (pk, slug, name) in enumerate(in_order)}
    chosen: dict[int, list[int]] = defaultdict(list)
    for subscriber_id, topic_id in Subscription.objects.filter(subscriber_id__in=one_of(recipients)).values_list(
        "subscriber_id", "topic_id"
    ):
        if topic_id in topics:
            chosen[subscriber_id].append(topic_id)
    for subscriber_id, topic_ids in chosen.items():
        topic_ids.sort(key=lambda pk: topics[pk][0])
        recipients[subscriber_id].topic_slugs = tuple([topics[pk][1] for pk in topic_ids])
        recipients[subscriber_id].topic_names = tuple([topics[pk][2] for pk in topic_ids])


def _add_history(recipients: dict[int, Recipient], edition: Edition, *, since: dt.datetime) -> None:
    sent = Delivery.objects.filter(counts_as_seen()).exclude(edition=edition)
    recent = sent.filter(subscriber_id__in=one_of(recipients), due_at__gte=since)
    for subscriber_id, pk, paper_ids, date in recent.values_list("subscriber_id", "id", "paper_ids", "edition__date"):
        if subscriber_id not in recipients:
            continue
        reader = recipients[subscriber_id]
        reader.seen[pk] = paper_ids
        if date < edition.date and (reader.last_date is None or date > reader.last_date):
            reader.last_date = date
    _add_seen_papers(recipients)
    # Who had nothing in the last two weeks may have had something before.
    quiet = [pk for pk, reader in recipients.items() if reader.last_date is None]
    if quiet:
        earlier = sent.filter(subscriber_id__in=one_of(quiet), edition__date__lt=edition.date)
        for subscriber_id, date in earlier.values_list("subscriber_id").annotate(last=Max("edition__date")).order_by():
            if subscriber_id is not None:
                recipients[subscriber_id].last_date = date
        archived = ReaderArchive.objects.filter(subscriber_id__in=one_of(quiet), last_date__lt=edition.date)
        for subscriber_id, date in archived.values_list("subscriber_id", "last_date"):
            recipients[subscriber_id].last_date = max(recipients[subscriber_id].last_date or date, date)


def _add_returning(
    recipients: dict[int, Recipient], returning: Returning, *, edition: Edition, since: dt.datetime
) -> None:
    ids = [pk for pk, reader in recipients.items() if returning.to_all or reader.wants_replacements]
    if not returning.papers or not ids:
        return
    sent = Delivery.objects.filter(counts_as_seen(), subscriber_id__in=one_of(ids), due_at__lt=since)
    archived = ReaderArchive.objects.filter(subscriber_id__in=one_of(ids))
    for rows in (sent.exclude(edition=edition), archived):
        for pk, paper_ids in rows.values_list("subscriber_id", "paper_ids"):
            had = {returning.papers[paper_id] for paper_id in paper_ids if paper_id in returning.papers}
            if had and pk is not None:
                recipients[pk].seen_paper_ids |= had


def _add_seen_papers(recipients: dict[int, Recipient]) -> None:
    every = {pk for reader in recipients.values() for ids in reader.seen.values() for pk in ids}
    merged = dict(
        Paper.objects.filter(pk__in=one_of(every), merged_into__isnull=False).values_list("pk", "merged_into_id")
        if every
        else ()
    )
    for reader in recipients.values():
        seen = {pk for ids in reader.seen.values() for pk in ids}
        reader.seen_paper_ids = frozenset(seen | {merged[pk] for pk in merged.keys() & seen})

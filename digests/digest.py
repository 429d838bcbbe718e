"""One reader's digest: what is chosen out of the editions since their last one, and how it reads as a mail."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from django.utils.translation import ngettext

from digests.interleaving import interleave
from digests.models import Comparison, Delivery, Edition, Rival
from digests.press import HEADINGS, Line, Personal, papers_for_you, preheader, subject_of
from digests.readers import Recipient, read_recipients
from digests.reasons import in_words, section_of
from digests.selection import NO_TASTE, Arranged, Chosen, Reader, choose
from digests.shelf import ORDER, DigestKind, Shelf
from digests.wishes import WordIndex, muted_ids, wanted
from mailer.languages import speaking
from mailer.messages import ListHeaders, Message, Parts, Rendered, compose, render
from subscriptions.models import Subscriber
from subscriptions.outgoing import SENT_STATES
from subscriptions.schedule import Cadence, Schedule
from subscriptions.tokens import Purpose, link
from subscriptions.words import rhythm_of


@dataclass(frozen=True, slots=True)
class Digest:
    """What one reader gets: the newest edition it covers, and the papers in order. Empty means nothing to say."""

    edition: Edition
    lines: tuple[Line, ...]
    # The reader's deliveries due since then that had left when this was chosen: one more, and the choice is stale.
    seen_since: dt.datetime
    seen_ids: frozenset[int]
    # The day of the oldest edition in it.
    since_date: dt.date | None = None
    # Not so where the papers of a digest that was made before are repeated.
    is_chosen: bool = True
    # Where two rankings are compared: the comparison, and which added which paper.
    comparison: Comparison | None = None
    teams: Mapping[int, str] = field(default_factory=dict)

    @property
    def paper_ids(self) -> list[int]:
        return [line.card.paper_id for line in self.lines]

    @property
    def reasons(self) -> list[str]:
        return [line.reason for line in self.lines]


def build_digest(subscriber: Subscriber, edition: Edition, *, shelf: Shelf) -> Digest:
    """Choose this reader's papers for a digest recorded against `edition`."""
    return choose_digest(_recipient(subscriber, edition, shelf=shelf), edition, shelf=shelf)


def choose_digest(recipient: Recipient, edition: Edition, *, shelf: Shelf) -> Digest:
    """The same for a reader who was read with others. Asks the database only for what the shelf does not hold yet."""
    editions = shelf.covered(recipient.last_date, edition)
    is_weekly = recipient.schedule.cadence is Cadence.WEEKLY
    kinds = {
        "with_replacements": recipient.wants_replacements,
        "with_cross_lists": recipient.wants_cross_lists,
        "with_picks": recipient.wants_picks,
    }
    arranged = shelf.candidates(editions, **kinds, is_weekly=is_weekly)
    reader, asked = _asked_for(recipient, arranged, words=lambda: shelf.words(editions))
    chosen = choose(arranged, reader, asked, taste=recipient.taste, is_weekly=is_weekly)
    comparison, teams = shelf.comparison(), dict[int, str]()
    if comparison is not None:
        by_totals = comparison.rival == Rival.BY_TOTALS
        other = shelf.candidates(editions, **kinds, is_weekly=True) if by_totals else arranged
        taste = NO_TASTE if comparison.rival == Rival.BY_TOPICS else recipient.taste
        rival = choose(other, reader, asked, taste=taste, is_weekly=is_weekly)
        seed = f"{comparison.pk}:{recipient.public_id}:{edition.pk}"
        chosen, teams = interleave(chosen, rival, most=reader.max_papers, seed=seed)
    lines = shelf.lines(chosen, editions=editions)
    return Digest(
        edition,
        tuple(lines),
        recipient.seen_since,
        frozenset(recipient.seen),
        editions[-1].date,
        comparison=comparison,
        teams=teams,
    )


def choose_papers(recipient: Recipient, arranged: Arranged, *, words: Callable[[], WordIndex]) -> tuple[Chosen, ...]:
    """This reader's papers out of those that were arranged, without what a comparison mixes in. `words` are looked up
    only for whoever looks for some."""
    reader, asked = _asked_for(recipient, arranged, words=words)
    is_weekly = recipient.schedule.cadence is Cadence.WEEKLY
    return choose(arranged, reader, asked, taste=recipient.taste, is_weekly=is_weekly)


def _asked_for(
    recipient: Recipient, arranged: Arranged, *, words: Callable[[], WordIndex]
) -> tuple[Reader, Sequence[Chosen]]:
    """What the choice hangs on, and the papers that this reader asked for in so many words."""
    reader = Reader(
        topics=recipient.topic_slugs,
        max_papers=recipient.max_papers,
        wants_replacements=recipient.wants_replacements,
        wants_cross_lists=recipient.wants_cross_lists,
        wants_picks=recipient.wants_picks,
        seen_paper_ids=recipient.seen_paper_ids,
    )
    if recipient.wishes is None:
        return reader, ()
    found = words()
    if muted := muted_ids(found, recipient.wishes):
        reader = replace(reader, seen_paper_ids=reader.seen_paper_ids | muted)
    return reader, wanted(found, arranged, recipient.wishes)


def repeat_digest(
    recipient: Recipient, edition: Edition, *, shelf: Shelf, paper_ids: Sequence[int], reasons: Sequence[str]
) -> Digest:
    """The digest that was made before, with the same papers for the same reasons; without those withdrawn since, or
    sent in another digest."""
    editions = shelf.covered(recipient.last_date, edition)
    cards = shelf.cards(paper_ids, editions=editions)
    lines = [
        Line(cards[pk], section_of(reason), reason)
        for pk, reason in zip(paper_ids, reasons, strict=False)
        if pk in cards and not cards[pk].is_withdrawn and pk not in recipient.seen_paper_ids
    ]
    lines.sort(key=lambda line: ORDER[line.section])
    return Digest(
        edition,
        tuple(lines),
        recipient.seen_since,
        frozenset(recipient.seen),
        editions[-1].date,
        is_chosen=False,
    )


def covered_editions(subscriber: Subscriber, edition: Edition, *, now: dt.datetime) -> list[Edition]:
    """The editions that a digest of this reader would hold."""
    shelf = Shelf(now=now)
    return shelf.covered(_recipient(subscriber, edition, shelf=shelf).last_date, edition)


def render_digest(digest: Digest, subscriber: Subscriber, *, now: dt.datetime) -> Rendered:
    """The digest as subject, text and HTML."""
    shelf = Shelf(now=now)
    return join_digest(digest, _recipient(subscriber, digest.edition, shelf=shelf), shelf=shelf).rendered


def join_digest(digest: Digest, recipient: Recipient, *, shelf: Shelf, personal: Personal | None = None) -> Parts:
    """The digest joined from pieces. Raises OverBudgetError where its HTML would be cut off in the inbox."""
    personal = personal or personal_parts(recipient, shelf, edition=digest.edition)
    return shelf.press.join(digest.lines, personal, frame_context=_frame_context(digest, recipient, shelf=shelf))


def render_plainly(digest: Digest, recipient: Recipient, *, shelf: Shelf) -> Rendered:
    """The digest as one plain rendering of its templates: what joining must give, too, and far slower."""
    with speaking(recipient.language):
        personal = personal_parts(recipient, shelf, edition=digest.edition)
        titles = [line.card.title for line in digest.lines]
        shared = _frame_context(digest, recipient, shelf=shelf)
        return render(
            "digest",
            {
                **shared,
                "subject": subject_of(titles, shared, recipient.language),
                "sections": _sections(digest),
                "papers_for_you": papers_for_you(len(titles), recipient.language),
                "preheader": preheader(len(titles), titles, recipient.language),
                "why": personal.why,
                "manage_url": personal.manage_url,
                "unsubscribe_url": personal.unsubscribe_url,
                "view_url": personal.view_url,
                "signal_url": personal.signal_url,
            },
            language=recipient.language,
        )


def render_again(delivery_id: str, *, now: dt.datetime) -> Rendered | None:
    """The digest of this delivery as it went out, but for papers withdrawn since. None where it is not kept (any more),
    or its reader was erased."""
    sent = Delivery.objects.filter(public_id=delivery_id, state__in=SENT_STATES, subscriber__isnull=False)
    delivery = sent.select_related("edition", "subscriber").first()
    if delivery is None or delivery.subscriber is None:
        return None
    shelf, edition = Shelf(now=now), delivery.edition
    recipient = _recipient(delivery.subscriber, edition, shelf=shelf)
    kept = {"paper_ids": delivery.paper_ids, "reasons": delivery.reasons}
    digest = repeat_digest(recipient, edition, shelf=shelf, **kept)
    personal = personal_parts(recipient, shelf, edition=edition, delivery_id=delivery_id)
    return join_digest(digest, recipient, shelf=shelf, personal=personal).rendered


def compose_digest(
    rendered: Rendered | Parts,
    reader: Recipient | Subscriber,
    *,
    public_id: str,
    now: dt.datetime,
    unsubscribe_url: str = "",
) -> Message:
    """The digest as a message to this reader, with the headers of list mail."""
    url = unsubscribe_url or link(Purpose.UNSUBSCRIBE, reader.public_id)
    return compose(
        rendered, to=reader.email, public_id=public_id, now=now, list_headers=ListHeaders(unsubscribe_url=url)
    )


def _recipient(subscriber: Subscriber, edition: Edition, *, shelf: Shelf) -> Recipient:
    found = read_recipients([subscriber.pk], edition, returning=shelf.returning(edition), now=shelf.now)
    return found[subscriber.pk]


def personal_parts(recipient: Recipient, shelf: Shelf, *, edition: Edition, delivery_id: str = "") -> Personal:
    """What in a digest is this reader's alone, besides the papers. `delivery_id` is the opaque id of its delivery,
    where it has one already."""
    return Personal(
        why=_why(recipient, shelf.site_name),
        manage_url=shelf.links[Purpose.MANAGE](recipient.public_id),
        unsubscribe_url=shelf.links[Purpose.UNSUBSCRIBE](recipient.public_id),
        view_url=shelf.view_link(delivery_id) if delivery_id else shelf.edition_link(edition),
        signal_url=shelf.signal_link(recipient.public_id) if shelf.signal_link else "",
        language=recipient.language,
    )


def _sections(digest: Digest) -> list[dict[str, object]]:
    sections: list[dict[str, object]] = []
    number = 0
    for section, heading in HEADINGS.items():
        rows = []
        for line in digest.lines:
            if line.section is section:
                number += 1
                rows.append({"number": number, "card": line.card, "reason": in_words(line.reason)})
        if rows:
            sections.append({"slug": section.value, "heading": str(heading), "rows": rows})
    return sections


def _frame_context(digest: Digest, recipient: Recipient, *, shelf: Shelf) -> dict[str, Any]:
    """What the templates need besides the papers and what is personal."""
    kind = DigestKind(
        language=recipient.language,
        is_weekly=recipient.schedule.cadence is Cadence.WEEKLY,
        is_first=recipient.last_date is None,
        since=digest.since_date or digest.edition.date,
    )
    return shelf.context(digest.edition, digest.lines, kind=kind)


def _why(recipient: Recipient, site_name: str) -> str:
    """Why this mail comes."""
    names = recipient.topic_names
    about = (", ".join(names[:3]), len(names) > 3)
    return _why_words(recipient.language, site_name, recipient.max_papers, *about, recipient.schedule)


@lru_cache(maxsize=4096)
def _why_words(language: str, site: str, count: int, topics: str, has_more_topics: bool, schedule: Schedule) -> str:
    with speaking(language):
        if not topics:
            words = ngettext(
                "You asked %(site)s for up to %(count)d paper, %(rhythm)s.",
                "You asked %(site)s for up to %(count)d papers, %(rhythm)s.",
                count,
            )
        elif has_more_topics:
            words = ngettext(
                "You asked %(site)s for up to %(count)d paper about %(topics)s and more, %(rhythm)s.",
                "You asked %(site)s for up to %(count)d papers about %(topics)s and more, %(rhythm)s.",
                count,
            )
        else:
            words = ngettext(
                "You asked %(site)s for up to %(count)d paper about %(topics)s, %(rhythm)s.",
                "You asked %(site)s for up to %(count)d papers about %(topics)s, %(rhythm)s.",
                count,
            )
        facts = {"site": site, "count": count, "topics": topics, "rhythm": rhythm_of(schedule)}
    return words % facts

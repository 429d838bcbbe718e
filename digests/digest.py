"""One reader's digest: what is chosen out of the editions since their last one, and how it reads as a mail."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.conf import settings
from django.core.mail import EmailMultiAlternatives

from digests.cards import Card, cards_for
from digests.markdown import to_html, to_text
from digests.models import Choice, Delivery, Edition, EditionPaper
from digests.selection import Candidate, Chosen, Reader, Section, select_digest
from mailer.links import absolute
from mailer.messages import ListHeaders, Rendered, compose, render
from papers.merging import all_ids
from papers.models import Topic
from subscriptions.models import Subscriber
from subscriptions.outgoing import SENT_STATES
from subscriptions.tokens import Purpose, link
from subscriptions.words import rhythm

MOST_EDITIONS = 7
SEEN_DAYS = 14

_HEADINGS = {Section.PICKS: "Editor’s picks", Section.PERSONAL: "For you", Section.TRENDING: "Trending"}


@dataclass(frozen=True, slots=True)
class Line:
    """One paper in a digest, with the words that say why it is there."""

    card: Card
    section: Section
    reason: str


@dataclass(frozen=True, slots=True)
class Digest:
    """What one reader gets: the newest edition it covers, and the papers in order. Empty means nothing to say."""

    edition: Edition
    lines: tuple[Line, ...]
    # The reader's deliveries due since then that had left when this was chosen: one more, and the choice is stale.
    seen_since: dt.datetime
    seen_ids: frozenset[int]

    @property
    def paper_ids(self) -> list[int]:
        return [line.card.paper_id for line in self.lines]

    @property
    def reasons(self) -> list[str]:
        return [line.reason for line in self.lines]


@dataclass
class Shelf:
    """The papers of editions, loaded once for all readers of a batch: they are the same for everybody."""

    now: dt.datetime
    _candidates: dict[tuple[int, ...], list[Candidate]] = field(default_factory=dict)
    _cards: dict[tuple[int, ...], dict[int, Card]] = field(default_factory=dict)
    _topic_names: dict[str, str] = field(default_factory=dict)

    def candidates(self, editions: Sequence[Edition]) -> list[Candidate]:
        """The papers of these editions that may be sent."""
        ids = tuple(edition.pk for edition in editions)
        if ids not in self._candidates:
            self._candidates[ids] = _load_candidates(editions)
        return self._candidates[ids]

    def cards(self, paper_ids: Iterable[int], *, editions: Sequence[Edition]) -> dict[int, Card]:
        """Cards of these papers as they stand in these editions, made once each."""
        cards = self._cards.setdefault(tuple(edition.pk for edition in editions), {})
        missing = [pk for pk in paper_ids if pk not in cards]
        if missing:
            # A pick and its note belong to the edition they were made in: another may be a draft.
            picks = EditionPaper.objects.filter(edition__in=editions, paper_id__in=missing, choice=Choice.PICK)
            cards.update(cards_for(missing, entries={entry.paper_id: entry for entry in picks}))
        return cards

    def topic_name(self, slug: str) -> str:
        """The human name of a topic."""
        if slug not in self._topic_names:
            self._topic_names = dict(Topic.objects.values_list("slug", "name"))
        return self._topic_names.get(slug, slug)


def build_digest(subscriber: Subscriber, edition: Edition, *, shelf: Shelf) -> Digest:
    """Choose this reader's papers for a digest recorded against `edition`."""
    editions = covered_editions(subscriber, edition)
    since = _look_back(edition, now=shelf.now)
    seen = sent_deliveries(subscriber, edition, since=since)
    reader = Reader(
        topics=tuple(subscriber.topics.order_by("position", "name").values_list("slug", flat=True)),
        max_papers=subscriber.max_papers,
        wants_replacements=subscriber.wants_replacements,
        seen_paper_ids=all_ids(pk for ids in seen.values() for pk in ids),
    )
    chosen = select_digest(shelf.candidates(editions), reader)
    cards = shelf.cards((choice.paper_id for choice in chosen), editions=editions)
    lines = tuple(
        Line(cards[choice.paper_id], choice.section, _reason(choice, shelf))
        for choice in chosen
        if choice.paper_id in cards
    )
    return Digest(edition, lines, since, frozenset(seen))


def covered_editions(subscriber: Subscriber, edition: Edition) -> list[Edition]:
    """The editions since the reader's last digest, up to and with `edition`; the first digest covers that one alone."""
    last = (
        Delivery.objects.filter(subscriber=subscriber, state__in=SENT_STATES, edition__date__lt=edition.date)
        .order_by("-edition__date")
        .values_list("edition__date", flat=True)
        .first()
    )
    if last is None:
        return [edition]
    since = Edition.objects.published().filter(date__gt=last, date__lt=edition.date)
    return [edition, *since.order_by("-date")[: MOST_EDITIONS - 1]]


def sent_deliveries(subscriber: Subscriber, edition: Edition, *, since: dt.datetime) -> dict[int, list[int]]:
    """The reader's other deliveries that left, or may have left, each with its papers: those count as seen."""
    rows = Delivery.objects.filter(subscriber=subscriber, state__in=SENT_STATES, due_at__gte=since)
    return dict(rows.exclude(edition=edition).values_list("id", "paper_ids"))


def _look_back(edition: Edition, *, now: dt.datetime) -> dt.datetime:
    # No candidate is older than that.
    return min(now, dt.datetime.combine(edition.date, dt.time(), tzinfo=dt.UTC)) - dt.timedelta(days=SEEN_DAYS)


def render_digest(digest: Digest, subscriber: Subscriber, *, now: dt.datetime) -> Rendered:
    """The digest as subject, text and HTML."""
    edition = digest.edition
    day = f"{edition.date:%A}, {edition.date.day} {edition.date:%B %Y}"
    context = {
        "edition": edition,
        "day": day,
        "short_day": f"{edition.date.day} {edition.date:%B}",
        "intro_html": to_html(edition.intro),
        "intro_text": to_text(edition.intro),
        "sections": _sections(digest),
        "lead": digest.lines[0].card.title if digest.lines else "",
        "count": len(digest.lines),
        "is_sample": any(line.card.is_sample for line in digest.lines),
        "why": _why(subscriber),
        "manage_url": link(Purpose.MANAGE, subscriber.public_id),
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, subscriber.public_id),
        "edition_url": absolute("site:day", date=f"{edition.date:%Y-%m-%d}"),
    }
    return render("digest", context)


def compose_digest(
    rendered: Rendered, subscriber: Subscriber, *, public_id: str, now: dt.datetime
) -> EmailMultiAlternatives:
    """The digest as a message to this reader, with the headers of list mail."""
    return compose(
        rendered,
        to=subscriber.email,
        public_id=public_id,
        now=now,
        list_headers=ListHeaders(unsubscribe_url=link(Purpose.UNSUBSCRIBE, subscriber.public_id)),
    )


def _load_candidates(editions: Sequence[Edition]) -> list[Candidate]:
    entries = (
        EditionPaper.objects.filter(edition__in=editions, paper__withdrawn_at__isnull=True)
        .exclude(choice=Choice.HIDDEN)
        .select_related("paper", "edition")
        .prefetch_related("paper__topics")
        .order_by("-edition__date", "position", "id")
    )
    return [
        Candidate(
            paper_id=entry.paper_id,
            announced_date=entry.paper.announced_date,
            topics=tuple(topic.slug for topic in entry.paper.topics.all() if topic.is_active),
            upvotes=entry.paper.upvotes,
            is_pick=entry.choice == Choice.PICK,
            is_replacement=entry.is_replacement,
            pick_position=order,
        )
        for order, entry in enumerate(entries)
    ]


def _sections(digest: Digest) -> list[dict[str, object]]:
    sections: list[dict[str, object]] = []
    number = 0
    for section, heading in _HEADINGS.items():
        rows = []
        for line in digest.lines:
            if line.section is section:
                number += 1
                rows.append({"number": number, "card": line.card, "reason": line.reason})
        if rows:
            sections.append({"slug": section.value, "heading": heading, "rows": rows})
    return sections


def _reason(choice: Chosen, shelf: Shelf) -> str:
    match choice.section:
        case Section.PICKS:
            return "Picked by the editor"
        case Section.PERSONAL:
            return f"In your topic {shelf.topic_name(choice.topic)}"
        case Section.TRENDING if choice.upvotes:
            return f"Trending: {choice.upvotes} upvote{'s' if choice.upvotes != 1 else ''} on Hugging Face"
        case _:
            return "New in this edition"


def _why(subscriber: Subscriber) -> str:
    names = list(subscriber.topics.order_by("position", "name").values_list("name", flat=True))
    about = f" about {', '.join(names[:3])}{' and more' if len(names) > 3 else ''}" if names else ""
    return f"You asked {settings.SITE_NAME} for up to {subscriber.max_papers} papers{about}, {rhythm(subscriber)}."

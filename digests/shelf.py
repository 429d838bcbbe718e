"""What all digests of a batch share: the papers of editions, read once, and the pieces of mails made of them."""

import datetime as dt
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

from django.conf import settings

from digests.cards import Card, cards_for, make_card, sample_ids
from digests.comparing import running
from digests.markdown import to_html, to_text
from digests.models import Choice, Comparison, Edition, EditionPaper, NearDuplicate
from digests.press import HEADINGS, Line, Press
from digests.readers import Returning, read_returning
from digests.reasons import reason_of
from digests.selection import Arranged, Candidate, Chosen, arrange
from digests.trend import NO_TREND, Trend
from digests.trending import trending_of
from digests.wishes import PaperText, WordIndex, index_papers
from mailer.languages import days_in_words, short_days, speaking
from mailer.links import absolute
from papers.entries import AnnouncementKind
from papers.models import Announcement, Topic
from subscriptions.sql import one_of
from subscriptions.tokens import LinkMaker, Purpose, signal_maker

MOST_EDITIONS = 7
_LAST = 10**6
# Batches of one process that follow each other this closely share what they read of editions.
SHELF_SECONDS = 60.0
ORDER = {section: place for place, section in enumerate(HEADINGS)}


class DigestKind(NamedTuple):
    """What readers must have in common for the frame of their digests to be the same."""

    language: str
    is_weekly: bool
    # Their first digest ever: it says welcome.
    is_first: bool
    # The day of the oldest edition in it.
    since: dt.date


class Shelf:
    """The papers of editions and the pieces of their mails, made once for all readers: they are the same for all."""

    def __init__(self, *, now: dt.datetime, press: Press | None = None) -> None:
        self.now = now
        self.press = press or Press()
        self.made_at = time.monotonic()
        self._published: list[Edition] | None = None
        self._comparison: tuple[Comparison | None] | None = None
        # What editions hold: every entry, the last of each paper, those picked, and which papers are of the sample.
        self._entries: dict[tuple[tuple[int, int], ...], dict[int, EditionPaper]] = {}
        self._offered: dict[tuple[tuple[int, int], ...], dict[int, EditionPaper]] = {}
        self._picks: dict[tuple[tuple[int, int], ...], dict[int, EditionPaper]] = {}
        self._samples: dict[tuple[tuple[int, int], ...], set[int]] = {}
        self._returning: dict[tuple[tuple[int, int], ...], Returning] = {}
        self._arranged: dict[tuple[tuple[tuple[int, int], ...], bool, bool, bool, bool], Arranged] = {}
        self._trends: dict[tuple[tuple[int, int], ...], dict[int, Trend]] = {}
        self._words: dict[tuple[tuple[int, int], ...], WordIndex] = {}
        self._cards: dict[tuple[tuple[int, int], ...], dict[int, Card]] = {}
        # By the identity of choices, which are kept with them.
        self._lines: dict[tuple[tuple[int, int], ...], dict[int, tuple[Chosen, Line | None]]] = {}
        self._topic_names: dict[str, str] | None = None
        self._reasons: dict[tuple[Any, ...], str] = {}
        self._contexts: dict[tuple[int, int, bool, DigestKind], dict[str, Any]] = {}
        self.site_name = str(settings.SITE_NAME)
        self.links = {purpose: LinkMaker(purpose) for purpose in (Purpose.MANAGE, Purpose.UNSUBSCRIBE)}
        self.view_link = LinkMaker(Purpose.VIEW)
        self.signal_link = signal_maker()

    def begin_batch(self, now: dt.datetime) -> None:
        """Ask anew what may have changed since the batch before: which editions are published."""
        self.now = now
        self._published = None
        self._comparison = None

    def comparison(self) -> Comparison | None:
        """The comparison of rankings that digests take part in now."""
        if self._comparison is None:
            self._comparison = (running(),)
        return self._comparison[0]

    def covered(self, last_date: dt.date | None, edition: Edition) -> list[Edition]:
        """The editions a digest holds: those since the reader's last, up to and with `edition`; that one alone where
        it is their first."""
        if last_date is None:
            return [edition]
        if self._published is None:
            self._published = list(Edition.objects.published().order_by("-date")[: 4 * MOST_EDITIONS])
        since = [other for other in self._published if last_date < other.date < edition.date]
        return [edition, *since[: MOST_EDITIONS - 1]]

    def returning(self, edition: Edition) -> Returning:
        """The papers that come back in any edition which a digest of this one may cover."""
        editions = self.covered(dt.date.min, edition)
        key = _key(editions)
        if key not in self._returning:
            self._returning[key] = read_returning(editions)
        return self._returning[key]

    def candidates(
        self,
        editions: Sequence[Edition],
        *,
        with_replacements: bool,
        with_cross_lists: bool = True,
        with_picks: bool = True,
        is_weekly: bool = False,
    ) -> Arranged:
        """The papers of these editions that may be sent."""
        key = _key(editions)
        kind = (key, with_replacements, with_cross_lists, with_picks, is_weekly)
        if kind not in self._arranged:
            self._arranged[kind] = self.rearranged(
                editions,
                with_replacements=with_replacements,
                with_cross_lists=with_cross_lists,
                with_picks=with_picks,
                is_weekly=is_weekly,
            )
        return self._arranged[kind]

    def rearranged(
        self,
        editions: Sequence[Edition],
        *,
        with_replacements: bool,
        with_cross_lists: bool,
        with_picks: bool,
        is_weekly: bool,
        turned: int | None = None,
    ) -> Arranged:
        """The same, arranged anew; with the choice of the paper `turned` turned round: the last of the picks where it
        is none, and no pick where it is one."""
        key = _key(editions)
        if key not in self._entries:
            self._load(editions)
        listed = frozenset() if with_cross_lists else merely_listed(self._offered[key])
        papers = [
            _candidate(order, entry, listed, self._trends[key])
            for order, entry in enumerate(self._entries[key].values())
        ]
        return arrange(
            [_turned(paper) if paper.paper_id == turned else paper for paper in papers],
            with_replacements=with_replacements,
            with_cross_lists=with_cross_lists,
            with_picks=with_picks,
            same=same_works(self._offered[key]),
            is_weekly=is_weekly,
        )

    def words(self, editions: Sequence[Edition]) -> WordIndex:
        """The words of the papers of these editions, for readers who look for some."""
        key = _key(editions)
        if key not in self._words:
            if key not in self._entries:
                self._load(editions)
            self._words[key] = index_papers({pk: _text_of(entry) for pk, entry in self._offered[key].items()})
        return self._words[key]

    def _load(self, editions: Sequence[Edition]) -> None:
        key, entries = _key(editions), _read_entries(editions)
        self._entries[key] = {entry.pk: entry for entry in entries}
        self._offered[key] = {entry.paper_id: entry for entry in entries}
        self._picks[key] = {entry.paper_id: entry for entry in entries if entry.choice == Choice.PICK}
        self._samples[key] = sample_ids(self._offered[key])
        announced = {pk: entry.paper.announced_date for pk, entry in self._offered[key].items()}
        self._trends[key] = trending_of(announced, day=self.now.date())

    def cards(self, paper_ids: Iterable[int], *, editions: Sequence[Edition]) -> dict[int, Card]:
        """Cards of these papers as they stand in these editions, made once each."""
        key = _key(editions)
        cards = self._cards.setdefault(key, {})
        missing = [pk for pk in paper_ids if pk not in cards]
        for pk in missing:
            # What was offered was read for that, and needs no second look at the database.
            if entry := self._offered.get(key, {}).get(pk):
                pick = self._picks[key].get(pk)
                cards[pk] = make_card(entry.paper, entry=pick, is_sample=pk in self._samples[key])
        missing = [pk for pk in missing if pk not in cards]
        if missing:
            # A pick and its note belong to the edition they were made in: another may be a draft.
            picks = EditionPaper.objects.filter(edition__in=editions, paper_id__in=missing, choice=Choice.PICK)
            cards.update(cards_for(missing, entries={entry.paper_id: entry for entry in picks}))
        return cards

    def lines(self, chosen: Sequence[Chosen], *, editions: Sequence[Edition]) -> list[Line]:
        """What is chosen, with its words, in the order of the sections. The choices are this shelf's own."""
        known = self._lines.setdefault(_key(editions), {})
        own: dict[int, Line | None] = {}
        if missing := [choice for choice in chosen if id(choice) not in known]:
            cards = self.cards([choice.paper_id for choice in missing], editions=editions)
            for choice in missing:
                card = cards.get(choice.paper_id)
                is_shared = not choice.liked
                line = Line(card, choice.section, self.reason(choice), is_shared) if card else None
                if is_shared:
                    known[id(choice)] = (choice, line)
                else:
                    # What one reader liked no other need have liked: such lines would only pile up.
                    own[id(choice)] = line
        lines = [line for choice in chosen if (line := own[id(choice)] if choice.liked else known[id(choice)][1])]
        if any(ORDER[before.section] > ORDER[after.section] for before, after in pairwise(lines)):
            lines.sort(key=lambda line: ORDER[line.section])
        return lines

    def reason(self, choice: Chosen) -> str:
        """Why this paper is there, in words."""
        if choice.liked:
            return reason_of(choice, topic_name=self.topic_name)
        key = choice[1:]
        found = self._reasons.get(key)
        if found is None:
            found = self._reasons[key] = reason_of(choice, topic_name=self.topic_name)
        return found

    def topic_name(self, slug: str) -> str:
        """The human name of a topic."""
        if self._topic_names is None:
            self._topic_names = dict(Topic.objects.values_list("slug", "name"))
        return self._topic_names.get(slug, slug)

    def edition_link(self, edition: Edition) -> str:
        """The edition as a page for everybody."""
        return absolute("site:day", date=f"{edition.date:%Y-%m-%d}")

    def context(self, edition: Edition, lines: Iterable[Line], *, kind: DigestKind) -> dict[str, Any]:
        """What the templates of a digest with these lines need and is the same for all its readers of one kind."""
        is_sample = any(line.card.is_sample for line in lines)
        key = (edition.pk, edition.revision, is_sample, kind)
        if key not in self._contexts:
            with speaking(kind.language):
                self._contexts[key] = _context(edition, is_sample=is_sample, kind=kind)
        return self._contexts[key]


_kept: list[Shelf] = []


def shelf_for(now: dt.datetime) -> Shelf:
    """The shelf of this process: what was read of editions lately, and every piece made since the process began."""
    kept = _kept[0] if _kept else None
    if kept is None or time.monotonic() - kept.made_at > SHELF_SECONDS:
        if kept:
            kept.press.forget_lines()
        kept = Shelf(now=now, press=kept.press if kept else None)
        _kept[:] = [kept]
    kept.begin_batch(now)
    return kept


def clear_shelf() -> None:
    """Forget everything: templates, settings or the whole database changed."""
    _kept.clear()


def _key(editions: Sequence[Edition]) -> tuple[tuple[int, int], ...]:
    return tuple([(edition.pk, edition.revision) for edition in editions])


def _context(edition: Edition, *, is_sample: bool, kind: DigestKind) -> dict[str, Any]:
    first = kind.since if kind.is_weekly else edition.date
    return {
        "edition": edition,
        "day": days_in_words(first, edition.date),
        "short_day": short_days(first, edition.date),
        "subject_line": "" if kind.is_weekly else " ".join(edition.subject.split()),
        "intro_html": to_html(edition.intro),
        "intro_text": to_text(edition.intro),
        "is_sample": is_sample,
        "is_weekly": kind.is_weekly,
        "is_first": kind.is_first,
    }


def _read_entries(editions: Sequence[Edition]) -> list[EditionPaper]:
    """Every paper of these editions that may be sent, those of the newest edition first."""
    return list(
        EditionPaper.objects.filter(edition__in=editions)
        .sendable()
        .select_related("paper__one_liner", "edition")
        .prefetch_related("paper__topics")
        .order_by("-edition__date", "position", "id")
    )


def merely_listed(paper_ids: Iterable[int]) -> frozenset[int]:
    """Those of these papers that sources only ever announced as cross-lists."""
    ids = one_of(paper_ids)
    kinds = Announcement.objects.filter(paper_id__in=ids).values_list("paper_id", "kind")
    listed = {pk for pk, kind in kinds if kind == AnnouncementKind.CROSS_LIST}
    return frozenset(listed - {pk for pk, kind in kinds if kind == AnnouncementKind.NEW})


def same_works(paper_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Those of these papers that say the same as others of them, with these."""
    ids = one_of(paper_ids)
    found: dict[int, set[int]] = {}
    for one, other in NearDuplicate.objects.filter(paper__in=ids, other__in=ids).values_list("paper_id", "other_id"):
        found.setdefault(one, set()).add(other)
        found.setdefault(other, set()).add(one)
    return {pk: frozenset(others) for pk, others in found.items()}


def _candidate(
    order: int, entry: EditionPaper, merely_listed: frozenset[int], trends: Mapping[int, Trend]
) -> Candidate:
    topics = [topic for topic in entry.paper.topics.all() if topic.is_active]
    # A paper's own field is the first of its categories.
    home = entry.paper.categories[0] if entry.paper.categories else ""
    trend = trends.get(entry.paper_id, NO_TREND)
    return Candidate(
        paper_id=entry.paper_id,
        announced_date=entry.paper.announced_date,
        topics=tuple(topic.slug for topic in topics),
        cross_topics=frozenset(
            topic.slug for topic in topics if home and topic.categories and home not in topic.categories
        ),
        is_cross_list=entry.paper_id in merely_listed,
        upvotes=entry.paper.upvotes,
        trend=trend.score,
        trend_kind=trend.kind,
        trend_gain=trend.gain,
        is_pick=entry.choice == Choice.PICK,
        is_replacement=entry.is_replacement,
        pick_position=order,
    )


def _turned(paper: Candidate) -> Candidate:
    return replace(paper, is_pick=not paper.is_pick, pick_position=_LAST)


def _text_of(entry: EditionPaper) -> PaperText:
    paper = entry.paper
    return PaperText(title=paper.title, abstract=paper.abstract, authors=tuple(paper.authors))

"""What the desk shows of an edition: its papers with all that a curator judges them by, in a few queries for all.

However many papers there are, the number of queries is the same, and no more than `MOST_CANDIDATES` are shown at once:
the best by the order asked for, out of those that the search and the filters leave.
"""

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet

from digests.markdown import to_inline_html
from digests.models import Choice, DeskChange, Edition, EditionPaper
from papers.models import Announcement, Paper, Topic
from subscriptions.models import Subscriber, SubscriberState, Subscription
from subscriptions.sql import one_of

MOST_CANDIDATES = 100
MOST_CHANGES = 15
VOTES_SHARE = 0.6
READERS_SHARE = 0.4
# Who reads what changes slowly, and counting it takes longer than everything else here.
READERS_SECONDS = 600
_TOPICS = Paper.topics.through


@dataclass(frozen=True, slots=True, kw_only=True)
class Sieve:
    """What to show of the candidates: words to search for, a topic, a source, and in which order."""

    words: str = ""
    topic: str = ""
    source: str = ""
    order: str = "score"

    @property
    def is_open(self) -> bool:
        """Whether it lets everything through."""
        return not (self.words or self.topic or self.source)


ORDERS = {"score": "Score", "votes": "Votes", "readers": "Readers", "newest": "Newest"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a paper stands among those of its edition: from 0 to 100, and what that is made of."""

    score: int = 0
    votes: int = 0
    # How many readers chose its best-read topic: at least so many see it among their own.
    readers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A paper at the desk."""

    entry: EditionPaper
    standing: Standing
    topics: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def paper(self) -> Paper:
        return self.entry.paper

    @property
    def note_html(self) -> str:
        """The note as mails and pages show it."""
        return to_inline_html(self.entry.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """An edition as the desk shows it."""

    edition: Edition
    picks: tuple[Row, ...]
    hidden: tuple[Row, ...]
    candidates: tuple[Row, ...]
    # How many candidates there are, and how many of them the sieve lets through.
    total: int
    matching: int
    topics: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    changes: tuple[DeskChange, ...] = ()


@dataclass(frozen=True, slots=True)
class _Light:
    """As little of an entry as ordering all of them needs."""

    entry_id: int
    paper_id: int
    choice: str
    is_replacement: bool
    votes: int
    announced: dt.date
    position: int


@dataclass(slots=True)
class _Facts:
    """What all rows of the desk are made of."""

    slugs: dict[int, list[str]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    standings: dict[int, Standing] = field(default_factory=dict)


def read_desk(edition: Edition, sieve: Sieve) -> Desk:
    """The edition with its picks, what is hidden, and the best of the candidates. A constant number of queries."""
    lights = _read_lights(edition)
    facts = _Facts(slugs=_topics_of(edition), names=dict(Topic.objects.values_list("slug", "name")))
    facts.standings = judge(lights, facts.slugs)
    groups: dict[str, list[_Light]] = defaultdict(list)
    for light in lights:
        groups[light.choice].append(light)
    # New versions of old papers are nobody's candidates until a curator looks for them.
    candidates = [light for light in groups[Choice.CANDIDATE] if not light.is_replacement or sieve.words]
    matching = _sifted(candidates, edition, sieve, facts.slugs)
    shown = sorted(matching, key=lambda light: _place(light, sieve.order, facts.standings))[:MOST_CANDIDATES]
    picks = sorted(groups[Choice.PICK], key=lambda light: (light.position, light.entry_id))
    rows = _rows([*picks, *groups[Choice.HIDDEN], *shown], facts)
    return Desk(
        edition=edition,
        picks=tuple(rows[light.entry_id] for light in picks if light.entry_id in rows),
        hidden=tuple(rows[light.entry_id] for light in groups[Choice.HIDDEN] if light.entry_id in rows),
        candidates=tuple(rows[light.entry_id] for light in shown if light.entry_id in rows),
        total=len(candidates),
        matching=len(matching),
        topics=_topics_there(candidates, facts),
        sources=_sources_there(edition),
        changes=tuple(edition.changes.select_related("undone_by")[:MOST_CHANGES]),
    )


def judge(lights: Iterable[_Light], slugs: Mapping[int, Sequence[str]]) -> dict[int, Standing]:
    """The score of each paper, by its id: three fifths are its votes, two fifths how many readers chose its best-read
    topic, each against the most that any paper of the edition has. Votes count by their logarithm: the step from 5 to
    10 says as much as that from 50 to 100."""
    lights = list(lights)
    counts = readers_by_topic()
    readers = {
        light.paper_id: max((counts.get(slug, 0) for slug in slugs.get(light.paper_id, ())), default=0)
        for light in lights
    }
    most_votes = math.log1p(max((light.votes for light in lights), default=0))
    most_readers = max(readers.values(), default=0)
    found = {}
    for light in lights:
        votes = math.log1p(light.votes) / most_votes if most_votes else 0.0
        share = readers[light.paper_id] / most_readers if most_readers else 0.0
        score = round(100 * (VOTES_SHARE * votes + READERS_SHARE * share))
        found[light.paper_id] = Standing(score=score, votes=light.votes, readers=readers[light.paper_id])
    return found


def readers_by_topic() -> dict[str, int]:
    """How many active readers chose each topic, by its slug; up to ten minutes old."""
    return dict(cache.get_or_set("desk-readers-by-topic", _count_readers, READERS_SECONDS) or {})


def active_readers() -> int:
    """How many readers get mail now; up to ten minutes old."""
    count = Subscriber.objects.filter(state=SubscriberState.ACTIVE).count
    return int(cache.get_or_set("desk-active-readers", count, READERS_SECONDS) or 0)


def _count_readers() -> dict[str, int]:
    active = Subscription.objects.filter(subscriber__state=SubscriberState.ACTIVE)
    return dict(active.values_list("topic__slug").annotate(Count("id")).order_by())


def _read_lights(edition: Edition) -> list[_Light]:
    rows = EditionPaper.objects.filter(
        edition=edition, paper__merged_into__isnull=True, paper__withdrawn_at__isnull=True
    ) | EditionPaper.objects.filter(edition=edition).exclude(choice=Choice.CANDIDATE)
    names = ("id", "paper_id", "choice", "is_replacement", "paper__upvotes", "paper__announced_date", "position")
    return [
        _Light(pk, paper_id, choice, is_replacement, votes or 0, announced, position)
        for pk, paper_id, choice, is_replacement, votes, announced, position in rows.values_list(*names)
    ]


def _topics_of(edition: Edition) -> dict[int, list[str]]:
    links = _TOPICS.objects.filter(paper__edition_entries__edition=edition, topic__is_active=True)
    found: dict[int, list[str]] = defaultdict(list)
    in_order = links.order_by("topic__position", "topic__name").values_list("paper_id", "topic__slug")
    for paper_id, slug in in_order:
        found[paper_id].append(slug)
    return found


def _sifted(
    lights: Sequence[_Light], edition: Edition, sieve: Sieve, slugs: Mapping[int, Sequence[str]]
) -> list[_Light]:
    kept = [light for light in lights if not sieve.topic or sieve.topic in slugs.get(light.paper_id, ())]
    if sieve.words or sieve.source:
        ids = set(_asked_for(edition, sieve).values_list("paper_id", flat=True))
        kept = [light for light in kept if light.paper_id in ids]
    return kept


def _asked_for(edition: Edition, sieve: Sieve) -> QuerySet[EditionPaper]:
    found = EditionPaper.objects.filter(edition=edition)
    for word in sieve.words.split()[:8]:
        in_text = Q(paper__title__icontains=word) | Q(paper__abstract__icontains=word)
        found = found.filter(in_text | Q(paper__authors__icontains=word) | Q(paper__key__icontains=word))
    if sieve.source:
        seen = Announcement.objects.filter(paper__edition_entries__edition=edition, source__slug=sieve.source)
        found = found.filter(paper_id__in=seen.values("paper_id"))
    return found


def _place(light: _Light, order: str, standings: Mapping[int, Standing]) -> tuple[int, ...]:
    standing, day = standings[light.paper_id], light.announced.toordinal()
    first = {"votes": light.votes, "readers": standing.readers, "newest": day}.get(order, standing.score)
    return (-first, -standing.score, -light.votes, -standing.readers, -day, -light.paper_id)


def _rows(lights: Sequence[_Light], facts: _Facts) -> dict[int, Row]:
    entries = EditionPaper.objects.filter(pk__in=[light.entry_id for light in lights]).select_related("paper")
    found = list(entries)
    sources = _sources_of(entry.paper_id for entry in found)
    return {
        entry.pk: Row(
            entry=entry,
            standing=facts.standings[entry.paper_id],
            topics=tuple(facts.names[slug] for slug in facts.slugs.get(entry.paper_id, ())),
            sources=sources.get(entry.paper_id, ()),
        )
        for entry in found
    }


def _sources_of(paper_ids: Iterable[int]) -> dict[int, tuple[str, ...]]:
    rows = Announcement.objects.filter(paper_id__in=one_of(list(paper_ids))).order_by("seen_at", "id")
    found: dict[int, list[str]] = defaultdict(list)
    for paper_id, name in rows.values_list("paper_id", "source__name"):
        if name not in found[paper_id]:
            found[paper_id].append(name)
    return {paper_id: tuple(names) for paper_id, names in found.items()}


def _topics_there(lights: Collection[_Light], facts: _Facts) -> tuple[tuple[str, str], ...]:
    counts: dict[str, int] = defaultdict(int)
    for light in lights:
        for slug in facts.slugs.get(light.paper_id, ()):
            counts[slug] += 1
    return tuple(
        (slug, f"{facts.names[slug]} ({count})") for slug, count in sorted(counts.items(), key=_name_of(facts))
    )


def _name_of(facts: _Facts) -> Any:
    return lambda item: facts.names[item[0]].lower()


def _sources_there(edition: Edition) -> tuple[tuple[str, str], ...]:
    seen = Announcement.objects.filter(paper__edition_entries__edition=edition)
    return tuple(seen.order_by("source__name").values_list("source__slug", "source__name").distinct())

"""Keeping the stored topics of papers in line with the topics' rules."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from papers.bulk import insert_rows
from papers.models import Paper, Topic
from papers.topics import RuleBook, TopicRule, describe, described_words, match_topics

_CHUNK = 500
# How far back a topic whose rule was changed looks: no edition takes an older paper.
RECENT_DAYS = 30
# So many of the newest papers say how rare the words of a description are.
_WEIGHED_BY = 3000
_LINK = Paper.topics.through
# What of a paper its topics follow from.
_READ = ("title", "abstract", "categories", "authors")


@dataclass
class TopicMatcher:
    """The rules of topics, remembering what each text fits: made before a transaction, used again inside it."""

    rules: tuple[TopicRule, ...]
    _book: RuleBook | None = None
    _slugs: dict[tuple[str, str, tuple[str, ...], tuple[str, ...]], list[str]] = field(default_factory=dict)

    def match(self, row: Mapping[str, Any]) -> list[str]:
        """The slugs of the topics that this paper fits."""
        asked = (row["title"], row["abstract"], tuple(row["categories"]), tuple(row["authors"]))
        if asked not in self._slugs:
            self._book = self._book or RuleBook(self.rules)
            self._slugs[asked] = self._book.match(**{name: row[name] for name in _READ})
        return self._slugs[asked]

    def match_ahead(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Match these papers now, so that the matcher remembers them inside the transaction."""
        for row in rows.values():
            self.match(row)


def current_matcher() -> TopicMatcher:
    """A matcher by the topics that are active now."""
    return _matcher_of(Topic.objects.active())


def match_changed(changed: Mapping[int, bool], *, rows: Mapping[int, Mapping[str, Any]], matcher: TopicMatcher) -> None:
    """Bring the topics of these papers in line with their texts: `rows` by id, and in `changed` whether each is new.

    A `matcher` made before spares the work for the texts it has seen, where the rules are still the same.
    """
    topics = list(Topic.objects.active())
    id_of = {topic.slug: topic.pk for topic in topics}
    current = _matcher_of(topics)
    if matcher.rules != current.rules:
        matcher = current
    should: set[tuple[int, int]] = set()
    for paper_id, row in rows.items():
        slugs = matcher.match(row)
        should |= {(paper_id, id_of[slug]) for slug in slugs}
    held: set[tuple[int, int]] = set()
    for ids in _chunks(pk for pk in rows if not changed[pk]):
        held |= set(_LINK.objects.filter(paper_id__in=ids).values_list("paper_id", "topic_id"))
    _write_links(should - held)
    for paper_id, topic_id in sorted(held - should):
        _LINK.objects.filter(paper_id=paper_id, topic_id=topic_id).delete()


def weigh_words(text: str) -> list[tuple[str, float]]:
    """What of a description in plain words says how much, by how rare its words are among the papers of late."""
    words = set(described_words(text))
    if not words:
        return []
    holding, papers = Counter[str](), 0
    newest = Paper.objects.standing().order_by("-announced_date", "-id").values_list("title", "abstract")
    for title, abstract in newest[:_WEIGHED_BY]:
        papers += 1
        holding.update(words.intersection(described_words(f"{title} {abstract}")))
    return describe(text, holding=holding, papers=papers)


def rematch_topic(*, topic_id: int, now: dt.datetime, dry_run: bool = False) -> tuple[int, int]:
    """Give one topic the recent papers that its rule fits now, and take away the others; an inactive one fits none.

    Returns how many came and how many went. Each chunk is a short transaction of its own, and matched before it
    begins. Safe to run twice; a topic that is gone has nothing to do.
    """
    topic = Topic.objects.filter(pk=topic_id).first()
    if topic is None:
        return 0, 0
    weights = [list(pair) for pair in weigh_words(topic.in_plain_words)]
    if weights != topic.word_weights:
        topic.word_weights = weights
        if not dry_run:
            Topic.objects.filter(pk=topic_id, in_plain_words=topic.in_plain_words).update(word_weights=weights)
    rules = [topic.rule()] if topic.is_active else []
    since = now.date() - dt.timedelta(days=RECENT_DAYS)
    came = went = 0
    recent = Paper.objects.filter(announced_date__gte=since, merged_into__isnull=True)
    for ids in _chunks(recent.values_list("id", flat=True)):
        should = {row["id"] for row in _texts(ids) if rules and _fits(row, rules)}
        links = _LINK.objects.filter(topic_id=topic_id, paper_id__in=ids)
        held = set(links.values_list("paper_id", flat=True))
        came, went = came + len(should - held), went + len(held - should)
        if dry_run or should == held:
            continue
        with transaction.atomic():
            _write_links((paper_id, topic_id) for paper_id in should - held)
            links.filter(paper_id__in=held - should).delete()
    return came, went


def _matcher_of(topics: Iterable[Topic]) -> TopicMatcher:
    return TopicMatcher(tuple(topic.rule() for topic in topics))


def _chunks(paper_ids: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(paper_ids))
    return (ordered[start : start + _CHUNK] for start in range(0, len(ordered), _CHUNK))


def _texts(paper_ids: list[int]) -> Iterable[Mapping[str, Any]]:
    return Paper.objects.filter(id__in=paper_ids).values("id", "title", "abstract", "categories", "authors")


def _fits(row: Mapping[str, Any], rules: Sequence[TopicRule]) -> bool:
    return bool(match_topics(**{name: row[name] for name in _READ}, rules=rules))


def _write_links(links: Iterable[tuple[int, int]]) -> None:
    # In the order of the ids, so that two who write the same links do not wait for each other.
    insert_rows(_LINK, [{"paper_id": paper_id, "topic_id": topic_id} for paper_id, topic_id in sorted(links)])

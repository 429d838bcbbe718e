"""What a topic as it is being written would have matched: shown to the curator, and not kept."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from papers.matching import RECENT_DAYS, weigh_words
from papers.models import Paper, Topic
from papers.topics import match_topics, why_it_fits

# The newest papers are looked at; so many come in a month with all of computer science.
MOST_PAPERS = 20_000
EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Example:
    """A paper that would fit, and what of the rule it fits by."""

    title: str
    link: str
    day: dt.date
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TopicPreview:
    """The last month by a rule: the papers of each day that fit, the newest of them, and how many were looked at."""

    days: tuple[tuple[dt.date, int], ...]
    examples: tuple[Example, ...]
    looked_at: int

    @property
    def total(self) -> int:
        return sum(count for _, count in self.days)

    @property
    def share(self) -> float:
        """Of all papers looked at, in percent."""
        return 100 * self.total / self.looked_at if self.looked_at else 0

    @property
    def per_day(self) -> float:
        """On days on which any paper came in."""
        busy = len(self.days)
        return self.total / busy if busy else 0


def preview_topic(topic: Topic, *, now: dt.datetime) -> TopicPreview:
    """What this topic, which need not be saved, would have matched in the last month. Writes nothing."""
    topic.word_weights = [list(pair) for pair in weigh_words(topic.in_plain_words)]
    rule, examples = topic.rule(), list[Example]()
    looked, fitting = Counter[dt.date](), Counter[dt.date]()
    for paper in _recent(now):
        looked[paper.announced_date] += 1
        names = {"title": paper.title, "abstract": paper.abstract, "authors": paper.authors}
        if match_topics(**names, categories=paper.categories, rules=[rule]):
            fitting[paper.announced_date] += 1
            if len(examples) < EXAMPLES:
                why = why_it_fits(rule, **names, categories=paper.categories)
                examples.append(Example(paper.title, paper.link, paper.announced_date, tuple(why)))
    days = tuple((day, fitting[day]) for day in sorted(looked))
    return TopicPreview(days, tuple(examples), looked.total())


def _recent(now: dt.datetime) -> Iterator[Paper]:
    since = now.date() - dt.timedelta(days=RECENT_DAYS)
    papers: Iterable[Paper] = (
        Paper.objects.standing()
        .filter(announced_date__gte=since)
        .order_by("-announced_date", "-id")
        .only("title", "abstract", "authors", "categories", "link", "announced_date")[:MOST_PAPERS]
    )
    return iter(papers)

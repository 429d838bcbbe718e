"""What changes for whom: how many readers get a paper as things stand, and what picking it would push out.

Nothing is estimated by a rule of thumb: the digest of each reader in a sample is chosen by the very code that sends,
once as the edition is and once as it would be.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from digests.digest import choose_papers
from digests.models import Edition, EditionPaper
from digests.readers import Recipient, read_recipients
from digests.selection import Arranged
from digests.shelf import Shelf
from papers.models import Paper
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.schedule import Cadence

# So many readers are chosen for at most: half a second's work, and within two in a hundred of the truth.
SAMPLE = 1000
MOST_DISPLACED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How many of the readers looked at get the paper now, and how many would with the choice turned round: picked
    where it is no pick, and no pick where it is one. `displaced` are the papers that fewer readers would get (or, for a
    pick taken back, more), and how many."""

    paper: Paper
    is_pick: bool
    readers: int
    sampled: int
    now: int
    then: int
    displaced: tuple[tuple[Paper, int], ...] = ()

    @property
    def is_sample(self) -> bool:
        """Whether there are more readers than were looked at."""
        return self.sampled < self.readers

    def scaled(self, count: int) -> int:
        """A count among the readers looked at, for all of them."""
        return round(count * self.readers / self.sampled) if self.sampled else 0

    @property
    def now_in_all(self) -> int:
        return self.scaled(self.now)

    @property
    def then_in_all(self) -> int:
        return self.scaled(self.then)

    @property
    def displaced_in_all(self) -> list[tuple[Paper, int]]:
        return [(paper, self.scaled(count)) for paper, count in self.displaced]


def find_reach(edition: Edition, paper_id: int, *, now: dt.datetime, sample: int = SAMPLE) -> Reach:
    """Choose for at most `sample` readers, evenly spread over all who get mail now. Writes nothing.

    Raises EditionPaper.DoesNotExist where the paper is not in the edition.
    """
    entry = EditionPaper.objects.select_related("paper").get(edition=edition, paper_id=paper_id)
    active = Subscriber.objects.filter(state=SubscriberState.ACTIVE)
    ids = list(active.order_by("pk").values_list("pk", flat=True))
    chosen_for = _spread(ids, sample)
    shelf = Shelf(now=now)
    before, after = _Choices(shelf, edition), _Choices(shelf, edition, turned=paper_id)
    counts_before: Counter[int] = Counter()
    counts_after: Counter[int] = Counter()
    recipients = read_recipients(chosen_for, edition, returning=shelf.returning(edition), now=now)
    for recipient in recipients.values():
        counts_before.update(before.paper_ids(recipient))
        counts_after.update(after.paper_ids(recipient))
    return Reach(
        paper=entry.paper,
        is_pick=entry.choice == "pick",
        readers=len(ids),
        sampled=len(recipients),
        now=counts_before[paper_id],
        then=counts_after[paper_id],
        displaced=_displaced(counts_before, counts_after, paper_id),
    )


class _Choices:
    """The choice for readers from an edition, with one paper's pick turned round, or as it is."""

    def __init__(self, shelf: Shelf, edition: Edition, *, turned: int | None = None) -> None:
        self._shelf, self._edition, self._turned = shelf, edition, turned
        self._arranged: dict[tuple[tuple[int, ...], bool, bool, bool, bool], Arranged] = {}

    def paper_ids(self, recipient: Recipient) -> list[int]:
        editions = self._shelf.covered(recipient.last_date, self._edition)
        arranged = self._arrange(editions, recipient)
        return [
            choice.paper_id for choice in choose_papers(recipient, arranged, words=lambda: self._shelf.words(editions))
        ]

    def _arrange(self, editions: Sequence[Edition], recipient: Recipient) -> Arranged:
        wants, lists = recipient.wants_replacements, recipient.wants_cross_lists
        is_weekly = recipient.schedule.cadence is Cadence.WEEKLY
        picks = recipient.wants_picks
        key = (tuple(edition.pk for edition in editions), wants, lists, picks, is_weekly)
        if key not in self._arranged:
            self._arranged[key] = self._shelf.rearranged(
                editions,
                with_replacements=wants,
                with_cross_lists=lists,
                with_picks=picks,
                is_weekly=is_weekly,
                turned=self._turned,
            )
        return self._arranged[key]


def _spread(ids: Sequence[int], most: int) -> list[int]:
    """At most so many of these, evenly over all of them."""
    if len(ids) <= most:
        return list(ids)
    return [ids[number * len(ids) // most] for number in range(most)]


def _displaced(before: Counter[int], after: Counter[int], paper_id: int) -> tuple[tuple[Paper, int], ...]:
    changed = {pk: abs(before[pk] - after[pk]) for pk in before | after if pk != paper_id and before[pk] != after[pk]}
    most = sorted(changed.items(), key=lambda item: (-item[1], item[0]))[:MOST_DISPLACED]
    papers = Paper.objects.in_bulk([pk for pk, _ in most])
    return tuple((papers[pk], count) for pk, count in most if pk in papers)

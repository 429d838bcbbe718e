"""A crowd of due readers with wishes of their own, and one edition for them: for the chaos runs and the benchmarks."""

import datetime as dt
import itertools

from digests.models import Choice, Edition, EditionPaper, EditionState
from papers.models import Paper, Topic
from subscriptions.addresses import hash_address
from subscriptions.models import Subscriber, SubscriberState, Subscription

TOPICS = 24
CHUNK = 2000
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Sydney")
# As long as what an abstract's first sentences come to on a card, and with a word outside ASCII, as real ones have.
ABSTRACT = (
    "We study how models of kind {number} learn from long documents when most of what they read is noise, and why the "
    "naïve estimate of Erdős type {number} is off by a constant factor. Our method needs one pass over the data and no "
    "labels at all. On nine public collections it is {number} points better than the best published result, at a third "
    "of the cost."
)


def address_of(number: int) -> str:
    """The address of reader `number`; the first is 1."""
    return f"reader{number}@example.org"


def make_edition(*, papers: int, now: dt.datetime) -> Edition:
    """A published edition of today: `papers` papers over all topics, the first two of them picked."""
    topics = [
        Topic.objects.update_or_create(slug=f"crowd-{number}", defaults={"name": f"Field of study {number}"})[0]
        for number in range(TOPICS)
    ]
    made = Paper.objects.bulk_create(
        Paper(
            key=f"arxiv:2611.{number:05}",
            title=f"On the {number}th question about large models, and what the answer to it would cost",
            abstract=ABSTRACT.format(number=number),
            authors=["Ada Lovelace", "Alan Turing", "Erdős Pál", "Emmy Noether", "Grace Hopper"],
            categories=["cs.CL"],
            link=f"https://arxiv.org/abs/2611.{number:05}",
            upvotes=number % 40,
            announced_date=now.date(),
            first_seen_at=now - dt.timedelta(hours=3),
        )
        for number in range(papers)
    )
    links = Paper.topics.through
    links.objects.bulk_create(
        links(paper_id=paper.pk, topic_id=topics[(number + step) % TOPICS].pk)
        for number, paper in enumerate(made)
        for step in (0, 7)
    )
    edition = Edition.objects.create(date=now.date(), state=EditionState.PUBLISHED, cutoff_at=now, published_at=now)
    EditionPaper.objects.bulk_create(
        EditionPaper(
            edition=edition,
            paper=paper,
            position=position,
            choice=Choice.PICK if position < 2 else Choice.CANDIDATE,
            note="The one to read **first**." if position < 2 else "",
        )
        for position, paper in enumerate(made)
    )
    return edition


def make_readers(count: int, *, max_papers: int, now: dt.datetime) -> None:
    """`count` active readers who are due: each follows three topics in an order of their own, hour and zone differ."""
    topic_ids = list(Topic.objects.filter(slug__startswith="crowd-").order_by("id").values_list("id", flat=True))
    wishes = itertools.cycle(itertools.permutations(topic_ids, 3))
    numbers = iter(range(1, count + 1))
    while chunk := list(itertools.islice(numbers, CHUNK)):
        readers = Subscriber.objects.bulk_create(
            Subscriber(
                email=address_of(number),
                address_hash=hash_address(address_of(number)),
                state=SubscriberState.ACTIVE,
                hour=number % 24,
                zone=ZONES[number % len(ZONES)],
                max_papers=max_papers,
                confirmed_at=now - dt.timedelta(days=30),
                next_due_at=now - dt.timedelta(minutes=1),
            )
            for number in chunk
        )
        Subscription.objects.bulk_create(
            Subscription(subscriber=reader, topic_id=topic_id)
            for reader, wish in zip(readers, wishes, strict=False)
            for topic_id in wish
        )

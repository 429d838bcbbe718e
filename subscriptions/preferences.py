"""What a reader may choose, as one value: read from the database, and written back as a whole."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from papers.models import Paper, Topic
from subscriptions.models import DEFAULT_HOUR, DEFAULT_PAPERS, Subscriber, SubscriberState, Subscription, Wishes
from subscriptions.phrases import phrases_of
from subscriptions.schedule import Cadence, Schedule, known_zone, next_due
from subscriptions.signals import reader_taste_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All of a reader's choices. The defaults are what somebody gets who gives an address and nothing else."""

    topics: tuple[str, ...] = ()  # slugs
    cadence: Cadence = Cadence.DAILY
    weekday: int = 0
    hour: int = DEFAULT_HOUR
    zone: str = "UTC"
    language: str = ""  # a code; nothing is the newsletter's own
    max_papers: int = DEFAULT_PAPERS
    wants_replacements: bool = False
    wants_cross_lists: bool = True
    wants_picks: bool = True
    interest: str = ""
    seed_papers: tuple[str, ...] = ()  # keys, like arxiv:2509.02547
    mute_words: tuple[str, ...] = ()
    followed_authors: tuple[str, ...] = ()

    @property
    def phrases(self) -> list[str]:
        """What is looked for because of the interest in free words."""
        return phrases_of(self.interest)

    @property
    def schedule(self) -> Schedule:
        return Schedule(cadence=self.cadence, hour=self.hour, zone=self.zone, weekday=self.weekday)


def preferences_of(subscriber: Subscriber) -> Preferences:
    """What this reader has chosen."""
    wishes = Wishes.objects.filter(subscriber=subscriber).first() or Wishes(subscriber=subscriber)
    return Preferences(
        topics=tuple(subscriber.topics.values_list("slug", flat=True)),
        cadence=Cadence(subscriber.cadence),
        weekday=subscriber.weekday,
        hour=subscriber.hour,
        zone=subscriber.zone,
        language=subscriber.language,
        max_papers=subscriber.max_papers,
        wants_replacements=subscriber.wants_replacements,
        wants_cross_lists=wishes.wants_cross_lists,
        wants_picks=wishes.wants_picks,
        interest=wishes.interest,
        seed_papers=tuple(wishes.seed_papers),
        mute_words=tuple(wishes.mute_words),
        followed_authors=tuple(wishes.followed_authors),
    )


def store_preferences(subscriber: Subscriber, chosen: Preferences, *, now: dt.datetime, is_new: bool = False) -> None:
    """Make these the reader's choices, in the caller's transaction. A new hour counts from `now` on.

    `is_new`: the row was made a moment ago, and nothing that was chosen before is to be taken away.
    """
    Subscriber.objects.filter(pk=subscriber.pk).update(
        cadence=chosen.cadence,
        weekday=chosen.weekday,
        hour=chosen.hour,
        zone=chosen.zone,
        language=chosen.language,
        max_papers=chosen.max_papers,
        wants_replacements=chosen.wants_replacements,
    )
    if chosen.schedule != subscriber.schedule():
        active = Subscriber.objects.filter(pk=subscriber.pk, state=SubscriberState.ACTIVE)
        active.update(next_due_at=next_due(chosen.schedule, after=now))
        paused = Subscriber.objects.filter(pk=subscriber.pk, state=SubscriberState.PAUSED, paused_until__isnull=False)
        if subscriber.paused_until:
            paused.update(next_due_at=due_on(chosen.schedule, subscriber.paused_until))
    set_topics(subscriber, chosen.topics, is_new=is_new)
    if not is_new or _asks_for_something(chosen):
        _set_wishes(subscriber, chosen)


def due_on(schedule: Schedule, day: dt.date) -> dt.datetime:
    """The first instant on or after this day, in the reader's zone, at which the schedule is due."""
    midnight = dt.datetime.combine(day, dt.time(), tzinfo=known_zone(schedule.zone))
    return next_due(schedule, after=midnight - dt.timedelta(seconds=1))


def set_topics(subscriber: Subscriber, slugs: Sequence[str], *, is_new: bool = False) -> None:
    """Make these the subscriber's topics, neither more nor fewer. Slugs nobody knows are the form's to refuse."""
    wanted = set(Topic.objects.active().filter(slug__in=slugs).values_list("id", flat=True))
    if not is_new:
        Subscription.objects.filter(subscriber=subscriber).exclude(topic_id__in=wanted).delete()
    Subscription.objects.bulk_create(
        [Subscription(subscriber=subscriber, topic_id=topic_id) for topic_id in sorted(wanted)], ignore_conflicts=True
    )


def titles_of(keys: Sequence[str]) -> dict[str, str]:
    """The titles of those of these papers that we have, by key."""
    return dict(Paper.objects.filter(key__in=keys).values_list("key", "title"))


def _set_wishes(subscriber: Subscriber, chosen: Preferences) -> None:
    values = {
        "interest": chosen.interest,
        "seed_papers": list(chosen.seed_papers),
        "mute_words": list(chosen.mute_words),
        "followed_authors": list(chosen.followed_authors),
        "wants_cross_lists": chosen.wants_cross_lists,
        "wants_picks": chosen.wants_picks,
    }
    before = Wishes.objects.filter(subscriber=subscriber).values_list("interest", "seed_papers").first()
    if _asks_for_something(chosen):
        Wishes.objects.update_or_create(subscriber=subscriber, defaults=values)
    else:
        Wishes.objects.filter(subscriber=subscriber).delete()
    if (before or ("", [])) != (chosen.interest, list(chosen.seed_papers)):
        reader_taste_changed.send(sender=Subscriber, subscriber_id=subscriber.pk, is_more=False)


def _asks_for_something(chosen: Preferences) -> bool:
    """Whether they chose anything beyond topics, which most do not."""
    return bool(
        chosen.interest
        or chosen.seed_papers
        or chosen.mute_words
        or chosen.followed_authors
        or not chosen.wants_cross_lists
        or not chosen.wants_picks
    )

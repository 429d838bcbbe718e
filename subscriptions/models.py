"""Subscribers, what they chose, what they agreed to, whom we must not mail, and every mail that is no digest."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext, gettext_lazy

from papers.models import Paper, Topic
from subscriptions.community_models import (
    AuthorClaim,
    ClaimState,
    ReaderProfile,
    ReaderSession,
    Submission,
    SubmissionState,
    Vote,
)
from subscriptions.outgoing import Outgoing, indexes_of, new_public_id
from subscriptions.schedule import Cadence, Schedule

__all__ = [
    "AuthorClaim",
    "ClaimState",
    "ReaderProfile",
    "ReaderSession",
    "Submission",
    "SubmissionState",
    "Vote",
]

DEFAULT_PAPERS = 10
MAX_PAPERS = 20
DEFAULT_HOUR = 8


def language_choices() -> list[tuple[str, str]]:
    """The languages mails are written in. Called when needed: a language more needs no migration."""
    return [("", gettext("The newsletter’s own")), *settings.LANGUAGES]


class SubscriberState(models.TextChoices):
    PENDING = "pending", "Pending: has not confirmed yet"
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def due(self, now: dt.datetime) -> "SubscriberQuerySet":
        """Active subscribers whose hour has come."""
        return self.filter(state=SubscriberState.ACTIVE, next_due_at__lte=now)


class Subscriber(models.Model):
    """An address, and how its owner wants to be mailed."""

    public_id = models.CharField(max_length=32, default=new_public_id, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    address_hash = models.CharField(max_length=64, editable=False)
    state = models.CharField(max_length=12, choices=SubscriberState, default=SubscriberState.PENDING)
    cadence = models.CharField(
        max_length=10, choices=[(cadence.value, cadence.value.title()) for cadence in Cadence], default=Cadence.DAILY
    )
    weekday = models.PositiveSmallIntegerField(default=0, help_text="For weekly: 0 is Monday, 6 is Sunday.")
    hour = models.PositiveSmallIntegerField(default=DEFAULT_HOUR, help_text="0 to 23, in the subscriber's zone.")
    zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=10, blank=True, default="", choices=language_choices)
    max_papers = models.PositiveSmallIntegerField(default=DEFAULT_PAPERS)
    wants_replacements = models.BooleanField(
        "new versions", default=False, help_text="Also papers that come back in a new version."
    )
    next_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    created_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateField(
        null=True, blank=True, help_text="While paused: the day on which mail comes again by itself."
    )
    topics: "models.ManyToManyField[Topic, Any]" = models.ManyToManyField(
        Topic, through="Subscription", related_name="subscribers"
    )

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(cadence__in=[cadence.value for cadence in Cadence]), name="subscriber_cadence"
            ),
            models.CheckConstraint(condition=Q(hour__lte=23), name="subscriber_hour"),
            models.CheckConstraint(condition=Q(weekday__lte=6), name="subscriber_weekday"),
            models.CheckConstraint(condition=Q(max_papers__range=(1, MAX_PAPERS)), name="subscriber_max_papers"),
            models.UniqueConstraint(fields=["public_id"], name="subscriber_public_id"),
        ]
        # Each digest moves its reader's hour and with it every index: as few as there can be, and none for LIKE, which
        # Django adds where a field itself is called unique or indexed.
        indexes = [models.Index(fields=["address_hash"], name="subscriber_address")]

    def __str__(self) -> str:
        return self.email

    def schedule(self) -> Schedule:
        """When this subscriber wants a digest."""
        return Schedule(cadence=Cadence(self.cadence), hour=self.hour, zone=self.zone, weekday=self.weekday)


class Subscription(models.Model):
    """A subscriber's choice of one topic."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="subscriptions")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="subscriptions")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscriber", "topic"], name="subscription_once")]

    def __str__(self) -> str:
        return f"{self.subscriber_id} on {self.topic_id}"


class Wishes(models.Model):
    """What some readers ask for beyond topics. Who asks for nothing has no row, and costs nothing when digests are
    made."""

    subscriber = models.OneToOneField(Subscriber, primary_key=True, on_delete=models.CASCADE, related_name="wishes")
    interest = models.CharField(max_length=500, blank=True, help_text="In the reader's own words.")
    seed_papers = models.JSONField(default=list, blank=True, help_text="Keys of papers they like.")
    mute_words = models.JSONField(default=list, blank=True, help_text="Papers with one of these never come.")
    followed_authors = models.JSONField(default=list, blank=True)
    wants_cross_lists = models.BooleanField(
        "cross-lists", default=True, help_text="Also papers whose first category is in none of their topics."
    )

    wants_picks = models.BooleanField(
        "editor's picks", default=True, help_text="What the editor picked comes first, whatever the topic."
    )

    class Meta:
        verbose_name_plural = "wishes"

    def __str__(self) -> str:
        return f"of {self.subscriber_id}"


class Leaning(models.TextChoices):
    MORE = "more", gettext_lazy("More like this")
    LESS = "less", gettext_lazy("Less like this")


class ReaderSignal(models.Model):
    """A reader's word on one paper. They can see and clear each."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="signals")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="reader_signals")
    leaning = models.CharField(max_length=4, choices=Leaning)
    at = models.DateTimeField()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "paper"], name="reader_signal_once"),
            models.CheckConstraint(condition=Q(leaning__in=Leaning.values), name="reader_signal_leaning"),
        ]

    def __str__(self) -> str:
        return f"{self.subscriber_id}: {self.leaning} like {self.paper_id}"


class AddressChange(models.Model):
    """A reader asked to be mailed elsewhere; the new address has still to say yes. One a reader: the latest."""

    public_id = models.CharField(max_length=32, default=new_public_id, unique=True, editable=False)
    subscriber = models.OneToOneField(Subscriber, on_delete=models.CASCADE, related_name="address_change")
    email = models.EmailField(max_length=254)
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"of {self.subscriber_id}"


class ConsentKind(models.TextChoices):
    REQUESTED = "requested", "Asked to subscribe"
    CONFIRMED = "confirmed", "Confirmed"
    CHANGED = "changed", "Changed preferences"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
    ERASED = "erased", "Erased"
    IMPORTED = "imported", "Imported, on the owner's word"


class Farewell(models.TextChoices):
    TOO_MUCH = "too_much", gettext_lazy("Too many mails")
    NOT_FOR_ME = "not_for_me", gettext_lazy("The papers were not for me")
    ELSEWHERE = "elsewhere", gettext_lazy("I read papers elsewhere")
    NOT_ASKED = "not_asked", gettext_lazy("I never asked for this")
    OTHER = "other", gettext_lazy("Something else")


class ConsentEvent(models.Model):
    """Append-only: what somebody agreed to or took back, when, in which words, and how (GDPR, Article 7)."""

    subscriber = models.ForeignKey(Subscriber, null=True, on_delete=models.SET_NULL, related_name="consent_events")
    address_hash = models.CharField(max_length=64, db_index=True)
    kind = models.CharField(max_length=12, choices=ConsentKind)
    at = models.DateTimeField()
    wording = models.CharField(max_length=20, help_text="Version of the words at the form.")
    how = models.CharField(max_length=40, help_text="Which door: form, mail link, one-click header, owner.")
    reason = models.CharField(max_length=12, choices=Farewell, blank=True, help_text="Why they left, if they said so.")

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M} UTC"


class ImportState(models.TextChoices):
    PREVIEWED = "previewed", "Looked at, not imported"
    WAITING = "waiting", "Waiting to be imported"
    DONE = "done", "Imported"
    FAILED = "failed", "Failed"


class SubscriberImport(models.Model):
    """A list that was brought along from another service, and what the owner stated about the people on it. Consent
    events point here, so that each reader's consent can be shown (GDPR, Article 7)."""

    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.PREVIEWED)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    by = models.CharField(max_length=150, help_text="Who brought it: a name of the admin, or the command.")
    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, help_text="Of the file, so that it can be told which one it was.")
    source = models.CharField(max_length=20, help_text="The service that the list came from.")
    consent = models.TextField(help_text="What the people agreed to, where and when, in the owner's words.")
    wishes = models.JSONField(default=dict, help_text="What they get.")
    counts = models.JSONField(default=dict, help_text="How many rows met which fate.")
    problems = models.JSONField(default=list, help_text="The first rows that made no reader, and why.")
    content = models.BinaryField(null=True, help_text="The file, until it is imported.")

    class Meta:
        verbose_name = "import of subscribers"
        verbose_name_plural = "imports of subscribers"

    def __str__(self) -> str:
        return f"{self.file_name} of {self.started_at:%Y-%m-%d}"

    @property
    def wording(self) -> str:
        """How consent events point here."""
        return f"import {self.pk}"


class SuppressionReason(models.TextChoices):
    HARD_BOUNCE = "hard_bounce", "The address bounced"
    SOFT_BOUNCE = "soft_bounce", "The address bounced again and again"
    COMPLAINT = "complaint", "Marked our mail as spam"
    MANUAL = "manual", "Put here by the owner"
    ERASED = "erased", "Asked to be erased"


class SendingHold(models.Model):
    """There is one such row while nothing may leave: see `subscriptions.holding`."""

    reason = models.TextField()
    at = models.DateTimeField(db_default=Now())
    since = models.DateTimeField(null=True, blank=True, help_text="From when on the database knows nothing.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_sending_hold")]

    def __str__(self) -> str:
        return self.reason


class Suppression(models.Model):
    """Do not mail this address. Only its keyed hash is kept; this table is the one truth about it."""

    address_hash = models.CharField(max_length=64, unique=True)
    reason = models.CharField(max_length=12, choices=SuppressionReason)
    at = models.DateTimeField()
    note = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.address_hash[:12]}… ({self.reason})"


class NoticeKind(models.TextChoices):
    CONFIRMATION = "confirmation", "Please confirm"
    ALREADY_SUBSCRIBED = "already_subscribed", "You are already subscribed"
    GOODBYE = "goodbye", "Goodbye"
    FRESH_LINK = "fresh_link", "A link that was asked for"
    NEW_ADDRESS = "new_address", "Please confirm your new address"
    STILL_WANTED = "still_wanted", "Do you still want this?"
    SIGN_IN = "sign_in", "A link to sign in"
    SUBMISSION_ANSWER = "submission_answer", "What became of a paper they submitted"
    SOURCE_STALLED = "source_stalled", "To the owner: a source has stalled"
    SOURCE_BACK = "source_back", "To the owner: a source is back"
    DAYS_MISSING = "days_missing", "To the owner: days went missing"
    SENDING_PAUSED = "sending_paused", "To the owner: an edition was paused"
    MAIL_BLOCKED = "mail_blocked", "To the owner: our mail is being blocked"
    DIGEST_TOO_BIG = "digest_too_big", "To the owner: digests are too big to send"
    ATTENTION = "attention", "To the owner: something needs attention"


# Mails to whoever runs the installation: they have no subscriber.
OWNER_KINDS = frozenset(
    {
        NoticeKind.SOURCE_STALLED,
        NoticeKind.SOURCE_BACK,
        NoticeKind.DAYS_MISSING,
        NoticeKind.SENDING_PAUSED,
        NoticeKind.MAIL_BLOCKED,
        NoticeKind.DIGEST_TOO_BIG,
        NoticeKind.ATTENTION,
    }
)


class Notice(Outgoing):
    """A mail that is no digest. The row is written in the request's own transaction, before any task knows of it."""

    kind = models.CharField(max_length=20, choices=NoticeKind)
    subscriber = models.ForeignKey(Subscriber, null=True, blank=True, on_delete=models.SET_NULL, related_name="notices")
    address_hash = models.CharField(max_length=64, db_index=True)
    key = models.CharField(max_length=120, blank=True, help_text="What it is about, where it is told only once.")
    details = models.JSONField(default=dict, blank=True, help_text="What its words are made of.")

    class Meta:
        indexes = [
            *indexes_of("notice"),
            models.Index(fields=["address_hash", "kind", "created_at"], name="notice_cooldown"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="notice_public_id"),
            models.UniqueConstraint(fields=["key"], condition=~Q(key=""), name="notice_told_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.public_id[:8]}"


class MailEvent(models.Model):
    """What a mail service told us about a mail, stored before it is applied, and applied once."""

    provider = models.CharField(max_length=40)
    event_id = models.CharField(max_length=128, help_text="The provider's id, or a hash of what identifies the event.")
    kind = models.CharField(max_length=20)
    outgoing_id = models.CharField(max_length=64, blank=True, help_text="The opaque id from the mail's metadata.")
    provider_message_id = models.CharField(max_length=255, blank=True)
    address_hash = models.CharField(max_length=64, blank=True)
    is_hard_bounce = models.BooleanField(default=False)
    is_soft_bounce = models.BooleanField(default=False)
    is_block = models.BooleanField(default=False, help_text="Turned away for what it is or whom it is from.")
    detail = models.TextField(blank=True)
    happened_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(db_default=Now())
    applied_at = models.DateTimeField(null=True, db_index=True)
    error = models.TextField(blank=True, help_text="Why it could not be applied.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="mail_event_once")]
        indexes = [models.Index(fields=["outgoing_id"], condition=~Q(outgoing_id=""), name="mail_event_of")]

    def __str__(self) -> str:
        return f"{self.provider} {self.kind}"


class WarmupDay(models.Model):
    """How much of a day's cap is used up while a new sender's good name is still growing."""

    provider = models.CharField(max_length=40)
    date = models.DateField()
    taken = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "date"], name="warmup_day_once")]

    def __str__(self) -> str:
        return f"{self.provider} on {self.date:%Y-%m-%d}: {self.taken}"


class Heartbeat(models.Model):
    """When work of a kind was last really done: written by the tasks themselves, read by health checks."""

    name = models.CharField(max_length=60, primary_key=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S} UTC"

"""Sources, the papers they show us, and the topics people choose among them."""

import datetime as dt
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from papers import topics
from papers.entries import AnnouncementKind
from papers.feeds.kinds import KIND_NAMES, SourceKind


class SourceState(models.TextChoices):
    FRESH = "fresh", "Fresh: brought new papers"
    WAITING = "waiting", "Waiting: nothing new yet"
    QUIET = "quiet", "Quiet: nothing is announced today"
    STALLED = "stalled", "Stalled: nothing new for too long"
    FAILING = "failing", "Failing: could not be fetched"
    OFF = "off", "Off"


class SourceQuerySet(models.QuerySet["Source"]):
    def on(self) -> "SourceQuerySet":
        """Sources that are polled."""
        return self.exclude(state=SourceState.OFF)

    def due(self, now: dt.datetime) -> "SourceQuerySet":
        """Sources that are on and whose time has come."""
        return self.on().filter(next_fetch_at__lte=now)


class Source(models.Model):
    """A feed or API we poll."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=[(kind.value, KIND_NAMES[kind]) for kind in SourceKind])
    url = models.URLField(max_length=500)
    is_sample = models.BooleanField(
        default=False, editable=False, help_text="Serves the bundled sample papers, not the real ones."
    )
    backfill_url = models.URLField(
        "back-fill address",
        max_length=500,
        blank=True,
        help_text="Where days that went missing are made good: the OAI-PMH list of the same papers. "
        "Empty: the source's own address, where it can be asked for a day.",
    )
    state = models.CharField(max_length=10, choices=SourceState, default=SourceState.WAITING)
    state_reason = models.CharField(max_length=300, blank=True, editable=False, help_text="Why it is in this state.")
    missing_dates = models.JSONField(
        default=list, blank=True, editable=False, help_text="Announcement days of the last week that brought nothing."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    watched_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Set where it was switched on again, or its address changed."
    )
    etag = models.CharField(max_length=300, blank=True, editable=False)
    last_modified = models.CharField(max_length=100, blank=True, editable=False)
    next_fetch_at = models.DateTimeField(default=timezone.now, db_index=True)
    last_fetched_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_success_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_new_at = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveSmallIntegerField(default=0, editable=False, help_text="Failed fetches in a row.")
    last_error = models.TextField(blank=True, editable=False)

    objects = SourceQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SourceChange(models.Model):
    """A source went from one state into another: the dated trail of its states, never changed afterwards."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="changes")
    at = models.DateTimeField(db_index=True)
    before = models.CharField(max_length=10, choices=SourceState)
    after = models.CharField(max_length=10, choices=SourceState)
    reason = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.source_id}: {self.before} to {self.after} at {self.at:%Y-%m-%d %H:%M} UTC"


class SourceDay(models.Model):
    """What a source brought for one announcement day: by this its freshness is judged.

    `unseen` counts papers that this source had never shown before; a feed that serves yesterday's batch under today's
    date has none of them.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="days")
    date = models.DateField()
    unseen = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "date"], name="source_day_once")]

    def __str__(self) -> str:
        return f"{self.source_id} on {self.date}: {self.unseen}"


class BackfillState(models.TextChoices):
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Backfill(models.Model):
    """Asking a source for a span of days again, page by page. What is left to ask stands in the row, so that it goes
    on where it was after any end of any process.

    `pages` is what is left, in order: each with `start`, the address a list begins at, `next`, its page to ask now,
    `page`, how many were asked since the start, and `furthest`, the most that ever were.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="backfills")
    since = models.DateField()
    until = models.DateField()
    why = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=BackfillState, default=BackfillState.RUNNING)
    pages = models.JSONField(default=list, editable=False)
    next_page_at = models.DateTimeField(default=timezone.now, db_index=True)
    failures = models.PositiveSmallIntegerField(default=0, help_text="Failed requests in a row.")
    lists_total = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True, blank=True, help_text="Records in all, where the source says so.")
    entries = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["source"], condition=Q(state="running"), name="backfill_one_at_a_time")
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.since} to {self.until}"


class FetchStatus(models.TextChoices):
    STORED = "stored", "Stored"
    NOT_MODIFIED = "not-modified", "Not modified"
    REFUSED = "refused", "Refused: not a document of this kind"
    UNREACHABLE = "failed", "Failed: could not be fetched"
    POSTPONED = "postponed", "Postponed: the host is to be left alone for a while"


class Fetch(models.Model):
    """One visit to a source: what came of it, and each entry that could not be taken."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="fetches")
    fetched_at = models.DateTimeField()
    status = models.CharField(max_length=15, choices=FetchStatus)
    entries = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
    unseen = models.PositiveIntegerField(default=0, help_text="Papers that this source had never shown before.")
    changed = models.PositiveIntegerField(default=0)
    known = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-fetched_at", "-id"]
        verbose_name_plural = "fetches"

    def __str__(self) -> str:
        return f"{self.source} at {self.fetched_at:%Y-%m-%d %H:%M} UTC"


class TopicQuerySet(models.QuerySet["Topic"]):
    def active(self) -> "TopicQuerySet":
        return self.filter(is_active=True)


class Topic(models.Model):
    """What one subscribes to: categories and/or words, with a public slug."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True, help_text="For readers: what it is about.")
    heading = models.CharField(
        max_length=60,
        blank=True,
        default="",
        help_text="Under what readers find it. Default: the science of its first category.",
    )
    categories = models.JSONField(default=list, blank=True, help_text='arXiv categories, for example ["cs.CL"].')
    any_words = models.JSONField(default=list, blank=True, help_text="One of these words or phrases must occur.")
    must_words = models.JSONField(default=list, blank=True, help_text="Each of these must occur.")
    mute_words = models.JSONField(default=list, blank=True, help_text="None of these may occur.")
    in_plain_words = models.TextField(
        blank=True,
        default="",
        max_length=1000,
        help_text="Papers that speak of these things fit too, as if they had one of the words.",
    )
    word_weights = models.JSONField(default=list, editable=False, help_text="What of that says how much.")
    position = models.PositiveSmallIntegerField(default=100)
    is_active = models.BooleanField(default=True)

    objects = TopicQuerySet.as_manager()

    class Meta:
        ordering = ["position", "name"]

    def __str__(self) -> str:
        return self.name

    def rule(self) -> topics.TopicRule:
        """This topic as the pure matcher wants it."""
        return topics.TopicRule(
            slug=self.slug,
            categories=frozenset(self.categories),
            any_words=tuple(self.any_words),
            must_words=tuple(self.must_words),
            mute_words=tuple(self.mute_words),
            described=tuple((str(word), float(weight)) for word, weight in self.word_weights),
        )


class PaperQuerySet(models.QuerySet["Paper"]):
    def standing(self) -> "PaperQuerySet":
        """Papers that were not found to be the same as another, and not withdrawn."""
        return self.filter(merged_into__isnull=True, withdrawn_at__isnull=True)


class Paper(models.Model):
    """The de-duplicated work that entries point to.

    Two rows that turn out to be one work are merged: the one that stays takes everything over, and the other keeps its
    key and points to it, so that whatever knew the old id still finds the work. An id that was never a paper of its own
    (a journal's, for a work we have from arXiv) is kept the same way, as a bare row that is shown nowhere.
    """

    key = models.CharField(max_length=200, unique=True, help_text="Version-less canonical id, like arxiv:2509.02547.")
    title = models.TextField()
    abstract = models.TextField(blank=True)
    authors = models.JSONField(default=list)
    categories = models.JSONField(default=list, blank=True)
    raw_title = models.TextField(blank=True, editable=False)
    raw_abstract = models.TextField(blank=True, editable=False)
    text_rank = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="How faithful the source of the text is; a lesser one never overwrites it."
    )
    version = models.PositiveSmallIntegerField(null=True, blank=True)
    doi = models.CharField(max_length=200, blank=True, db_index=True)
    title_key = models.CharField(
        max_length=40, blank=True, db_index=True, editable=False, help_text="Title and first author, for comparing."
    )
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="merged"
    )
    link = models.URLField(max_length=500, blank=True)
    pdf_link = models.URLField(max_length=500, blank=True)
    code_link = models.URLField(max_length=500, blank=True)
    project_link = models.URLField(max_length=500, blank=True)
    announced_date = models.DateField(db_index=True)
    first_seen_at = models.DateTimeField(db_index=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows when what a reader sees changes."
    )
    corrections = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="What was corrected by hand, each with what the sources say instead: they never overwrite it.",
    )
    upvotes = models.PositiveIntegerField(null=True, blank=True)
    comments = models.PositiveIntegerField(null=True, blank=True)
    github_stars = models.PositiveIntegerField(null=True, blank=True)
    topics: "models.ManyToManyField[Topic, Any]" = models.ManyToManyField(Topic, blank=True, related_name="papers")

    objects = PaperQuerySet.as_manager()

    class Meta:
        ordering = ["-announced_date", "-id"]

    def __str__(self) -> str:
        return self.title


class OneLiner(models.Model):
    """One line on a paper in a machine's words, or that it was asked for one. It is never shown without saying so."""

    paper = models.OneToOneField(Paper, on_delete=models.CASCADE, related_name="one_liner")
    text = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=100, blank=True, help_text="Which machine.")
    attempts = models.PositiveSmallIntegerField(default=0)
    asked_at = models.DateTimeField()
    written_at = models.DateTimeField(null=True, blank=True)
    is_removed = models.BooleanField("taken out", default=False, help_text="By a curator: it is not asked for again.")

    class Meta:
        verbose_name = "line by a machine"
        verbose_name_plural = "lines by a machine"

    def __str__(self) -> str:
        return self.text or f"nothing yet on {self.paper_id}"


class OneLinerDay(models.Model):
    """How many papers a machine was asked about on a day (UTC)."""

    date = models.DateField(unique=True)
    asked = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.date}: {self.asked}"


class Announcement(models.Model):
    """A paper seen in a source on an announcement day: every sighting is kept."""

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="announcements")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="announcements")
    date = models.DateField()
    kind = models.CharField(max_length=15, choices=[(kind.value, kind.value) for kind in AnnouncementKind])
    version = models.PositiveSmallIntegerField(null=True, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        ordering = ["-date", "-id"]
        constraints = [models.UniqueConstraint(fields=["paper", "source", "date"], name="announcement_once_a_day")]

    def __str__(self) -> str:
        return f"{self.paper_id} in {self.source_id} on {self.date}"


class DailySignal(models.Model):
    """What a source counted for a paper on a day: upvotes, comments and stars as a time series."""

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="signals")
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="signals")
    date = models.DateField()
    upvotes = models.PositiveIntegerField(null=True, blank=True)
    comments = models.PositiveIntegerField(null=True, blank=True)
    github_stars = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["paper", "source", "date"], name="signal_once_a_day"),
            models.CheckConstraint(
                condition=Q(upvotes__isnull=False) | Q(comments__isnull=False) | Q(github_stars__isnull=False),
                name="signal_says_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.paper_id} on {self.date}"

"""Sources, the papers they show us, and the topics people choose among them."""

import datetime as dt
from typing import Any

from django.db import models
from django.db.models import Q
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
    def due(self, now: dt.datetime) -> "SourceQuerySet":
        """Sources that are on and whose time has come."""
        return self.exclude(state=SourceState.OFF).filter(next_fetch_at__lte=now)


class Source(models.Model):
    """A feed or API we poll."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=[(kind.value, KIND_NAMES[kind]) for kind in SourceKind])
    url = models.URLField(max_length=500)
    is_sample = models.BooleanField(
        default=False, editable=False, help_text="Serves the bundled sample papers, not the real ones."
    )
    state = models.CharField(max_length=10, choices=SourceState, default=SourceState.WAITING)
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


class FetchStatus(models.TextChoices):
    STORED = "stored", "Stored"
    NOT_MODIFIED = "not-modified", "Not modified"
    REFUSED = "refused", "Refused: not a document of this kind"
    UNREACHABLE = "failed", "Failed: could not be fetched"


class Fetch(models.Model):
    """One visit to a source: what came of it, and each entry that could not be taken."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="fetches")
    fetched_at = models.DateTimeField()
    status = models.CharField(max_length=15, choices=FetchStatus)
    entries = models.PositiveIntegerField(default=0)
    new = models.PositiveIntegerField(default=0)
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


class HostGate(models.Model):
    """When a host may next be asked: how several workers keep one host's terms together."""

    host = models.CharField(max_length=255, primary_key=True)
    free_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.host


class TopicQuerySet(models.QuerySet["Topic"]):
    def active(self) -> "TopicQuerySet":
        return self.filter(is_active=True)


class Topic(models.Model):
    """What one subscribes to: categories and/or words, with a public slug."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    categories = models.JSONField(default=list, blank=True, help_text='arXiv categories, for example ["cs.CL"].')
    any_words = models.JSONField(default=list, blank=True, help_text="One of these words or phrases must occur.")
    must_words = models.JSONField(default=list, blank=True, help_text="Each of these must occur.")
    mute_words = models.JSONField(default=list, blank=True, help_text="None of these may occur.")
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
        )


class Paper(models.Model):
    """The de-duplicated work that entries point to."""

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
    doi = models.CharField(max_length=200, blank=True)
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
    upvotes = models.PositiveIntegerField(null=True, blank=True)
    comments = models.PositiveIntegerField(null=True, blank=True)
    github_stars = models.PositiveIntegerField(null=True, blank=True)
    topics: "models.ManyToManyField[Topic, Any]" = models.ManyToManyField(Topic, blank=True, related_name="papers")

    class Meta:
        ordering = ["-announced_date", "-id"]

    def __str__(self) -> str:
        return self.title


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

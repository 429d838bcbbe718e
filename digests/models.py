"""Editions, which a curator makes, and deliveries, which account for every reader."""

import datetime as dt

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from papers.models import Paper
from subscriptions.models import Subscriber
from subscriptions.outgoing import SENT_STATES, Outgoing, OutgoingState, indexes_of


class EditionState(models.TextChoices):
    DRAFT = "draft", "Draft: publishes itself at the cut-off"
    HELD = "held", "Held: waits for the curator"
    PUBLISHED = "published", "Published"
    PAUSED = "paused", "Paused: nothing is handed over"
    CANCELLED = "cancelled", "Cancelled"
    CLOSED = "closed", "Closed: too old to be sent"


# States in which an edition has been shown to readers: its papers stand in no later one.
SHOWN_STATES = (EditionState.PUBLISHED, EditionState.PAUSED, EditionState.CLOSED)


class EditionQuerySet(models.QuerySet["Edition"]):
    def published(self) -> "EditionQuerySet":
        return self.filter(state=EditionState.PUBLISHED)

    def shown(self) -> "EditionQuerySet":
        """Editions whose page everybody may read."""
        return self.filter(state__in=SHOWN_STATES)


class Edition(models.Model):
    """The curated paper list of one day."""

    date = models.DateField(unique=True)
    state = models.CharField(max_length=10, choices=EditionState, default=EditionState.DRAFT)
    title = models.CharField(max_length=150, blank=True, help_text="Shown beside the date, if you give one.")
    intro = models.TextField(
        blank=True, help_text="A few words to all readers. **bold**, *italic* and [links](…) work."
    )
    subject = models.CharField(
        max_length=120, blank=True, help_text="The subject line of its mails. Empty: the day and the first paper."
    )
    cutoff_at = models.DateTimeField(
        "cut-off", help_text="When it publishes itself; papers first seen later go into the next."
    )
    published_at = models.DateTimeField("published", null=True, blank=True)
    revision = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with each change after publishing."
    )
    version = models.PositiveIntegerField(
        default=1, editable=False, help_text="Grows with each change at the desk, so that nobody undoes another's."
    )
    papers: "models.ManyToManyField[Paper, EditionPaper]" = models.ManyToManyField(
        Paper, through="EditionPaper", related_name="editions"
    )

    objects = EditionQuerySet.as_manager()

    class Meta:
        ordering = ["-date"]

    def __str__(self) -> str:
        return f"{self.date:%Y-%m-%d}"


class Choice(models.TextChoices):
    CANDIDATE = "candidate", "Candidate"
    PICK = "pick", "Editor's pick"
    HIDDEN = "hidden", "Hidden"


class EditionPaperQuerySet(models.QuerySet["EditionPaper"]):
    def shown(self) -> "EditionPaperQuerySet":
        """What everybody sees of an edition: what may be sent, but for new versions of something old that no curator
        picked."""
        return self.sendable().exclude(choice=Choice.CANDIDATE, is_replacement=True)

    def public(self) -> "EditionPaperQuerySet":
        """What everybody may read anywhere: what is shown of editions that are."""
        return self.shown().filter(edition__state__in=SHOWN_STATES)

    def sendable(self) -> "EditionPaperQuerySet":
        """What some reader may be sent: not what is hidden, withdrawn, or was found to be the same as another paper."""
        return self.filter(paper__withdrawn_at__isnull=True, paper__merged_into__isnull=True).exclude(
            choice=Choice.HIDDEN
        )


class EditionPaper(models.Model):
    """A paper in an edition, and what the curator did to it."""

    edition = models.ForeignKey(Edition, on_delete=models.CASCADE, related_name="entries")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="edition_entries")
    choice = models.CharField(max_length=10, choices=Choice, default=Choice.CANDIDATE)
    position = models.PositiveSmallIntegerField(default=0, help_text="Order among the picks; the lowest comes first.")
    is_replacement = models.BooleanField(
        "new version",
        default=False,
        editable=False,
        help_text="Announced as a new version of an older paper: only for readers who asked for those.",
    )
    note = models.CharField(
        max_length=500,
        blank=True,
        help_text="Why you picked it: shown above the paper. **bold**, *italic* and [links](…) work.",
    )
    hidden_reason = models.CharField(
        max_length=200, blank=True, help_text="Why it is hidden: for the desk alone, readers never see it."
    )

    objects = EditionPaperQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["edition", "paper"], name="edition_paper_once")]
        indexes = [models.Index(fields=["edition", "choice"], name="edition_paper_choice")]

    def __str__(self) -> str:
        return f"{self.paper_id} in {self.edition_id}"


class DeskChange(models.Model):
    """Somebody changed an edition at the desk: who, when, and what it was before and after. Never changed afterwards.

    `before` and `after` hold the same keys; `digests.curation` says which there are.
    """

    edition = models.ForeignKey(Edition, on_delete=models.CASCADE, related_name="changes")
    version = models.PositiveIntegerField(help_text="The edition's, after this change.")
    at = models.DateTimeField()
    by = models.CharField(max_length=150, help_text="A name of the admin, or the command.")
    what = models.CharField(max_length=200)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    undoes = models.OneToOneField(
        "self",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="undone_by",
        help_text="What it took back.",
    )

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["edition", "version"], name="desk_change_once")]

    def __str__(self) -> str:
        return f"{self.by}: {self.what}"


class Delivery(Outgoing):
    """One edition to one subscriber: the row that says what became of it.

    `paper_ids` and `reasons` are what was chosen, in order, written in the same UPDATE that begins the hand-off.
    """

    # Both are the beginning of an index below.
    edition = models.ForeignKey(Edition, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    subscriber = models.ForeignKey(
        Subscriber, null=True, blank=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False
    )
    due_at = models.DateTimeField()
    edition_revision = models.PositiveIntegerField(null=True, blank=True)
    paper_ids = models.JSONField(default=list, blank=True)
    reasons = models.JSONField(default=list, blank=True)
    resend_at = models.DateTimeField(
        null=True, blank=True, help_text="When the owner asked for it once more: it keeps its papers."
    )
    may_have_left_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When it was put back although it may have left: its papers count as seen, whatever comes of it now.",
    )

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="delivery_public_id"),
            models.UniqueConstraint(fields=["edition", "subscriber"], name="delivery_once"),
            models.CheckConstraint(
                condition=~Q(state="claimed") | (~Q(claim_token="") & Q(lease_until__isnull=False)),
                name="delivery_claim_has_lease",
            ),
        ]
        indexes = [*indexes_of("delivery"), models.Index(fields=["subscriber", "due_at"], name="delivery_history")]

    def __str__(self) -> str:
        return f"{self.edition_id} to {self.subscriber_id}"


class LetterState(models.TextChoices):
    DRAFT = "draft", "Draft"
    SENDING = "sending", "Goes out"
    PAUSED = "paused", "Paused: nothing is handed over"
    CANCELLED = "cancelled", "Cancelled"


class Letter(models.Model):
    """The owner's own words to all readers, once."""

    subject = models.CharField(max_length=120)
    body = models.TextField(help_text="**bold**, *italic*, [links](https://…) and lists work.")
    state = models.CharField(max_length=10, choices=LetterState, default=LetterState.DRAFT, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField("started", null=True, blank=True, editable=False)
    is_planned = models.BooleanField(default=False, editable=False, help_text="Every reader has a row.")
    planned_to = models.BigIntegerField(default=0, editable=False, help_text="The last reader who has one.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.subject


class LetterDelivery(Outgoing):
    """One letter to one subscriber: the row that says what became of it."""

    letter = models.ForeignKey(Letter, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    subscriber = models.ForeignKey(Subscriber, null=True, blank=True, on_delete=models.SET_NULL, related_name="letters")

    class Meta:
        verbose_name_plural = "letter deliveries"
        indexes = [*indexes_of("letter")]
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="letter_public_id"),
            models.UniqueConstraint(fields=["letter", "subscriber"], name="letter_once"),
        ]

    def __str__(self) -> str:
        return f"{self.letter_id} to {self.subscriber_id}"


# Reasons that are told to readers, too.
NOTHING_TO_SAY = "Nothing to say: every paper of the edition was sent before."
NO_EDITION = "No new edition was published."


def counts_as_seen() -> Q:
    """The condition on deliveries «its papers count as seen»: it left, or may have left, or is to leave once more."""
    waiting = Q(state__in=[OutgoingState.QUEUED, OutgoingState.CLAIMED], resend_at__isnull=False)
    return Q(state__in=SENT_STATES) | Q(may_have_left_at__isnull=False) | waiting


class SkippedDay(models.Model):
    """A day on which a reader was due and there was no new edition to send: accounted for, like everything else."""

    subscriber = models.ForeignKey(Subscriber, on_delete=models.CASCADE, related_name="skipped_days")
    due_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subscriber", "due_at"], name="skipped_day_once")]

    def __str__(self) -> str:
        return f"{self.subscriber_id} on {self.due_at:%Y-%m-%d}"


class ReaderArchive(models.Model):
    """What is left of a reader's deliveries once they are too old to be kept one by one: the papers they had."""

    subscriber = models.OneToOneField(Subscriber, on_delete=models.CASCADE, related_name="archive")
    paper_ids = models.JSONField(default=list)
    last_date = models.DateField(help_text="The newest edition in it that they had a digest of.")

    def __str__(self) -> str:
        return f"{self.subscriber_id} until {self.last_date:%Y-%m-%d}"


class PaperWords(models.Model):
    """The words of a paper as numbers, counted once, for learning: see `digests.corpus`."""

    paper = models.OneToOneField(Paper, primary_key=True, on_delete=models.CASCADE, related_name="counted_words")
    text_hash = models.CharField(max_length=20, help_text="Of the text they were counted in.")
    columns = models.BinaryField(help_text="Their columns, ascending: 32 bits each, deflated.")
    counts = models.BinaryField(help_text="1 + ln(how often), 16 bits each.")

    def __str__(self) -> str:
        return f"of {self.paper_id}"


class PaperVector(models.Model):
    """What an encoder makes of a paper, where the owner chose one: see `digests.dense`."""

    paper = models.OneToOneField(Paper, primary_key=True, on_delete=models.CASCADE, related_name="vector")
    encoder = models.CharField(max_length=200)
    vector = models.BinaryField(help_text="16 bits each.")

    def __str__(self) -> str:
        return f"of {self.paper_id}"


class WordCorpus(models.Model):
    """How rare words are among the papers of late, for learning. The newest counts."""

    made_at = models.DateTimeField(db_index=True)
    papers = models.PositiveIntegerField()
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.papers} papers, {self.made_at:%Y-%m-%d}"


class NearDuplicate(models.Model):
    """Two papers that say the same under two names. No digest holds both."""

    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["paper", "other"], name="near_duplicate_once")]

    def __str__(self) -> str:
        return f"{self.paper_id} and {self.other_id}"


class Taste(models.Model):
    """What was learned of one reader, for the papers of now. Only readers who said something have one."""

    subscriber = models.OneToOneField(Subscriber, primary_key=True, on_delete=models.CASCADE, related_name="taste")
    basis = models.CharField(max_length=40, db_index=True, help_text="For which papers; empty: to be learned anew.")
    learned_at = models.DateTimeField()
    ranked = models.JSONField(
        default=list, help_text="Paper, score, which of `because` it is owed to, whether it fits anywhere."
    )
    because = models.JSONField(default=list, help_text="Kind and title of what the reader liked.")
    sunk = models.JSONField(default=list, help_text="Papers that the reader would rather not see.")
    words = models.JSONField(default=list, help_text="The words that count most, for the reader to see.")

    def __str__(self) -> str:
        return f"of {self.subscriber_id}"


class Rival(models.TextChoices):
    """What a ranking does otherwise than the one in use."""

    BY_TOPICS = "by_topics", "By topics alone, whatever readers liked"
    BY_TOTALS = "by_totals", "By most upvotes all in all, not by what is trending"


class Comparison(models.Model):
    """The ranking in use (A) and another one (B), in turn in each digest: readers' words on papers tell which is
    better. One runs at a time."""

    name = models.CharField(max_length=100)
    rival = models.CharField("ranking B", max_length=20, choices=Rival)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                models.Value(1),
                condition=Q(ended_at__isnull=True),
                name="comparison_one_runs",
                violation_error_message="Another comparison is running. End it first.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ComparedDigest(models.Model):
    """Which ranking added which paper of a digest."""

    delivery = models.OneToOneField(Delivery, primary_key=True, on_delete=models.CASCADE, related_name="compared")
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="digests")
    teams = models.JSONField(default=dict, help_text="A or B, by the paper's id.")

    def __str__(self) -> str:
        return f"{self.comparison_id}: {self.delivery_id}"


class EditionArchive(models.Model):
    """What is left of an edition's deliveries: how many there were in each state, so that its books still balance."""

    edition = models.ForeignKey(Edition, on_delete=models.CASCADE, related_name="archived_counts")
    state = models.CharField(max_length=12)
    count = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["edition", "state"], name="edition_archive_once")]

    def __str__(self) -> str:
        return f"{self.edition_id}: {self.count} {self.state}"


def age_limit(now: dt.datetime) -> dt.date:
    """The oldest edition date that may still be sent: a clock that jumped or a database restored from last month must
    not mail yesterday's news again."""
    return now.date() - dt.timedelta(days=7)

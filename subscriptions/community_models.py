"""What readers do in the open: votes, papers they submit, papers that are theirs, and the name they go by."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from papers.models import Paper
from subscriptions.outgoing import new_public_id

NAME_LENGTH = 40
ADDRESS_LENGTH = 500


class ReaderProfile(models.Model):
    """The name a reader chose to be shown under. `folded` is what two names that look alike share."""

    subscriber = models.OneToOneField(
        "subscriptions.Subscriber", primary_key=True, on_delete=models.CASCADE, related_name="profile"
    )
    name = models.CharField(max_length=NAME_LENGTH)
    folded = models.CharField(max_length=4 * NAME_LENGTH, editable=False)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["folded"], name="reader_profile_name")]

    def __str__(self) -> str:
        return self.name


class ReaderSession(models.Model):
    """A reader asked to sign in, opened the mailed link once, and signed out or not. The cookie names this row."""

    public_id = models.CharField(max_length=32, default=new_public_id, editable=False)
    subscriber = models.ForeignKey("subscriptions.Subscriber", on_delete=models.CASCADE, related_name="sessions")
    leads_to = models.CharField(max_length=300, blank=True, help_text="The page they came from.")
    asked_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["public_id"], name="reader_session_public_id")]
        indexes = [models.Index(fields=["asked_at"], name="reader_session_asked")]

    def __str__(self) -> str:
        return f"of {self.subscriber_id}"


class Vote(models.Model):
    """A reader's upvote of a paper. Taking it back deletes the row."""

    subscriber = models.ForeignKey("subscriptions.Subscriber", on_delete=models.CASCADE, related_name="votes")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="votes")
    at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [models.UniqueConstraint(fields=["subscriber", "paper"], name="vote_once")]

    def __str__(self) -> str:
        return f"{self.subscriber_id} for {self.paper_id}"


class SubmissionState(models.TextChoices):
    ASKED = "asked", gettext_lazy("Asked: not fetched yet")
    READ = "read", gettext_lazy("Read: waits for a curator")
    FAILED = "failed", gettext_lazy("Could not be read")
    KNOWN = "known", gettext_lazy("We have it already")
    ACCEPTED = "accepted", gettext_lazy("Accepted")
    DECLINED = "declined", gettext_lazy("Declined")


class Submission(models.Model):
    """A paper that a reader brought. `preview` is what its own page said of it; `paper` is set once we have it."""

    subscriber = models.ForeignKey("subscriptions.Subscriber", on_delete=models.CASCADE, related_name="submissions")
    key = models.CharField(max_length=200)
    given = models.CharField(max_length=ADDRESS_LENGTH, help_text="What the reader typed.")
    state = models.CharField(max_length=10, choices=SubmissionState, default=SubmissionState.ASKED)
    preview = models.JSONField(default=dict, blank=True)
    problem = models.CharField(max_length=300, blank=True, help_text="Why it could not be read.")
    attempts = models.PositiveSmallIntegerField(default=0)
    paper = models.ForeignKey(
        Paper, null=True, blank=True, on_delete=models.SET_NULL, related_name="submissions", editable=False
    )
    asked_at = models.DateTimeField()
    next_read_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            # Of several who bring the same paper, the first counts while it is undecided.
            models.UniqueConstraint(
                fields=["key"], condition=Q(state__in=["asked", "read"]), name="submission_once_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return str(self.preview.get("shown_title") or self.given)


class ClaimState(models.TextChoices):
    ASKED = "asked", gettext_lazy("Asked")
    CONFIRMED = "confirmed", gettext_lazy("Confirmed: is the author")
    DECLINED = "declined", gettext_lazy("Declined")


class AuthorClaim(models.Model):
    """A reader says to be this author of this paper; a curator says whether that is so."""

    subscriber = models.ForeignKey("subscriptions.Subscriber", on_delete=models.CASCADE, related_name="claims")
    paper = models.ForeignKey(Paper, on_delete=models.CASCADE, related_name="claims")
    author = models.CharField(max_length=200, help_text="As the paper writes the name.")
    state = models.CharField(max_length=10, choices=ClaimState, default=ClaimState.ASKED)
    asked_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["subscriber", "paper"], name="claim_once"),
            models.UniqueConstraint(
                fields=["paper", "author"], condition=Q(state="confirmed"), name="claim_one_author_each"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} of {self.paper_id}"

"""The curators' desk for what readers bring: submitted papers and claims, each accepted or declined."""

import datetime as dt
import logging
from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from papers.long_lists import LongList
from subscriptions.community import decide_claim
from subscriptions.models import AuthorClaim, Submission
from subscriptions.submissions import accept_submission, decline_submission

logger = logging.getLogger(__name__)

SHOWN_FIELDS: Any = [
    "title",
    "authors",
    "abstract",
    "link",
    "given",
    "state",
    "problem",
    "submitter",
    "asked_at",
    "decided_at",
]


class _DecidedOnly(LongList, admin.ModelAdmin[Any]):
    """Rows that readers write: a curator decides about them, and edits nothing."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Of the list, for the actions; a row itself is only looked at.
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Submission)
class SubmissionAdmin(_DecidedOnly):
    list_display = ["title", "authors", "state", "link", "submitter", "asked_at", "problem"]
    list_filter = ["state"]
    list_select_related = ["subscriber__profile"]
    ordering = ["state", "-asked_at"]
    actions = ["accept", "accept_as_pick", "decline"]
    fields = readonly_fields = SHOWN_FIELDS

    @admin.display(description="paper")
    def title(self, submission: Submission) -> str:
        return str(submission)

    @admin.display(description="authors")
    def authors(self, submission: Submission) -> str:
        return ", ".join(submission.preview.get("authors", [])[:6])

    @admin.display(description="abstract")
    def abstract(self, submission: Submission) -> str:
        return str(submission.preview.get("shown_abstract", ""))

    @admin.display(description="link")
    def link(self, submission: Submission) -> str:
        url = submission.preview.get("link", "")
        return format_html('<a href="{}" rel="noreferrer">{}</a>', url, submission.key) if url else submission.key

    @admin.display(description="by")
    def submitter(self, submission: Submission) -> str:
        profile = getattr(submission.subscriber, "profile", None)
        return profile.name if profile else "a reader without a name"

    @admin.action(permissions=["change"], description="Accept: among the candidates of the next edition")
    def accept(self, request: HttpRequest, queryset: QuerySet[Submission]) -> None:
        self._accept(request, queryset, is_pick=False)

    @admin.action(permissions=["change"], description="Accept as a pick of the next edition")
    def accept_as_pick(self, request: HttpRequest, queryset: QuerySet[Submission]) -> None:
        self._accept(request, queryset, is_pick=True)

    @admin.action(permissions=["change"], description="Decline, with a mail to the reader")
    def decline(self, request: HttpRequest, queryset: QuerySet[Submission]) -> None:
        now = timezone.now()
        count = sum(decline_submission(submission=each, now=now) for each in queryset)
        self._say(request, "Declined", count, queryset.count())

    def _accept(self, request: HttpRequest, queryset: QuerySet[Submission], *, is_pick: bool) -> None:
        now = timezone.now()
        count = sum(self._accepted(each, is_pick=is_pick, now=now) for each in queryset)
        self._say(request, "Accepted", count, queryset.count())

    def _accepted(self, submission: Submission, *, is_pick: bool, now: dt.datetime) -> bool:
        """One that cannot be stored stays as it was, and never stops the others."""
        try:
            return accept_submission(submission=submission, is_pick=is_pick, now=now) is not None
        except ValueError:
            logger.exception("submission %d cannot be stored", submission.pk)
            return False

    def _say(self, request: HttpRequest, what: str, count: int, chosen: int) -> None:
        left = f" {chosen - count} could not be: not fetched yet, or decided before." if chosen > count else ""
        self.message_user(request, f"{what} {count}.{left}", messages.SUCCESS if count else messages.WARNING)


@admin.register(AuthorClaim)
class AuthorClaimAdmin(_DecidedOnly):
    list_display = ["author", "paper", "state", "reader", "asked_at", "decided_at"]
    list_filter = ["state"]
    list_select_related = ["paper", "subscriber"]
    actions = ["confirm", "decline"]

    @admin.display(description="reader")
    def reader(self, claim: AuthorClaim) -> str:
        # The address is what a curator compares with the one in the paper.
        return claim.subscriber.email

    @admin.action(permissions=["change"], description="Confirm: this reader is that author")
    def confirm(self, request: HttpRequest, queryset: QuerySet[AuthorClaim]) -> None:
        self._decide(request, queryset, is_author=True)

    @admin.action(permissions=["change"], description="Decline")
    def decline(self, request: HttpRequest, queryset: QuerySet[AuthorClaim]) -> None:
        self._decide(request, queryset, is_author=False)

    def _decide(self, request: HttpRequest, queryset: QuerySet[AuthorClaim], *, is_author: bool) -> None:
        now = timezone.now()
        count = sum(decide_claim(claim=claim, is_author=is_author, now=now) for claim in queryset)
        self.message_user(request, f"Decided {count} of {queryset.count()}.", messages.SUCCESS)

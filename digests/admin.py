"""The editor's desk: an edition with its papers, the books, and what a reader would get."""

import re
from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin

from digests import comparison_admin, editions  # noqa: F401 - the first registers its own
from digests.books import read_books
from digests.breaker import judge
from digests.delivering import send_again
from digests.models import Choice, Delivery, Edition, EditionPaper, EditionState
from digests.previews import Preview, preview
from mailer.messages import OverBudgetError
from mailer.outbox import with_links_outside
from mailer.spam_score import is_available, spam_score
from papers.desk import save_changed
from subscriptions.admin import ReadOnlyAdmin
from subscriptions.bounce_reading import bounces_are_known
from subscriptions.models import Subscriber
from subscriptions.outgoing import OutgoingState, take_as_sent

SHOWN_CANDIDATES = 100
LOCKED_STATES = {EditionState.CANCELLED, EditionState.CLOSED}
_ROW_ID = re.compile(r"entries-\d+-id")


class EditionPaperInline(admin.TabularInline[EditionPaper, Edition]):
    """What the curator decided on, and the best of the rest. Others are found under «edition papers»."""

    model = EditionPaper
    fields = ["paper", "choice", "position", "note", "upvotes", "announced"]
    readonly_fields = ["paper", "announced", "upvotes"]
    extra = 0
    can_delete = False
    verbose_name_plural = f"papers: decided ones first, then the {SHOWN_CANDIDATES} most upvoted"

    def get_queryset(self, request: HttpRequest) -> QuerySet[EditionPaper]:
        object_id = request.resolver_match.kwargs.get("object_id", "0") if request.resolver_match else "0"
        decided_first = Case(
            When(choice=Choice.PICK, then=Value(0)),
            When(choice=Choice.HIDDEN, then=Value(1)),
            default=Value(2),
            output_field=IntegerField(),
        )
        ordered = (
            EditionPaper.objects.filter(edition_id=object_id)
            .exclude(choice=Choice.CANDIDATE, is_replacement=True)
            .annotate(rank=decided_first)
            .order_by("rank", "position", Coalesce("paper__upvotes", 0).desc(), "-paper__announced_date", "-paper_id")
        )
        if request.method == "POST":
            # The rows that were shown, whatever has come in since.
            ordered = ordered.filter(id__in=_posted_ids(request))
        ids = list(ordered.values_list("id", flat=True)[:SHOWN_CANDIDATES])
        kept = Case(*[When(id=pk, then=Value(order)) for order, pk in enumerate(ids)], output_field=IntegerField())
        rows = EditionPaper.objects.filter(id__in=ids).select_related("paper")
        return rows.annotate(order=kept).order_by("order") if ids else rows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="announced")
    def announced(self, entry: EditionPaper) -> str:
        return f"{entry.paper.announced_date:%d %b}"

    @admin.display(description="upvotes")
    def upvotes(self, entry: EditionPaper) -> str:
        return "–" if entry.paper.upvotes is None else str(entry.paper.upvotes)


def _posted_ids(request: HttpRequest) -> list[int]:
    values = [value for name, value in request.POST.items() if _ROW_ID.fullmatch(str(name))]
    # Longer numbers are no ids, and some databases refuse to compare them.
    return [int(value) for value in values if isinstance(value, str) and value.isdecimal() and len(value) < 19]


class PreviewForm(forms.Form):
    """Whose digest to look at."""

    email = forms.CharField(label="As this subscriber", widget=forms.EmailInput)
    edition = forms.ModelChoiceField(
        Edition.objects.exclude(state=EditionState.CANCELLED), required=False, empty_label="this one", label="Edition"
    )
    spam = forms.BooleanField(required=False, label="Ask the spam filter")


@admin.register(Edition)
class EditionAdmin(admin.ModelAdmin[Edition]):
    list_display = ["date", "state", "title", "paper_count", "pick_count", "cutoff_at", "published_at"]
    list_filter = ["state"]
    date_hierarchy = "date"
    fields = ["date", "state", "cutoff_at", "published_at", "title", "intro", "books", "bounces"]
    readonly_fields = ["date", "state", "cutoff_at", "published_at", "books", "bounces"]
    inlines = [EditionPaperInline]
    actions = ["publish_now", "hold", "release", "pause", "resume", "cancel", "retry_failed", "accept_unknown"]
    change_form_template = "admin/digests/edition/change_form.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Editions grow out of the papers that come in.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Edition | None = None) -> bool:
        if obj is not None and obj.state in LOCKED_STATES:
            return False
        return super().has_change_permission(request, obj)

    @admin.display(description="papers")
    def paper_count(self, edition: Edition) -> int:
        return edition.entries.shown().count()

    @admin.display(description="picks")
    def pick_count(self, edition: Edition) -> int:
        return edition.entries.filter(choice=Choice.PICK).count()

    @admin.display(description="The books")
    def books(self, edition: Edition) -> str:
        books = read_books(edition)
        if not books.audience:
            return "Nobody was due for this edition yet."
        parts = [f"{count} {OutgoingState(state).label.lower()}" for state, count in books.counts.items() if count]
        verdict = "they balance" if books.balances else "THEY DO NOT BALANCE"
        due = "1 reader was" if books.audience == 1 else f"{books.audience} readers were"
        return f"{due} due = {' + '.join(parts)}: {verdict}. Accepted is not yet delivered."

    @admin.display(description="Bounces and complaints")
    def bounces(self, edition: Edition) -> str:
        if not bounces_are_known():
            return "Bounces are not known: nobody tells us of them. Set BOUNCE_ADDRESS, and where it is read, to know."
        found = judge(edition)
        if not found.sent:
            return "Nothing of it was sent within the last 90 days."
        return (
            f"Of {found.sent} that left, {found.hard_bounces} bounced for good ({found.hard_bounces / found.sent:.1%})"
            f" and {found.complaints} were marked as spam ({found.complaints / found.sent:.2%}), as far as we know."
        )

    def save_model(self, request: HttpRequest, obj: Edition, form: Any, change: bool) -> None:
        save_changed(obj, form)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        for entry, names in formset.changed_objects:
            entry.save(update_fields=names)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if form.has_changed() or any(formset.has_changed() for formset in formsets):
            editions.amend(form.instance)

    def response_change(self, request: HttpRequest, obj: Edition) -> HttpResponse:
        """The buttons beside «Save»: what was typed is saved first, then the edition moves."""
        moves: dict[str, tuple[Callable[[Edition], bool], str]] = {
            "_publish": (lambda edition: editions.publish(edition, now=timezone.now()), "published"),
            "_hold": (editions.hold, "held"),
            "_release": (editions.release, "released"),
            "_pause": (editions.pause, "paused"),
            "_resume": (editions.resume, "resumed"),
        }
        for name, (move, what) in moves.items():
            if name in request.POST:
                self._tell(request, int(move(obj)), what)
                return redirect("admin:digests_edition_change", obj.pk)
        return super().response_change(request, obj)

    @admin.action(permissions=["change"], description="Publish now")
    def publish_now(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        done = [editions.publish(edition, now=timezone.now()) for edition in queryset]
        self._tell(request, done.count(True), "published")

    @admin.action(permissions=["change"], description="Hold (do not publish at the cut-off)")
    def hold(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, sum(editions.hold(edition) for edition in queryset), "held")

    @admin.action(permissions=["change"], description="Release (publish at the cut-off again)")
    def release(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, sum(editions.release(edition) for edition in queryset), "released")

    @admin.action(permissions=["change"], description="Pause sending")
    def pause(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, sum(editions.pause(edition) for edition in queryset), "paused")

    @admin.action(permissions=["change"], description="Resume sending")
    def resume(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, sum(editions.resume(edition) for edition in queryset), "resumed")

    @admin.action(permissions=["change"], description="Cancel (send nothing, or nothing more)")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, sum(editions.cancel(edition) for edition in queryset), "cancelled")

    @admin.action(permissions=["change"], description="Send what failed once more")
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        failed = Delivery.objects.filter(edition__in=queryset, state=OutgoingState.FAILED)
        self._tell(request, send_again(failed), "put back to be sent again")

    @admin.action(permissions=["change"], description="Take what is unknown as sent")
    def accept_unknown(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._tell(request, take_as_sent(Delivery.objects.filter(edition__in=queryset)), "taken as sent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/preview/", view(self.preview_page), name="digests_edition_preview"),
            path("<int:pk>/preview/document/", view(self.preview_document), name="digests_edition_preview_document"),
            *super().get_urls(),
        ]

    def preview_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a given subscriber would get: as HTML, text and source, with its size and the reason of each paper."""
        edition = self._edition_to_preview(request, pk)
        form = PreviewForm(request.GET or None)
        subscriber = shown = score = None
        if form.is_valid():
            edition = form.cleaned_data["edition"] or edition
            subscriber = Subscriber.objects.filter(email__iexact=form.cleaned_data["email"].strip()).first()
            if subscriber is None:
                form.add_error("email", "Nobody subscribed with this address.")
            else:
                shown = self._try_preview(form, subscriber, edition)
                score = spam_score(shown.octets) if shown and form.cleaned_data["spam"] else None
        context = {
            **self.admin_site.each_context(request),
            "title": f"Preview of {edition}",
            "edition": edition,
            "form": form,
            "subscriber": subscriber,
            "shown": shown,
            "score": score,
            "has_spam_filter": is_available(),
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/digests/edition/preview.html", context)

    # The mail carries its styles in attributes; this one document allows them, and may run or load nothing.
    @method_decorator(xframe_options_sameorigin)
    @method_decorator(
        csp(
            {
                "default-src": [NONE],
                "style-src": [UNSAFE_INLINE],
                "frame-ancestors": [SELF],
                "sandbox": ["allow-popups"],
            }
        )
    )
    def preview_document(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The HTML part alone, as the inner document of the preview."""
        return HttpResponse(with_links_outside(self._preview(request, pk).rendered.html))

    def _edition_to_preview(self, request: HttpRequest, pk: int) -> Edition:
        # A digest holds its reader's choices, and links that change them without a login.
        if not self.has_view_permission(request) or not request.user.has_perm("subscriptions.view_subscriber"):
            raise PermissionDenied
        return get_object_or_404(Edition, pk=pk)

    def _preview(self, request: HttpRequest, pk: int) -> Preview:
        edition = self._edition_to_preview(request, pk)
        subscriber = Subscriber.objects.filter(email__iexact=request.GET.get("email", "")).first()
        if subscriber is None:
            raise Http404
        return preview(subscriber, edition, now=timezone.now())

    def _try_preview(self, form: PreviewForm, subscriber: Subscriber, edition: Edition) -> Preview | None:
        try:
            return preview(subscriber, edition, now=timezone.now())
        except OverBudgetError as error:
            form.add_error(None, f"{error} It would not be sent: shorten the introduction, a note or a title.")
            return None

    def _tell(self, request: HttpRequest, done: int, what: str) -> None:
        level = messages.SUCCESS if done else messages.WARNING
        text = f"{done} {what}." if done else f"Nothing changed: none could be {what} in its state."
        self.message_user(request, text, level)


class EditionPaperForm(forms.ModelForm[EditionPaper]):
    """A row of the list, which Django asks nobody about by itself."""

    def clean(self) -> dict[str, Any] | None:
        if self.has_changed() and self.instance.edition.state in LOCKED_STATES:
            raise forms.ValidationError(
                f"The edition is {self.instance.edition.state}: nothing changes in it any more."
            )
        return super().clean()


@admin.register(EditionPaper)
class EditionPaperAdmin(admin.ModelAdmin[EditionPaper]):
    """Every paper of every edition, for what the edition's own page does not show."""

    list_display = ["paper", "edition", "choice", "position", "note"]
    list_editable = ["choice", "position", "note"]
    list_filter = ["choice", "edition"]
    search_fields = ["paper__title", "paper__key"]
    list_select_related = ["paper", "edition"]
    list_per_page = 50
    readonly_fields = ["edition", "paper"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It would come back as a candidate, or leave no trace in what was sent; hidden is the word for it.
        return False

    def has_change_permission(self, request: HttpRequest, obj: EditionPaper | None = None) -> bool:
        if obj is not None and obj.edition.state in LOCKED_STATES:
            return False
        return super().has_change_permission(request, obj)

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> Any:
        return super().get_changelist_form(request, form=EditionPaperForm, **kwargs)

    def save_model(self, request: HttpRequest, obj: EditionPaper, form: Any, change: bool) -> None:
        save_changed(obj, form)
        editions.amend(obj.edition)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["edition", "subscriber", "state", "reason", "due_at", "begun_at", "settled_at", "attempt"]
    list_filter = ["state", "edition"]
    search_fields = ["public_id", "provider_message_id", "subscriber__email"]
    list_select_related = ["edition", "subscriber"]
    list_per_page = 50
    actions = ["resend", "accept_as_sent"]

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(permissions=["settle"], description="Send again, with the papers it had (failed or unknown)")
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._tell(request, send_again(queryset), "to be sent again within a minute")

    @admin.action(permissions=["settle"], description="Take as sent (unknown)")
    def accept_as_sent(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._tell(request, take_as_sent(queryset), "taken as sent")

    def _tell(self, request: HttpRequest, done: int, what: str) -> None:
        text = f"{done} {what}." if done else "Nothing changed: none of them is in a state that this is for."
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)

"""Editions in the admin: each opens as the desk; the list moves several at once."""

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_sameorigin

from digests import curation, editions
from digests.admin.board_page import board_page
from digests.admin.desk_page import desk_edition, save_desk, show_desk
from digests.admin.paper_pages import correct_page, reach_page
from digests.admin.preview_page import PreviewForm, asked_for, look, may_see_readers, preview_page, send_page
from digests.delivering import send_again
from digests.markdown import to_html, to_inline_html
from digests.models import Choice, Delivery, Edition
from digests.numbers import read_charts
from digests.previews import in_scheme
from mailer.outbox import with_links_outside
from papers.desk import DeskTable
from subscriptions.outgoing import OutgoingState, take_as_sent

MOST_MARKDOWN = 5000


@admin.register(Edition)
class EditionAdmin(DeskTable, admin.ModelAdmin[Edition]):
    logs_actions = False
    list_display = ["date", "state", "title", "paper_count", "pick_count", "cutoff_at", "published_at"]
    list_filter = ["state"]
    list_per_page = 30
    actions = ["publish_now", "hold", "release", "pause", "resume", "cancel", "retry_failed", "accept_unknown"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Editions grow out of the papers that come in.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Edition | None = None) -> bool:
        if obj is not None and obj.state in curation.LOCKED_STATES:
            return False
        return super().has_change_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Edition]:
        rows = super().get_queryset(request)
        if request.resolver_match and request.resolver_match.url_name == "digests_edition_changelist":
            shown = Q(entries__paper__withdrawn_at__isnull=True, entries__paper__merged_into__isnull=True)
            shown &= ~Q(entries__choice=Choice.HIDDEN) & ~Q(
                entries__choice=Choice.CANDIDATE, entries__is_replacement=True
            )
            rows = rows.annotate(
                papers_shown=Count("entries", filter=shown),
                picks_made=Count("entries", filter=Q(entries__choice=Choice.PICK)),
            )
        return rows

    @admin.display(description="papers")
    def paper_count(self, edition: Any) -> int:
        return int(edition.papers_shown)

    @admin.display(description="picks")
    def pick_count(self, edition: Any) -> int:
        return int(edition.picks_made)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The desk stands in the place of the form."""
        edition = self.get_object(request, object_id)
        if edition is None:
            raise Http404
        if not self.has_view_or_change_permission(request, edition):
            raise PermissionDenied
        may_change = self.has_change_permission(request, edition)
        if request.method != "POST":
            return show_desk(request, edition, context=self._context(request), may_change=may_change)
        if not may_change:
            raise PermissionDenied
        return save_desk(
            request,
            edition,
            context=self._context(request),
            note_down=lambda said: self.log_change(request, edition, said[:500]),
        )

    def today(self, request: HttpRequest) -> HttpResponse:
        """To the edition that is worked at now."""
        edition = desk_edition(timezone.now())
        if edition is None:
            self.message_user(
                request,
                "There is no edition yet: one begins within a minute after the first papers have come in.",
                messages.INFO,
            )
            return redirect("admin:digests_edition_changelist")
        return redirect("admin:digests_edition_change", edition.pk)

    def numbers(self, request: HttpRequest) -> HttpResponse:
        """Readers, mail, topics, papers and votes as charts."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        charts = [
            {
                "title": chart.title,
                "note": chart.note,
                "is_empty": chart.is_empty,
                "names": [series.name for series in chart.series],
                "rows": chart.rows,
                "legend": chart.legend(),
                "picture": chart.columns() if way == "columns" else chart.bars(),
            }
            for way, chart in read_charts(now=timezone.now())
        ]
        page = {**self._context(request), "title": "Numbers", "is_nav_sidebar_enabled": False, "charts": charts}
        return TemplateResponse(request, "admin/digests/edition/numbers.html", page)

    def markdown(self, request: HttpRequest) -> HttpResponse:
        """The HTML of what is being typed, sanitised as in mails. Writes nothing."""
        if request.method != "POST" or not self.has_change_permission(request):
            raise PermissionDenied
        text = request.POST.get("text", "")[:MOST_MARKDOWN]
        return HttpResponse(to_inline_html(text) if "inline" in request.POST else to_html(text))

    def correct(self, request: HttpRequest, pk: int, paper_id: int) -> HttpResponse:
        """A paper's texts, corrected by hand."""
        edition = get_object_or_404(Edition, pk=pk)
        if not (self.has_change_permission(request, edition) and request.user.has_perm("papers.change_paper")):
            raise PermissionDenied
        return correct_page(request, edition, paper_id, context=self._context(request))

    def reach(self, request: HttpRequest, pk: int, paper_id: int) -> HttpResponse:
        """Who gets a paper, and what it displaces."""
        edition = get_object_or_404(Edition, pk=pk)
        if not self.has_view_or_change_permission(request, edition):
            raise PermissionDenied
        return reach_page(request, edition, paper_id, context=self._context(request))

    def board(self, request: HttpRequest, pk: int) -> HttpResponse:
        """How its mail is going out."""
        edition = get_object_or_404(Edition, pk=pk)
        if not self.has_view_permission(request, edition):
            raise PermissionDenied
        may_settle = request.user.has_perm("digests.change_delivery")
        may_move = super().has_change_permission(request)
        return board_page(request, edition, context=self._context(request), may_move=may_move, may_settle=may_settle)

    @admin.action(permissions=["change"], description="Publish now")
    def publish_now(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, lambda edition: editions.publish(edition, now=timezone.now()), "published")

    @admin.action(permissions=["change"], description="Hold (do not publish at the cut-off)")
    def hold(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, editions.hold, "held")

    @admin.action(permissions=["change"], description="Release (publish at the cut-off again)")
    def release(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, editions.release, "released")

    @admin.action(permissions=["change"], description="Pause sending")
    def pause(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, editions.pause, "paused")

    @admin.action(permissions=["change"], description="Resume sending")
    def resume(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, editions.resume, "resumed")

    @admin.action(permissions=["change"], description="Cancel (send nothing, or nothing more)")
    def cancel(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._move(request, queryset, editions.cancel, "cancelled")

    @admin.action(permissions=["change"], description="Send what failed once more")
    def retry_failed(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        failed = Delivery.objects.filter(edition__in=queryset, state=OutgoingState.FAILED)
        self._note_down(request, queryset, "sent what failed once more")
        self._tell(request, send_again(failed), "put back to be sent again")

    @admin.action(permissions=["change"], description="Take what is unknown as sent")
    def accept_unknown(self, request: HttpRequest, queryset: QuerySet[Edition]) -> None:
        self._note_down(request, queryset, "took what is unknown as sent")
        self._tell(request, take_as_sent(Delivery.objects.filter(edition__in=queryset)), "taken as sent")

    def _move(
        self, request: HttpRequest, queryset: QuerySet[Edition], step: Callable[[Edition], bool], what: str
    ) -> None:
        by, now = request.user.get_username(), timezone.now()
        rows = Edition.objects.filter(pk__in=queryset.values("pk"))
        moved = [edition for edition in rows if curation.move(edition, step, by=by, now=now)]
        for edition in moved:
            self.log_change(request, edition, what)
        self._tell(request, len(moved), what)

    def _note_down(self, request: HttpRequest, queryset: QuerySet[Edition], what: str) -> None:
        rows = Edition.objects.filter(pk__in=queryset.values("pk"))
        LogEntry.objects.log_actions(request.user.pk or 0, rows, CHANGE, what)

    def _context(self, request: HttpRequest) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("today/", view(self.today), name="digests_edition_today"),
            path("numbers/", view(self.numbers), name="digests_edition_numbers"),
            path("markdown/", view(self.markdown), name="digests_edition_markdown"),
            path("<int:pk>/paper/<int:paper_id>/", view(self.correct), name="digests_edition_correct"),
            path("<int:pk>/reach/<int:paper_id>/", view(self.reach), name="digests_edition_reach"),
            path("<int:pk>/preview/", view(self.preview_page), name="digests_edition_preview"),
            path("<int:pk>/board/", view(self.board), name="digests_edition_board"),
            path("<int:pk>/preview/send/", view(self.preview_send), name="digests_edition_preview_send"),
            path("<int:pk>/preview/document/", view(self.preview_document), name="digests_edition_preview_document"),
            *super().get_urls(),
        ]

    def preview_page(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a subscriber, or a persona, would get."""
        return preview_page(request, self._edition_to_preview(request, pk), context=self._context(request))

    def preview_send(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The same as a mail to oneself."""
        edition = self._edition_to_preview(request, pk)
        if not super().has_change_permission(request):
            raise PermissionDenied
        return send_page(request, edition)

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
        edition = self._edition_to_preview(request, pk)
        form = PreviewForm(asked_for(request.GET), may_see_readers=may_see_readers(request))
        shown = look(form, edition).shown
        if shown is None:
            raise Http404
        return HttpResponse(with_links_outside(in_scheme(shown.rendered.html, form.cleaned_data["scheme"])))

    def _edition_to_preview(self, request: HttpRequest, pk: int) -> Edition:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.GET.get("email") and not may_see_readers(request):
            # A digest holds its reader's choices.
            raise PermissionDenied
        return get_object_or_404(Edition, pk=pk)

    def _tell(self, request: HttpRequest, done: int, what: str) -> None:
        level = messages.SUCCESS if done else messages.WARNING
        text = f"{done} {what}." if done else f"Nothing changed: none could be {what} in its state."
        self.message_user(request, text, level)

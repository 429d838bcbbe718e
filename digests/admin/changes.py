"""What was changed at the desk, in the admin: who, when, from what, to what. And every paper of every edition."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from digests.curation import in_words
from digests.models import DeskChange, EditionPaper
from subscriptions.admin import ReadOnlyAdmin


@admin.register(DeskChange)
class DeskChangeAdmin(ReadOnlyAdmin):
    """The trail of the desk."""

    list_display = ["at", "by", "edition", "what"]
    search_fields = ["by", "what"]
    list_select_related = ["edition"]
    list_per_page = 50
    ordering = ["-id"]
    fields = ["edition", "version", "at", "by", "what", "values"]
    readonly_fields = ["edition", "version", "at", "by", "what", "values"]

    @admin.display(description="from, to")
    def values(self, change: DeskChange) -> SafeString:
        rows = ((in_words(key, {}), _shown(change.before.get(key)), _shown(change.after[key])) for key in change.after)
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {} → {}</li>", rows))


def _shown(value: Any) -> str:
    return "nothing" if value in ("", None, []) else str(value)


@admin.register(EditionPaper)
class EditionPaperAdmin(ReadOnlyAdmin):
    """Every paper of every edition, to search in; it is picked and hidden at the desk of its edition."""

    list_display = ["paper", "edition", "choice", "position", "note", "at_the_desk"]
    list_filter = ["choice", "is_replacement"]
    search_fields = ["paper__title", "paper__key"]
    list_select_related = ["paper", "edition"]
    list_per_page = 50

    @admin.display(description="desk")
    def at_the_desk(self, entry: EditionPaper) -> SafeString:
        url = reverse("admin:digests_edition_change", args=[entry.edition_id])
        return format_html('<a href="{}?q={}">Open at the desk</a>', url, entry.paper.key)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It would come back as a candidate, or leave no trace in what was sent; hidden is the word for it.
        return False

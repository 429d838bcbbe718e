"""Papers in the admin."""

from typing import Any

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest

from papers.admin.sources import URL_FIELDS
from papers.correcting import CORRECTABLE, corrections_after
from papers.desk import DeskTable, save_changed
from papers.models import OneLiner, Paper
from papers.signals import papers_changed


@admin.register(Paper)
class PaperAdmin(DeskTable, admin.ModelAdmin[Paper]):
    formfield_overrides = URL_FIELDS
    list_display = ["title", "key", "announced_date", "upvotes", "is_withdrawn"]
    list_filter = ["announced_date", "topics"]
    search_fields = ["title", "key", "authors"]
    date_hierarchy = "announced_date"
    autocomplete_fields = ["topics"]
    readonly_fields = ["key", "first_seen_at", "revision"]
    list_per_page = 50

    @admin.display(boolean=True, description="withdrawn")
    def is_withdrawn(self, paper: Paper) -> bool:
        return paper.withdrawn_at is not None

    def get_queryset(self, request: HttpRequest) -> QuerySet[Paper]:
        # Rows that point to another are only the other ids of that paper.
        return super().get_queryset(request).filter(merged_into__isnull=True)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Readers were sent it. What must not be shown is hidden in its edition, or marked as withdrawn.
        return False

    def save_model(self, request: HttpRequest, obj: Paper, form: Any, change: bool) -> None:
        corrected = [name for name in CORRECTABLE if name in form.changed_data]
        for name in corrected:
            obj.corrections = corrections_after(obj, name, before=form.initial[name], after=getattr(obj, name))
        save_changed(obj, form, also=["corrections"] if corrected else [])
        if form.changed_data:
            Paper.objects.filter(pk=obj.pk).update(revision=F("revision") + 1)
            papers_changed.send(sender=Paper, paper_ids=[obj.pk])


@admin.register(OneLiner)
class OneLinerAdmin(DeskTable, admin.ModelAdmin[OneLiner]):
    """What a machine wrote about papers. A curator can take a line out, and put no words in its mouth."""

    list_display = ["text", "paper", "model", "attempts", "written_at", "is_removed"]
    list_filter = ["is_removed", "model"]
    search_fields = ["text", "paper__title"]
    list_select_related = ["paper"]
    fields = ["paper", "text", "model", "attempts", "asked_at", "written_at", "is_removed"]
    readonly_fields = ["paper", "text", "model", "attempts", "asked_at", "written_at", "is_removed"]
    actions = ["take_out", "put_back"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Deleted, it would be asked for again.
        return False

    @admin.action(description="Take these lines out", permissions=["change"])
    def take_out(self, request: HttpRequest, queryset: QuerySet[OneLiner]) -> None:
        self.message_user(request, f"{queryset.update(is_removed=True)} taken out.")

    @admin.action(description="Put these lines back", permissions=["change"])
    def put_back(self, request: HttpRequest, queryset: QuerySet[OneLiner]) -> None:
        self.message_user(request, f"{queryset.update(is_removed=False)} put back.")

"""Sources, papers and topics in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models, transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from papers.desk import save_changed
from papers.models import Fetch, Paper, Source, SourceState, Topic
from papers.tasks import fetch_source, rematch_topic

RULE_FIELDS = {"categories", "any_words", "must_words", "mute_words", "is_active"}
# An address typed without a scheme is meant as https.
URL_FIELDS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {models.URLField: {"assume_scheme": "https"}}


class FetchInline(admin.TabularInline[Fetch, Source]):
    """The latest visits, newest first."""

    model = Fetch
    fields = ["fetched_at", "status", "entries", "new", "changed", "rejected", "error"]
    readonly_fields = ["fetched_at", "status", "entries", "new", "changed", "rejected", "error"]
    extra = 0
    can_delete = False
    show_change_link = True
    verbose_name_plural = "latest visits"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Fetch]:
        rows = super().get_queryset(request)
        object_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        newest = Fetch.objects.filter(source_id=object_id).values_list("id", flat=True)[:10] if object_id else []
        return rows.filter(id__in=list(newest))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin[Source]):
    formfield_overrides = URL_FIELDS
    list_display = ["name", "state_in_a_word", "last_new_at", "next_fetch_at", "last_error"]
    list_filter = ["state", "kind"]
    search_fields = ["name", "slug", "url"]
    prepopulated_fields = {"slug": ["name"]}
    readonly_fields = ["last_fetched_at", "last_success_at", "last_new_at", "failures", "last_error"]
    actions = ["fetch_now", "switch_off", "switch_on"]
    inlines = [FetchInline]

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        also = []
        if {"url", "kind"}.intersection(form.changed_data):
            # They belong to the former document: its «not modified» would keep the new one out.
            obj.etag = obj.last_modified = ""
            also = ["etag", "last_modified"]
        save_changed(obj, form, also=also)

    @admin.display(description="state", ordering="state")
    def state_in_a_word(self, source: Source) -> str:
        return SourceState(source.state).label.partition(":")[0]

    @admin.action(permissions=["change"], description="Fetch now")
    def fetch_now(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        now = timezone.now()
        ids = list(queryset.exclude(state=SourceState.OFF).values_list("id", flat=True))
        # The row says it is due, so a bell that nobody hears only makes it a minute later.
        Source.objects.filter(id__in=ids).update(next_fetch_at=now)
        for source_id in ids:
            transaction.on_commit(lambda pk=source_id: fetch_source.delay(pk), robust=True)  # type: ignore[misc]
        off = queryset.count() - len(ids)
        text = f"Fetching {len(ids)} sources; reload in a moment to see what came."
        self.message_user(request, text + (f" {off} are switched off." if off else ""), messages.INFO)

    @admin.action(permissions=["change"], description="Switch off")
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        queryset.update(state=SourceState.OFF)

    @admin.action(permissions=["change"], description="Switch on")
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        queryset.filter(state=SourceState.OFF).update(state=SourceState.WAITING, next_fetch_at=timezone.now())


@admin.register(Fetch)
class FetchAdmin(admin.ModelAdmin[Fetch]):
    list_display = ["source", "fetched_at", "status", "entries", "new", "changed", "known", "rejected"]
    list_filter = ["status", "source"]
    date_hierarchy = "fetched_at"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Paper)
class PaperAdmin(admin.ModelAdmin[Paper]):
    formfield_overrides = URL_FIELDS
    list_display = ["title", "key", "announced_date", "upvotes", "is_withdrawn"]
    list_filter = ["announced_date", "topics"]
    search_fields = ["title", "key", "authors"]
    date_hierarchy = "announced_date"
    autocomplete_fields = ["topics"]
    readonly_fields = ["key", "first_seen_at", "revision"]
    list_per_page = 50
    show_full_result_count = False

    @admin.display(boolean=True, description="withdrawn")
    def is_withdrawn(self, paper: Paper) -> bool:
        return paper.withdrawn_at is not None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Readers were sent it. What must not be shown is hidden in its edition, or marked as withdrawn.
        return False

    def save_model(self, request: HttpRequest, obj: Paper, form: Any, change: bool) -> None:
        save_changed(obj, form)
        if form.changed_data:
            Paper.objects.filter(pk=obj.pk).update(revision=F("revision") + 1)


class WordsField(forms.CharField):
    """A list of words or phrases, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 4}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != self.clean(data)

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]


class TopicForm(forms.ModelForm[Topic]):
    """The rule of a topic, written one word or phrase a line."""

    categories = WordsField(help_text="arXiv categories such as cs.CL, one a line: the paper is in one of them.")
    any_words = WordsField(help_text="One of these words or phrases occurs. reason* stands for any ending.")
    must_words = WordsField(help_text="Each of these occurs.")
    mute_words = WordsField(help_text="None of these occurs.")

    class Meta:
        model = Topic
        fields = [
            "name",
            "slug",
            "description",
            "categories",
            "any_words",
            "must_words",
            "mute_words",
            "position",
            "is_active",
        ]


@admin.register(Topic)
class TopicAdmin(admin.ModelAdmin[Topic]):
    form = TopicForm
    list_display = ["name", "slug", "description", "position", "is_active"]
    list_editable = ["position", "is_active"]
    search_fields = ["name", "slug", "description"]
    prepopulated_fields = {"slug": ["name"]}

    def save_model(self, request: HttpRequest, obj: Topic, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not RULE_FIELDS.intersection(form.changed_data):
            return
        # Thousands of papers are matched anew: by a worker, once this is saved.
        transaction.on_commit(lambda: rematch_topic.delay(obj.pk), robust=True)
        self.message_user(request, f"The recent papers are being matched with «{obj}» anew.", messages.INFO)

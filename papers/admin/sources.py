"""Sources in the admin: how each is doing, fetching now, trying an address before it is saved, asking for past days."""

import datetime as dt
from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil

from papers.admin.charts import bar_chart
from papers.backfilling import NoBackfillError, start_backfill
from papers.changes import readable
from papers.desk import DeskTable, save_changed
from papers.entries import Entry
from papers.feeds.kinds import KIND_NAMES, SourceKind
from papers.ingest import announcement_today
from papers.models import Backfill, Fetch, Source, SourceChange, SourceDay, SourceState
from papers.probing import probe
from papers.recording import switch
from papers.tasks import backfill, fetch_source

# An address typed without a scheme is meant as https.
URL_FIELDS: dict[type[models.Field[Any, Any]], dict[str, Any]] = {models.URLField: {"assume_scheme": "https"}}
CHART_DAYS = 14
SHOWN_ENTRIES = 20
SHOWN_AUTHORS = 3
_LAST_DAYS = 7


class ReadOnlyInline(admin.TabularInline[Any, Source]):
    """The latest rows of what happened, newest first."""

    extra = 0
    can_delete = False
    shown = 10

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        object_id = request.resolver_match.kwargs.get("object_id") if request.resolver_match else None
        newest = rows.filter(source_id=object_id).values_list("id", flat=True)[: self.shown] if object_id else []
        return rows.filter(id__in=list(newest))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class FetchInline(ReadOnlyInline):
    model = Fetch
    fields = ["fetched_at", "status", "entries", "new", "unseen", "changed", "rejected", "error"]
    show_change_link = True
    verbose_name_plural = "latest visits"


class ChangeInline(ReadOnlyInline):
    model = SourceChange
    fields = ["at", "before", "after", "reason"]
    verbose_name_plural = "changes of state"


class BackfillInline(ReadOnlyInline):
    model = Backfill
    fields = ["since", "until", "why", "state", "entries", "new", "changed", "error"]
    shown = 5
    verbose_name_plural = "past days asked for again"


class ProbeForm(forms.Form):
    """An address to try, and what kind of document is expected there."""

    url = forms.URLField(label="Address", max_length=500, assume_scheme="https")
    kind = forms.ChoiceField(
        label="Kind",
        required=False,
        choices=[("", "Find out by the address"), *[(kind.value, KIND_NAMES[kind]) for kind in SourceKind]],
    )


@admin.register(Source)
class SourceAdmin(DeskTable, admin.ModelAdmin[Source]):
    formfield_overrides = URL_FIELDS
    list_display = ["name", "state_in_a_word", "new_papers", "last_success", "next_fetch", "trouble"]
    list_filter = ["state", "kind"]
    search_fields = ["name", "slug", "url"]
    prepopulated_fields = {"slug": ["name"]}
    fieldsets = [
        (None, {"fields": ["name", "slug", "kind", "url", "backfill_url"]}),
        (
            "How it is doing",
            {"fields": ["standing", "new_papers", "days_missing", "last_success_at", "last_new_at", "next_fetch_at"]},
        ),
        ("Trouble", {"fields": ["failures", "last_error"], "classes": ["collapse"]}),
    ]
    readonly_fields = [
        "standing",
        "new_papers",
        "days_missing",
        "last_success_at",
        "last_new_at",
        "failures",
        "last_error",
    ]
    actions = ["fetch_now", "ask_again", "switch_off", "switch_on"]
    inlines = [FetchInline, ChangeInline, BackfillInline]
    change_form_template = "admin/papers/source/change_form.html"
    change_list_template = "admin/papers/source/change_list.html"

    class Media:
        css = {"all": ["admin-desk/desk.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        # The charts of all rows in one query.
        since = announcement_today(timezone.now()) - dt.timedelta(days=CHART_DAYS)
        recent = models.Prefetch("days", SourceDay.objects.filter(date__gt=since), to_attr="recent_days")
        return super().get_queryset(request).prefetch_related(recent)

    def get_fieldsets(self, request: HttpRequest, obj: Source | None = None) -> Any:
        return self.fieldsets if obj else self.fieldsets[:1]

    def get_inlines(self, request: HttpRequest, obj: Source | None) -> Any:
        return self.inlines if obj else []

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        if not change:
            super().save_model(request, obj, form, change)
            return
        also = []
        if {"url", "kind"}.intersection(form.changed_data):
            # They belong to the former document: its «not modified» would keep the new one out.
            obj.etag = obj.last_modified = ""
            obj.watched_since = timezone.now()  # Another list has other habits.
            also = ["etag", "last_modified", "watched_since"]
        save_changed(obj, form, also=also)

    @admin.display(description="state", ordering="state")
    def state_in_a_word(self, source: Source) -> SafeString:
        word = SourceState(source.state).label.partition(":")[0]
        return format_html(
            '<span class="desk-state desk-{}" title="{}">{}</span>', source.state, source.state_reason, word
        )

    @admin.display(description="state")
    def standing(self, source: Source) -> str:
        word = SourceState(source.state).label.partition(":")[0]
        return f"{word}: {source.state_reason}" if source.state_reason else word

    @admin.display(description="new papers a day")
    def new_papers(self, source: Source) -> SafeString:
        today = announcement_today(timezone.now())
        counts = {day.date: day.unseen for day in getattr(source, "recent_days", [])}
        days = [today - dt.timedelta(days=offset) for offset in reversed(range(CHART_DAYS))]
        missing = {dt.date.fromisoformat(day) for day in source.missing_dates}
        return bar_chart([(day, counts.get(day, 0), day in missing) for day in days])

    @admin.display(description="missing days")
    def days_missing(self, source: Source) -> str:
        return ", ".join(source.missing_dates) or "none"

    @admin.display(description="last success", ordering="last_success_at")
    def last_success(self, source: Source) -> str:
        return f"{timesince(source.last_success_at, depth=1)} ago" if source.last_success_at else "never"

    @admin.display(description="next fetch", ordering="next_fetch_at")
    def next_fetch(self, source: Source) -> str:
        if source.state == SourceState.OFF:
            return "–"
        return f"in {timeuntil(source.next_fetch_at, depth=1)}" if source.next_fetch_at > timezone.now() else "now"

    @admin.display(description="last error")
    def trouble(self, source: Source) -> str:
        return source.last_error[:140] + ("…" if len(source.last_error) > 140 else "")

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

    @admin.action(permissions=["change"], description="Ask for the last seven days again")
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        now = timezone.now()
        until = announcement_today(now)
        since = until - dt.timedelta(days=_LAST_DAYS)
        for source in queryset:
            try:
                begun = start_backfill(source=source, since=since, until=until, why="asked for in the admin", now=now)
            except NoBackfillError as error:
                self.message_user(request, str(error), messages.WARNING)
                continue
            transaction.on_commit(lambda pk=begun.pk: backfill.delay(pk), robust=True)  # type: ignore[misc]
            self.message_user(request, f"{source}: the days from {since} are being asked for again.", messages.INFO)

    @admin.action(permissions=["change"], description="Switch off")
    def switch_off(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            switch(source, on=False, now=timezone.now())

    @admin.action(permissions=["change"], description="Switch on")
    def switch_on(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        for source in queryset:
            switch(source, on=True, now=timezone.now())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [path("try/", view(self.try_page), name="papers_source_try"), *super().get_urls()]

    def try_page(self, request: HttpRequest) -> HttpResponse:
        """What would come in from an address, and from which feed: fetched and read, nothing kept."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        form = ProbeForm(request.POST if request.method == "POST" else None, initial=request.GET.dict())
        found = None
        if request.method == "POST" and form.is_valid():
            found = probe(url=form.cleaned_data["url"], kind=form.cleaned_data["kind"], now=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": "Try an address",
            "opts": self.opts,
            "form": form,
            "found": found,
            "entries": [_as_shown(entry) for entry in found.feed.entries[:SHOWN_ENTRIES]]
            if found and found.feed
            else [],
        }
        return TemplateResponse(request, "admin/papers/source/try.html", context)


def _as_shown(entry: Entry) -> Entry:
    """The entry with its texts as readers would see them."""
    authors = tuple(readable(author, entry.markup) for author in entry.authors[:SHOWN_AUTHORS])
    return replace(entry, title=readable(entry.title, entry.markup), authors=authors + entry.authors[SHOWN_AUTHORS:])


@admin.register(Fetch)
class FetchAdmin(DeskTable, admin.ModelAdmin[Fetch]):
    list_display = ["source", "fetched_at", "status", "entries", "new", "changed", "known", "rejected"]
    list_filter = ["status", "source"]
    list_select_related = ["source"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

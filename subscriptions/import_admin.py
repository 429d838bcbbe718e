"""Imports of subscribers in the admin: upload a list, look at what would come of it, then say yes."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from papers.desk import DeskTable
from papers.models import Topic
from subscriptions.import_formats import UnreadableListError
from subscriptions.import_runs import LARGEST, preview_list, queue_import
from subscriptions.importing import Wishes
from subscriptions.models import SubscriberImport
from subscriptions.schedule import Cadence

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class UploadForm(forms.Form):
    """A list, and what the owner states about the people on it."""

    file = forms.FileField(
        label="The list",
        help_text="An export of Mailchimp, listmonk or Buttondown, or any CSV with a column called email.",
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,text/csv,text/plain"}),
    )
    consent = forms.CharField(
        label="What they agreed to",
        help_text="Where, when and to what, in your own words. It is kept with each of them, and you answer for it.",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
    )
    topics = forms.ModelMultipleChoiceField(
        label="Topics they get",
        queryset=Topic.objects.none(),
        to_field_name="slug",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    cadence = forms.ChoiceField(label="How often", choices=[(cadence, cadence.title()) for cadence in Cadence])
    weekday = forms.TypedChoiceField(
        label="For weekly, on", choices=list(enumerate(_DAYS)), coerce=int, empty_value="0", required=False
    )
    hour = forms.IntegerField(label="At which hour, where they are", min_value=0, max_value=23, initial=8)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["topics"].queryset = Topic.objects.active()  # type: ignore[attr-defined]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST:
            raise forms.ValidationError(
                f"This list has {file.size // 1_000_000} MB. Lists of more than {LARGEST // 1_000_000} MB go through "
                "the command: manage.py import_subscribers."
            )
        return file

    def wishes(self) -> Wishes:
        """What they get."""
        chosen = self.cleaned_data
        return Wishes(
            topics=tuple(topic.slug for topic in chosen["topics"]),
            cadence=Cadence(chosen["cadence"]),
            weekday=int(chosen["weekday"]),
            hour=chosen["hour"],
        )


@admin.register(SubscriberImport)
class SubscriberImportAdmin(DeskTable, admin.ModelAdmin[SubscriberImport]):
    """What was brought along, by whom and on whose word; a row is never edited."""

    list_display = ["file_name", "source", "state", "started_at", "by", "new_readers"]
    list_filter = ["state", "source"]
    search_fields = ["file_name", "consent"]
    readonly_fields = [
        "state",
        "file_name",
        "source",
        "by",
        "started_at",
        "finished_at",
        "consent",
        "what_they_get",
        "found",
        "first_problems",
    ]
    change_form_template = "admin/subscriptions/subscriberimport/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.readonly_fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Readers' consent hangs on it.
        return False

    @admin.display(description="new readers")
    def new_readers(self, record: SubscriberImport) -> int:
        return int(record.counts.get("new", 0))

    @admin.display(description="what they get")
    def what_they_get(self, record: SubscriberImport) -> str:
        wishes = Wishes.of(record.wishes)
        day = f" on {_DAYS[wishes.weekday]}" if wishes.cadence == Cadence.WEEKLY else ""
        topics = ", ".join(wishes.topics) or "no topics: what the editor picks"
        return f"{wishes.cadence.title()}{day} at {wishes.hour:02}:00 where they are; {topics}."

    @admin.display(description="what came of it")
    def found(self, record: SubscriberImport) -> str:
        words = {
            "new": "new readers",
            "known": "are here already",
            "twice": "stand in the list twice",
            "left": "left, bounced or never confirmed",
            "refused": "must not be mailed",
            "invalid": "hold no address",
        }
        return ", ".join(f"{record.counts.get(fate, 0)} {text}" for fate, text in words.items())

    @admin.display(description="rows that make no reader")
    def first_problems(self, record: SubscriberImport) -> SafeString | str:
        if not record.problems:
            return "None."
        rows = format_html_join(
            "", "<tr><td>{}</td><td>{}</td><td>{}</td></tr>", ((p[0], p[1], p[3]) for p in record.problems)
        )
        head = "<tr><th scope=col>Line</th><th scope=col>Address</th><th scope=col>Why</th></tr>"
        return format_html("<table><thead>{}</thead><tbody>{}</tbody></table>", SafeString(head), rows)

    def get_urls(self) -> list[URLPattern]:
        run = self.admin_site.admin_view(require_POST(self.run))
        return [path("<int:pk>/run/", run, name="subscriptions_subscriberimport_run"), *super().get_urls()]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The upload; what would come of it is shown on the next page, and nothing is imported yet."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                record = preview_list(
                    name=file.name,
                    content=file.read(),
                    by=request.user.get_username(),
                    consent=form.cleaned_data["consent"],
                    wishes=form.wishes(),
                    now=timezone.now(),
                )
            except UnreadableListError as error:
                form.add_error("file", str(error))
            else:
                return redirect("admin:subscriptions_subscriberimport_change", record.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "Bring readers along",
            "form": form,
            "opts": self.opts,
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/subscriptions/subscriberimport/upload.html", context, status=status)

    def run(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The owner's yes: a worker imports the list, and this page says how far it is."""
        from subscriptions.tasks import run_imports

        if not self.has_add_permission(request):
            raise PermissionDenied
        record = get_object_or_404(SubscriberImport, pk=pk)
        if queue_import(record):
            transaction.on_commit(run_imports.delay, robust=True)
            self.message_user(request, "A worker imports it now. Reload this page to see what came of it.")
        else:
            self.message_user(request, "Nothing to do: it was imported, or the list is forgotten.", messages.WARNING)
        return redirect(reverse("admin:subscriptions_subscriberimport_change", args=[pk]))

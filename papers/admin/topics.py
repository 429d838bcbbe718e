"""Topics in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from papers.admin.charts import bar_chart
from papers.desk import DeskTable
from papers.models import Topic
from papers.previewing import preview_topic
from papers.tasks import rematch_topic
from papers.topics import problem_of

RULE_FIELDS = {"categories", "any_words", "must_words", "mute_words", "in_plain_words", "is_active"}


class WordsField(forms.CharField):
    """A list of words or phrases, one a line."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 4}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return list(initial or []) != self.clean(data)
        except forms.ValidationError:
            return True

    def clean(self, value: Any) -> list[str]:
        lines = [line.strip().strip('"') for line in str(super().clean(value)).splitlines() if line.strip()]
        problems = [problem for line in lines if (problem := problem_of(line))]
        if problems:
            raise forms.ValidationError(problems)
        return lines


class TopicForm(forms.ModelForm[Topic]):
    """The rule of a topic, written one word or phrase a line."""

    categories = WordsField(help_text="arXiv categories such as cs.CL, one a line: the paper is in one of them.")
    any_words = WordsField(
        help_text="One of these words or phrases occurs. reason* stands for any ending; title:survey, "
        "abstract:proof and author:Ada Lovelace look in one place only."
    )
    must_words = WordsField(help_text="Each of these occurs.")
    mute_words = WordsField(help_text="None of these occurs.")

    class Meta:
        model = Topic
        fields = [
            "name",
            "slug",
            "description",
            "heading",
            "categories",
            "any_words",
            "in_plain_words",
            "must_words",
            "mute_words",
            "position",
            "is_active",
        ]


@admin.register(Topic)
class TopicAdmin(DeskTable, admin.ModelAdmin[Topic]):
    form = TopicForm
    list_display = ["name", "slug", "description", "position", "is_active"]
    list_editable = ["position", "is_active"]
    search_fields = ["name", "slug", "description"]
    prepopulated_fields = {"slug": ["name"]}
    change_form_template = "admin/papers/topic/change_form.html"

    class Media:
        css = {"all": ["admin-desk/desk.css"]}
        js = ["admin-desk/topic.js"]

    def get_urls(self) -> list[URLPattern]:
        own = path("try/", self.admin_site.admin_view(self.try_view), name="papers_topic_try")
        return [own, *super().get_urls()]

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """What the topic as it stands in the form would have matched in the last month. Nothing is saved."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        pk = request.GET.get("topic", "")
        known = Topic.objects.filter(pk=int(pk)).first() if pk.isdecimal() and len(pk) < 18 else None
        form = TopicForm(request.POST or None, instance=known)
        found = None
        if request.method == "POST":
            # Whether the slug is free is a question for saving.
            form.full_clean()
            if not RULE_FIELDS.intersection(form.errors):
                found = preview_topic(_as_typed(form), now=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": "What this topic would match",
            "opts": self.opts,
            "form": form,
            "errors": [error for name in RULE_FIELDS for error in form.errors.get(name, [])],
            "found": found,
            "chart": bar_chart([(day, count, False) for day, count in found.days]) if found else "",
            "topic": known,
            "save_url": reverse("admin:papers_topic_change", args=[known.pk])
            if known
            else reverse("admin:papers_topic_add"),
        }
        part = "_matches" if request.headers.get("X-Requested-With") == "fetch" else "try"
        return TemplateResponse(request, f"admin/papers/topic/{part}.html", context)

    def save_model(self, request: HttpRequest, obj: Topic, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and not RULE_FIELDS.intersection(form.changed_data):
            return
        # Thousands of papers are matched anew: by a worker, once this is saved.
        transaction.on_commit(lambda: rematch_topic.delay(obj.pk), robust=True)
        self.message_user(request, f"The recent papers are being matched with «{obj}» anew.", messages.INFO)


def _as_typed(form: TopicForm) -> Topic:
    """The topic as the form has it, without saving it."""
    typed = form.cleaned_data
    words = {name: typed.get(name) or [] for name in ("categories", "any_words", "must_words", "mute_words")}
    return Topic(slug="as-typed", in_plain_words=typed.get("in_plain_words") or "", **words)

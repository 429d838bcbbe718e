"""Topics in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest

from papers.desk import DeskTable
from papers.models import Topic
from papers.tasks import rematch_topic

RULE_FIELDS = {"categories", "any_words", "must_words", "mute_words", "is_active"}


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
class TopicAdmin(DeskTable, admin.ModelAdmin[Topic]):
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

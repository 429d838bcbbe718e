"""Letters in the admin: written, looked at, sent to oneself, started, paused, resumed, cancelled, and accounted for."""

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from digests import letters
from digests.desk import active_readers
from digests.letters import is_too_long, letter_books
from digests.markdown import to_html
from digests.models import Letter, LetterDelivery, LetterState
from papers.desk import DeskTable, save_changed
from subscriptions.admin import ReadOnlyAdmin
from subscriptions.outgoing import OutgoingState, send_again, take_as_sent

MOST_LETTERS = 20_000
_MOVES: dict[str, tuple[Callable[[Letter, dt.datetime], bool], str]] = {
    "_start": (lambda letter, now: letters.start(letter, now=now), "It goes out, within a minute."),
    "_pause": (lambda letter, now: letters.pause(letter), "Paused: nothing more of it is handed over."),
    "_resume": (lambda letter, now: letters.resume(letter), "It goes on."),
    "_cancel": (lambda letter, now: letters.cancel(letter), "Cancelled."),
}


class LetterForm(forms.ModelForm[Letter]):
    """The owner's words."""

    body = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 12}),
        max_length=MOST_LETTERS,
        help_text="**bold**, *italic*, [links](https://…) and lists work.",
    )

    def clean(self) -> dict[str, Any] | None:
        data = super().clean()
        if data and {"subject", "body"} <= data.keys():
            if is_too_long(Letter(subject=data["subject"], body=data["body"])):
                raise forms.ValidationError("It is so long that inboxes would cut it off: shorten it.")
            if self.instance.pk and self.instance.state != LetterState.DRAFT:
                raise forms.ValidationError("It has begun to go out: its words stay.")
        return data


@admin.register(Letter)
class LetterAdmin(DeskTable, admin.ModelAdmin[Letter]):
    form = LetterForm
    list_display = ["subject", "state", "started_at", "created_at"]
    list_filter = ["state"]
    fields = ["subject", "body", "state", "reads", "books"]
    readonly_fields = ["state", "reads", "books"]
    change_form_template = "admin/digests/letter/change_form.html"

    def get_fields(self, request: HttpRequest, obj: Letter | None = None) -> Any:
        return self.fields if obj else ["subject", "body"]

    def get_readonly_fields(self, request: HttpRequest, obj: Letter | None = None) -> Any:
        if obj and obj.state != LetterState.DRAFT:
            return ["subject", "body", *self.readonly_fields]
        return self.readonly_fields if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Letter | None = None) -> bool:
        # What went out leaves a trace.
        return super().has_delete_permission(request, obj) and (obj is None or obj.state == LetterState.DRAFT)

    @admin.display(description="How it reads")
    def reads(self, letter: Letter) -> SafeString:
        return format_html('<div class="today-live">{}</div>', to_html(letter.body))

    @admin.display(description="The books")
    def books(self, letter: Letter) -> str:
        if letter.state == LetterState.DRAFT:
            return f"It would go to about {active_readers()} readers. A letter goes out once."
        found = letter_books(letter)
        parts = [f"{count} {OutgoingState(state).label.lower()}" for state, count in found.counts.items() if count]
        verdict = "they balance" if found.balances else "THEY DO NOT BALANCE"
        planned = "" if letter.is_planned else " Readers are still being entered."
        return f"{found.audience} readers = {' + '.join(parts) or 'none yet'}: {verdict}.{planned}"

    def save_model(self, request: HttpRequest, obj: Letter, form: Any, change: bool) -> None:
        if change:
            save_changed(obj, form)
        else:
            super().save_model(request, obj, form, change)

    def response_change(self, request: HttpRequest, obj: Letter) -> HttpResponse:
        for name, (move, said) in _MOVES.items():
            if name in request.POST:
                if move(obj, timezone.now()):
                    self.log_change(request, obj, said)
                    self.message_user(request, said, messages.SUCCESS)
                else:
                    self.message_user(request, "Nothing changed: it is in another state by now.", messages.WARNING)
                return redirect("admin:digests_letter_change", obj.pk)
        return super().response_change(request, obj)


@admin.register(LetterDelivery)
class LetterDeliveryAdmin(ReadOnlyAdmin):
    """Every reader of every letter, and what became of it."""

    list_display = ["letter", "subscriber", "state", "reason", "begun_at", "settled_at", "attempt"]
    list_filter = ["state", "letter"]
    search_fields = ["public_id", "subscriber__email"]
    list_select_related = ["letter", "subscriber"]
    list_per_page = 50
    actions = ["resend", "accept_as_sent"]

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(permissions=["settle"], description="Send again (failed or unknown)")
    def resend(self, request: HttpRequest, queryset: QuerySet[LetterDelivery]) -> None:
        self.message_user(request, f"{send_again(queryset)} to be sent again within a minute.")

    @admin.action(permissions=["settle"], description="Take as sent (unknown)")
    def accept_as_sent(self, request: HttpRequest, queryset: QuerySet[LetterDelivery]) -> None:
        self.message_user(request, f"{take_as_sent(queryset)} taken as sent.")

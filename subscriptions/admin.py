"""Subscribers, what they agreed to, and the mail that is no digest, in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.models import DELETION, LogEntry
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from papers.desk import DeskTable, save_changed
from subscriptions.addresses import InvalidAddressError, hash_address, normalise_address
from subscriptions.community_admin import AuthorClaimAdmin, SubmissionAdmin
from subscriptions.consent import words_of
from subscriptions.exporting import export_rows
from subscriptions.import_admin import SubscriberImportAdmin
from subscriptions.models import (
    ConsentEvent,
    MailEvent,
    Notice,
    Subscriber,
    SubscriberState,
    Subscription,
    Suppression,
    SuppressionReason,
    Wishes,
)
from subscriptions.own_data import erase_reader
from subscriptions.schedule import is_zone, next_due
from subscriptions.signup import UnsubscribeResult, unsubscribe
from subscriptions.spreadsheets import csv_lines
from subscriptions.suppression import BOUNCES, suppress

__all__ = ["AuthorClaimAdmin", "SubmissionAdmin", "SubscriberImportAdmin"]

SCHEDULE_FIELDS = {"cadence", "weekday", "hour", "zone"}


class ReadOnlyAdmin(DeskTable, admin.ModelAdmin[Any]):
    """Records that nobody edits: they say what happened."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class SubscriptionInline(admin.TabularInline[Subscription, Subscriber]):
    model = Subscription
    extra = 0
    autocomplete_fields = ["topic"]


class WishesInline(admin.StackedInline[Wishes, Subscriber]):
    model = Wishes
    extra = 0


class ShowsWords:
    """Mixin: what stood at the form when somebody agreed to it, word for word."""

    @admin.display(description="words read")
    def words_read(self, event: ConsentEvent) -> str:
        return words_of(event.wording) or "Not known to this version of the program."


CONSENT_FIELDS: Any = ["at", "kind", "how", "reason", "wording", "words_read"]


class ConsentInline(ShowsWords, admin.TabularInline[ConsentEvent, Subscriber]):
    model = ConsentEvent
    fields = readonly_fields = CONSENT_FIELDS
    extra = 0
    can_delete = False
    verbose_name_plural = "what they agreed to"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class SubscriberForm(forms.ModelForm[Subscriber]):
    """A reader's wishes, as the owner may correct them."""

    def clean_zone(self) -> str:
        zone = str(self.cleaned_data["zone"])
        if not is_zone(zone):
            raise forms.ValidationError("This is no time zone. They are named like Europe/Berlin, or UTC.")
        return zone


@admin.register(Subscriber)
class SubscriberAdmin(DeskTable, admin.ModelAdmin[Subscriber]):
    form = SubscriberForm
    list_display = ["email", "state", "cadence", "hour", "zone", "max_papers", "next_due_at", "confirmed_at"]
    list_filter = ["state", "cadence"]
    search_fields = ["email"]
    # The state changes through what the reader does, or through the action below, never by hand; the next hour follows
    # from the schedule.
    readonly_fields = ["email", "state", "paused_until", "next_due_at", "created_at", "confirmed_at", "public_id"]
    inlines = [SubscriptionInline, WishesInline, ConsentInline]
    actions = ["end_subscription", "export"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Nobody is subscribed without their own yes.
        return False

    def save_model(self, request: HttpRequest, obj: Subscriber, form: Any, change: bool) -> None:
        save_changed(obj, form)
        if SCHEDULE_FIELDS.intersection(form.changed_data):
            # Only an active reader is due at all, and they may have left since the page was opened.
            active = Subscriber.objects.filter(pk=obj.pk, state=SubscriberState.ACTIVE)
            active.update(next_due_at=next_due(obj.schedule(), after=timezone.now()))

    def delete_model(self, request: HttpRequest, obj: Subscriber) -> None:
        """Who is deleted asked for it: they are forgotten as by their own link, and an old list does not bring them
        back."""
        erase_reader(public_id=obj.public_id, now=timezone.now(), how="owner")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        for reader in queryset:
            self.delete_model(request, reader)

    @admin.action(permissions=["change"], description="Unsubscribe")
    def end_subscription(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        results = [
            unsubscribe(public_id=subscriber.public_id, how="owner", now=timezone.now()) for subscriber in queryset
        ]
        ended = results.count(UnsubscribeResult.UNSUBSCRIBED)
        self.message_user(request, f"Unsubscribed {ended}.", messages.SUCCESS)

    @admin.action(permissions=["view"], description="Export as CSV")
    def export(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> StreamingHttpResponse:
        lines = (line.encode() for line in csv_lines(export_rows(queryset)))
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="subscribers-{timezone.now():%Y-%m-%d}.csv"'
        return response


class SuppressionForm(forms.ModelForm[Suppression]):
    """Suppress an address by hand. It is typed, and only its hash is kept."""

    email = forms.CharField(
        label="Address", widget=forms.EmailInput, help_text="It gets no more mail. Only a keyed hash of it is kept."
    )

    class Meta:
        model = Suppression
        fields = ["note"]

    def clean_email(self) -> str:
        try:
            address_hash = hash_address(normalise_address(self.cleaned_data["email"]))
        except InvalidAddressError as error:
            raise forms.ValidationError(str(error)) from error
        # A bounce is the one reason that a word of the owner's outweighs; erased must stay what the person asked for.
        rows = Suppression.objects.filter(address_hash=address_hash).exclude(reason__in=BOUNCES)
        if held := rows.first():
            raise forms.ValidationError(f"It is suppressed already. {held.get_reason_display()}.")
        self.instance.address_hash = address_hash
        return address_hash


class LiftForm(ActionForm):
    """The reason for lifting, beside the list's actions."""

    why = forms.CharField(label="Reason for lifting", required=False, max_length=200)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    """The owner adds an address, and lifts what is not the reader's own to lift; a row is never edited."""

    list_display = ["address_hash", "reason", "at", "note"]
    list_filter = ["reason"]
    search_fields = ["note"]
    search_help_text = "A whole address, or words of the note."
    form = SuppressionForm
    action_form = LiftForm
    actions = ["lift"]
    logs_actions = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_lift_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_delete_permission(self, request)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ["email", "note"] if obj is None else self.list_display

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(address_hash=hash_address(normalise_address(search_term))), False
        except InvalidAddressError:
            return super().get_search_results(request, queryset, search_term)

    def save_model(self, request: HttpRequest, obj: Suppression, form: Any, change: bool) -> None:
        suppress(
            address_hash=obj.address_hash, reason=SuppressionReason.MANUAL, now=timezone.now(), note=obj.note.strip()
        )
        # The address may have stood here before, for a lesser reason: the row that is shown and logged is that one.
        obj.pk = Suppression.objects.get(address_hash=obj.address_hash).pk
        obj.refresh_from_db()

    @admin.action(permissions=["lift"], description="Lift (mail may go there again)")
    def lift(self, request: HttpRequest, queryset: QuerySet[Suppression]) -> None:
        why = request.POST.get("why", "").strip()[:200]
        if not why:
            self.message_user(request, "Nothing was lifted: give the reason beside the action.", messages.ERROR)
            return
        with transaction.atomic():
            rows = queryset.exclude(reason=SuppressionReason.ERASED).select_for_update()
            lifted = len(rows)
            LogEntry.objects.log_actions(request.user.pk or 0, rows, DELETION, f"Lifted: {why}")
            Suppression.objects.filter(pk__in=[row.pk for row in rows]).delete()
        left = queryset.count()
        text = f" {left} asked to be erased: only the person can come back, by subscribing anew." if left else ""
        self.message_user(request, f"Lifted {lifted}.{text}", messages.SUCCESS if lifted else messages.WARNING)


@admin.register(ConsentEvent)
class ConsentEventAdmin(ShowsWords, ReadOnlyAdmin):
    """What an address agreed to and took back, that of erased people too: found by the address, which is not kept."""

    list_display = ["at", "kind", "how", "reason", "wording", "words_read", "subscriber"]
    list_filter = ["kind", "reason"]
    list_select_related = ["subscriber"]
    search_fields = ["=address_hash"]
    search_help_text = "A whole address."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            return queryset.filter(address_hash=hash_address(normalise_address(search_term))), False
        except InvalidAddressError:
            return super().get_search_results(request, queryset, search_term)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ["kind", "state", "created_at", "settled_at", "attempt", "reason"]
    list_filter = ["state", "kind"]


@admin.register(MailEvent)
class MailEventAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "provider", "kind", "detail", "applied_at", "error"]
    list_filter = ["provider", "kind", "is_block"]

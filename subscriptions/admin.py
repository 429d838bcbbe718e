"""Subscribers, what they agreed to, and the mail that is no digest, in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from subscriptions.models import ConsentEvent, MailEvent, Notice, Subscriber, Subscription, Suppression
from subscriptions.signup import UnsubscribeResult, unsubscribe


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Records that nobody edits: they say what happened."""

    show_full_result_count = False

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


class ConsentInline(admin.TabularInline[ConsentEvent, Subscriber]):
    model = ConsentEvent
    fields = ["at", "kind", "how", "wording"]
    readonly_fields = ["at", "kind", "how", "wording"]
    extra = 0
    can_delete = False
    verbose_name_plural = "what they agreed to"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Subscriber)
class SubscriberAdmin(admin.ModelAdmin[Subscriber]):
    list_display = ["email", "state", "cadence", "hour", "zone", "max_papers", "next_due_at", "confirmed_at"]
    list_filter = ["state", "cadence"]
    search_fields = ["email"]
    # The state changes through what the reader does, or through the action below, never by hand.
    readonly_fields = ["email", "state", "created_at", "confirmed_at", "public_id"]
    inlines = [SubscriptionInline, ConsentInline]
    actions = ["end_subscription"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Nobody is subscribed without their own yes.
        return False

    @admin.action(permissions=["change"], description="Unsubscribe")
    def end_subscription(self, request: HttpRequest, queryset: QuerySet[Subscriber]) -> None:
        results = [
            unsubscribe(public_id=subscriber.public_id, how="owner", now=timezone.now()) for subscriber in queryset
        ]
        ended = results.count(UnsubscribeResult.UNSUBSCRIBED)
        self.message_user(request, f"Unsubscribed {ended}.", messages.SUCCESS)


@admin.register(Suppression)
class SuppressionAdmin(ReadOnlyAdmin):
    list_display = ["address_hash", "reason", "at", "note"]
    list_filter = ["reason"]


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ["kind", "state", "created_at", "settled_at", "attempt", "reason"]
    list_filter = ["state", "kind"]


@admin.register(MailEvent)
class MailEventAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "provider", "kind", "detail", "applied_at", "error"]
    list_filter = ["provider", "kind"]

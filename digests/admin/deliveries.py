"""Deliveries in the admin: what became of each, and the owner's word on those that failed or are unknown."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from digests.delivering import send_again
from digests.models import Delivery, Edition
from subscriptions.admin import ReadOnlyAdmin
from subscriptions.outgoing import take_as_sent

SHOWN_EDITIONS = 14


class LateEditions(admin.SimpleListFilter):
    """The latest editions to choose from, and not every one there ever was."""

    title = "edition"
    parameter_name = "edition"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(edition.pk), str(edition)) for edition in Edition.objects.order_by("-date")[:SHOWN_EDITIONS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        value = self.value() or ""
        return queryset.filter(edition_id=int(value)) if value.isdecimal() and len(value) < 19 else queryset


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["edition", "subscriber", "state", "reason", "due_at", "begun_at", "settled_at", "attempt"]
    list_filter = ["state", LateEditions]
    search_fields = ["public_id", "provider_message_id", "subscriber__email"]
    list_select_related = ["edition", "subscriber"]
    list_per_page = 50
    actions = ["resend", "accept_as_sent"]

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(permissions=["settle"], description="Send again, with the papers it had (failed or unknown)")
    def resend(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._tell(request, send_again(queryset), "to be sent again within a minute")

    @admin.action(permissions=["settle"], description="Take as sent (unknown)")
    def accept_as_sent(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        self._tell(request, take_as_sent(queryset), "taken as sent")

    def _tell(self, request: HttpRequest, done: int, what: str) -> None:
        text = f"{done} {what}." if done else "Nothing changed: none of them is in a state that this is for."
        self.message_user(request, text, messages.SUCCESS if done else messages.WARNING)

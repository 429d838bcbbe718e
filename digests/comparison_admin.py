"""Comparisons of rankings in the admin: start one, see how it stands, end it."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from digests.comparing import end, running, standing
from digests.interleaving import A, B
from digests.models import Comparison
from papers.desk import DeskTable


class ComparisonForm(forms.ModelForm[Comparison]):
    """Its name, and what is compared."""

    class Meta:
        model = Comparison
        fields = ["name", "rival"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.instance._state.adding and running() is not None:
            raise forms.ValidationError("Another comparison is running. End it first.")
        return cleaned


@admin.register(Comparison)
class ComparisonAdmin(DeskTable, admin.ModelAdmin[Comparison]):
    form = ComparisonForm
    fields = ["name", "rival", "results"]
    readonly_fields = ["results"]
    list_display = ["name", "rival", "started_at", "ended_at", "verdict"]
    actions = ["end_now"]

    def get_readonly_fields(self, request: HttpRequest, obj: Comparison | None = None) -> Any:
        # What is compared stays what it was.
        return ["rival", *self.readonly_fields] if obj else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Comparison | None = None) -> Any:
        return self.fields if obj else ["name", "rival"]

    @admin.display(description="how it stands")
    def verdict(self, comparison: Comparison) -> str:
        return standing(comparison).verdict

    @admin.display(description="results")
    def results(self, comparison: Comparison) -> SafeString:
        found = standing(comparison)
        rows = [
            ("Digests that readers liked more", found.wins[A], found.wins[B]),
            ("«More like this»", found.more[A], found.more[B]),
            ("«Less like this»", found.less[A], found.less[B]),
        ]
        body = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>', rows)
        return format_html(
            '<table><caption>{} digests left with both rankings in them</caption><thead><tr><th scope="col"></th>'
            '<th scope="col">A: in use</th><th scope="col">B: {}</th></tr></thead><tbody>{}</tbody></table><p>{}</p>'
            "<p>Only what readers said themselves is counted: nothing tells what they open.</p>",
            found.digests,
            comparison.get_rival_display(),
            body,
            found.verdict,
        )

    @admin.action(permissions=["change"], description="End the comparison")
    def end_now(self, request: HttpRequest, queryset: QuerySet[Comparison]) -> None:
        for comparison in queryset:
            end(comparison, now=timezone.now())
        self.message_user(request, "Ended. From now on all digests go by the ranking in use.", messages.SUCCESS)

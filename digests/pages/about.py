"""How papers are chosen, and what is kept of those who read."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from digests.trend import HALVES_IN_DAYS, WEIGHTS


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """The page for whoever wants to know why they see what they see."""
    weights = {name: f"{weight:g}" for name, weight in WEIGHTS.items()}
    return render(request, "site/about.html", {"weights": weights, "halves_in": f"{HALVES_IN_DAYS:g}"})

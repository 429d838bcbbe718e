"""How papers are chosen, and what is kept of those who read."""

from django.http import HttpRequest, HttpResponse

from digests.pages.caching import public_page
from digests.pages.frame import show
from digests.trend import HALVES_IN_DAYS, WEIGHTS


@public_page()
def about(request: HttpRequest) -> HttpResponse:
    """The page for whoever wants to know why they see what they see."""
    weights = {name: f"{weight:g}" for name, weight in WEIGHTS.items()}
    return show(request, "site/about.html", {"weights": weights, "halves_in": f"{HALVES_IN_DAYS:g}"})

"""A digest that went out, as a page: what «view in browser» opens."""

from csp.constants import NONE, SELF, UNSAFE_INLINE
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from digests.digest import render_again
from subscriptions.pages.links import bad_link, opened_by
from subscriptions.tokens import Purpose


# Mail carries its styles in attributes, so this one document allows them, and may run or load nothing at all.
@require_safe
@csp({"default-src": [NONE], "style-src": [UNSAFE_INLINE], "img-src": [SELF], "frame-ancestors": [NONE]})
@opened_by(Purpose.VIEW)
def view(request: HttpRequest, delivery_id: str, token: str) -> HttpResponse:
    """The very mail, to whoever has its link: it shows and allows no more than the mail does."""
    rendered = render_again(delivery_id, now=timezone.now())
    if rendered is None:
        return bad_link(request, "This digest is not kept any more", "We keep each digest for three months.", 410)
    response = HttpResponse(rendered.html)
    response["X-Robots-Tag"] = "noindex"
    return response

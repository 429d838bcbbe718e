"""What the pages behind readers' links share: reading the link, and the plain pages that answer."""

import logging
from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from subscriptions.addresses import mask_address
from subscriptions.models import Subscriber
from subscriptions.pages.languages import speak_to
from subscriptions.tokens import MAX_AGE, BadLinkError, ExpiredLinkError, Purpose, read_token

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]

_ANEW = {
    Purpose.CONFIRM: gettext_lazy("Please sign up again."),
    Purpose.NEW_ADDRESS: gettext_lazy("Please ask for it once more."),
    Purpose.KEEP: gettext_lazy("Any mail of ours has a link to your choices."),
    Purpose.SIGN_IN: gettext_lazy("You can have a new one from the page to sign in."),
}


def opened_by(purpose: Purpose) -> Callable[[View], View]:
    """Let GET, HEAD and POST in by a link of this purpose, and hand the view its id; a link that is no good gets a page
    that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, token: str, **more: object) -> HttpResponse:
            try:
                held = read_token(purpose, token)
            except ExpiredLinkError:
                logger.info("a %s link had run out", purpose.value)
                return bad_link(request, gettext("This link has run out"), _why_run_out(purpose), 410)
            except BadLinkError:
                logger.info("a %s link was not valid", purpose.value)
                return bad_link(
                    request,
                    gettext("This link is not complete"),
                    gettext("Please use the whole link as it stands in the mail."),
                    404,
                )
            return view(request, held, token, **more)

        return never_cache(require_http_methods(["GET", "HEAD", "POST"])(guarded))

    return decorate


def with_subscriber(purpose: Purpose) -> Callable[[View], View]:
    """The same for links that name a subscriber, whom the view is given."""

    def decorate(view: View) -> View:
        @wraps(view)
        def found(request: HttpRequest, public_id: str, token: str, **more: object) -> HttpResponse:
            subscriber = Subscriber.objects.filter(public_id=public_id).first()
            if subscriber is None:
                logger.info("a %s link of somebody who was erased", purpose.value)
                return bad_link(
                    request, gettext("Nothing is kept here any more"), gettext("This subscription was erased."), 410
                )
            speak_to(request, subscriber)
            return view(request, subscriber, token, **more)

        return opened_by(purpose)(found)

    return decorate


def about(subscriber: Subscriber, token: str) -> dict[str, str]:
    """What every such page shows. The address is masked: a forwarded mail opens these pages too."""
    return {"token": token, "address": mask_address(subscriber.email)}


def done(
    request: HttpRequest,
    heading: str,
    text: str,
    *,
    url: str = "",
    link_text: str = "",
    template: str = "done",
    **more: object,
) -> HttpResponse:
    """A page that says what was done, and where to go from there."""
    context = {"heading": heading, "text": text, "url": url, "link_text": link_text, **more}
    return render(request, f"subscriptions/{template}.html", context)


def bad_link(request: HttpRequest, heading: str, text: str, status: int) -> HttpResponse:
    """A page that says why this link does nothing."""
    return logged(render(request, "subscriptions/bad_link.html", {"heading": heading, "text": text}, status=status))


def logged(response: HttpResponse) -> HttpResponse:
    """Tell Django that this refusal has its line in the log already: ours says why, and holds no link."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _why_run_out(purpose: Purpose) -> str:
    age = MAX_AGE[purpose]
    if purpose is Purpose.SIGN_IN:
        good_for = gettext("It was good for half an hour.")
    elif not age.days:
        good_for = gettext("It was good for two hours.")
    elif age.days == 7:
        good_for = gettext("It was good for a week.")
    else:
        words = ngettext("It was good for a day.", "It was good for %(days)d days.", age.days)
        good_for = words % {"days": age.days}
    anew = _ANEW.get(purpose, gettext("You can have a new one sent to you from the page with your choices."))
    return f"{good_for} {anew}"

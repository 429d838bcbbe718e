"""Signing in: type an address, press the button behind the mailed link, sign out."""

from math import ceil

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from subscriptions.addresses import mask_address
from subscriptions.doors import knock
from subscriptions.forms import SignInForm
from subscriptions.guard import Admitted, TooMany, TooOften, Trapped, Unwelcome
from subscriptions.models import ReaderSession
from subscriptions.pages.links import bad_link, done, logged, opened_by
from subscriptions.sign_in import (
    ask_to_sign_in,
    drop_cookie,
    end_session,
    may_open,
    open_session,
    own_path,
    set_cookie,
)
from subscriptions.tokens import Purpose

_SENT = gettext_lazy(
    "If this address is a confirmed reader’s, a mail with a link is on its way to it, unless one just went. Open"
    " the link and press the button there. It is good for half an hour, and once."
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Ask for the link. The page that answers is the same whoever asks."""
    if request.method != "POST":
        return _show(request, SignInForm(initial={"next": own_path(request.GET.get("next", ""))}))
    form = SignInForm(request.POST)
    if not form.is_valid():
        return logged(_show(request, form, status=422))
    chosen = form.cleaned_data
    admission = knock(
        request,
        address=chosen["email"],
        stamp=chosen["stamp"],
        is_trap_sprung=bool(chosen["website"]),
        ask=lambda: ask_to_sign_in(address=chosen["email"], leads_to=chosen["next"], now=timezone.now()),
    )
    match admission:
        case Admitted() | Trapped():
            return done(request, gettext("Look into your inbox"), str(_SENT))
        case Unwelcome(reason=reason):
            form.add_error("email", reason)
            return logged(_show(request, form, status=422))
        case TooOften(seconds=seconds) | TooMany(seconds=seconds) as busy:
            status = 429 if isinstance(busy, TooOften) else 503
            context = {"minutes": max(1, ceil(seconds / 60)), "is_network": status == 429}
            response = render(request, "subscriptions/busy.html", context, status=status)
            response["Retry-After"] = str(max(1, ceil(seconds)))
            return logged(response)


@opened_by(Purpose.SIGN_IN)
def open_link(request: HttpRequest, public_id: str, token: str) -> HttpResponse:
    """A page with a button, since programs that look into mails open every link; the button signs in, once."""
    session = ReaderSession.objects.filter(public_id=public_id).select_related("subscriber").first()
    if session is None or not may_open(public_id=public_id):
        return _used(request)
    if request.method != "POST":
        context = {"address": mask_address(session.subscriber.email)}
        return render(request, "subscriptions/sign_in_link.html", context)
    opened = open_session(public_id=public_id, now=timezone.now())
    if opened is None:
        return _used(request)
    # What was signed in here before ends: the browser can hold one cookie.
    end_session(request, now=timezone.now())
    response = redirect(opened.leads_to or "subscriptions:me")
    set_cookie(response, opened)
    return response


@never_cache
@require_http_methods(["POST"])
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, here and of every copy of its cookie."""
    end_session(request, now=timezone.now())
    response = done(request, gettext("Signed out"), gettext("You can sign in again at any time."))
    drop_cookie(response)
    return response


def _used(request: HttpRequest) -> HttpResponse:
    return bad_link(
        request,
        gettext("This link was used before"),
        gettext("Each is good once. You can have another from the page to sign in."),
        410,
    )


def _show(request: HttpRequest, form: SignInForm, *, status: int = 200) -> HttpResponse:
    return render(request, "subscriptions/sign_in.html", {"form": form}, status=status)

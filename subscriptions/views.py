"""The reader's pages. GET and HEAD never write: mail scanners follow every link, twice, and some run JavaScript."""

import logging
from collections.abc import Callable
from functools import wraps
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from subscriptions.addresses import mask_address
from subscriptions.doors import knock
from subscriptions.forms import PreferencesForm, SubscribeForm
from subscriptions.guard import Admission, Admitted, TooMany, TooOften, Trapped, Unwelcome, asks_for_proof
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.proof import new_challenge
from subscriptions.signup import (
    ConfirmResult,
    UnsubscribeResult,
    awaits_yes,
    change_preferences,
    confirm_subscription,
    request_subscription,
    unsubscribe,
)
from subscriptions.tokens import BadLinkError, ExpiredLinkError, Purpose, link, read_token
from subscriptions.words import rhythm

logger = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def with_subscriber(purpose: Purpose) -> Callable[[View], View]:
    """Read the link's token and hand the view its subscriber; a link that is no good gets a page that says so."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, token: str) -> HttpResponse:
            try:
                public_id = read_token(purpose, token)
            except ExpiredLinkError:
                logger.info("a %s link had run out", purpose.value)
                return _bad_link(request, "This link has run out", "It was good for a week. Please sign up again.", 410)
            except BadLinkError:
                logger.info("a %s link was not valid", purpose.value)
                return _bad_link(
                    request, "This link is not complete", "Please use the whole link as it stands in the mail.", 404
                )
            subscriber = Subscriber.objects.filter(public_id=public_id).first()
            if subscriber is None:
                logger.info("a %s link of somebody who was erased", purpose.value)
                return _bad_link(request, "Nothing is kept here any more", "This subscription was erased.", 410)
            return view(request, subscriber, token)

        return guarded

    return decorate


@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """The form; what it answers is the same whether or not we know the address."""
    if request.method != "POST":
        return render(request, "subscriptions/subscribe.html", {"form": SubscribeForm()})
    form = SubscribeForm(request.POST)
    if not form.is_valid():
        logger.info("a sign-up was refused: %s", ", ".join(f"{name} is not valid" for name in form.errors))
        return _logged(render(request, "subscriptions/subscribe.html", {"form": form}, status=422))
    chosen = form.cleaned_data
    admission = knock(
        request,
        address=chosen["email"],
        stamp=chosen["stamp"],
        proof=chosen["altcha"],
        is_trap_sprung=form.is_trap_sprung,
        ask=lambda: request_subscription(
            address=chosen["email"],
            topic_slugs=[topic.slug for topic in chosen["topics"]],
            zone=chosen["zone"] or settings.EDITION_TIME_ZONE,
            how="form",
            now=timezone.now(),
        ),
    )
    return _answer(request, form, admission)


def _answer(request: HttpRequest, form: SubscribeForm, admission: Admission) -> HttpResponse:
    match admission:
        case Admitted(wait=wait):
            page, minutes = reverse("subscriptions:check_inbox"), ceil(wait.total_seconds() / 60)
            return redirect(f"{page}?minutes={minutes}" if wait else page)
        case Trapped():
            return redirect("subscriptions:check_inbox")
        case Unwelcome(reason=reason):
            form.add_error("email", reason)
            return _logged(render(request, "subscriptions/subscribe.html", {"form": form}, status=422))
        case TooOften(seconds=seconds) | TooMany(seconds=seconds):
            status = 429 if isinstance(admission, TooOften) else 503
            context = {"minutes": max(1, ceil(seconds / 60)), "is_network": status == 429}
            response = render(request, "subscriptions/busy.html", context, status=status)
            response["Retry-After"] = str(max(1, ceil(seconds)))
            return _logged(response)


@require_safe
def check_inbox(request: HttpRequest) -> HttpResponse:
    """What to do next; `minutes` says that the mail waits for its turn, and for how long at most."""
    minutes = request.GET.get("minutes", "")
    minutes_to_wait = int(minutes) if minutes.isdecimal() and len(minutes) <= 4 else 0
    context = {"minutes": minutes_to_wait, "hours": ceil(minutes_to_wait / 60)}
    return render(request, "subscriptions/check_inbox.html", context)


@never_cache
@require_safe
def challenge(request: HttpRequest) -> JsonResponse:
    """What the form's script asks before it sends: a proof of work to do, or `null` while sign-ups are calm."""
    return JsonResponse({"challenge": new_challenge(now=timezone.now()) if asks_for_proof() else None})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_subscriber(Purpose.CONFIRM)
def confirm(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page with a button; pressing it starts the subscription."""
    if request.method != "POST":
        if awaits_yes(subscriber, now=timezone.now()):
            return render(request, "subscriptions/confirm.html", _about(subscriber, token))
        return _done_confirming(request, subscriber, _result_of(subscriber))
    return _done_confirming(
        request, subscriber, confirm_subscription(public_id=subscriber.public_id, now=timezone.now())
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_subscriber(Purpose.MANAGE)
def manage(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """The reader's own choices. The address is masked: a forwarded mail opens this page too."""
    if subscriber.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
        return _done(
            request, "You are not subscribed", "There is nothing to change here. You are welcome to sign up again."
        )
    initial = {
        "topics": list(subscriber.topics.values_list("slug", flat=True)),
        "max_papers": subscriber.max_papers,
        "wants_replacements": subscriber.wants_replacements,
    }
    form = PreferencesForm(request.POST if request.method == "POST" else None, initial=initial)
    saved = False
    if request.method == "POST" and form.is_valid():
        change_preferences(
            subscriber=subscriber,
            topic_slugs=[topic.slug for topic in form.cleaned_data["topics"]],
            max_papers=form.cleaned_data["max_papers"],
            wants_replacements=form.cleaned_data["wants_replacements"],
            now=timezone.now(),
        )
        saved = True
    elif request.method == "POST":
        logger.info("a change of preferences was refused: %s", ", ".join(form.errors))
    context = {
        **_about(subscriber, token),
        "form": form,
        "saved": saved,
        "rhythm": rhythm(subscriber),
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, subscriber.public_id),
    }
    if request.method == "POST" and not saved:
        return _logged(render(request, "subscriptions/manage.html", context, status=422))
    return render(request, "subscriptions/manage.html", context)


# RFC 8058: the mail program posts without cookies and without having seen a page, so this path alone is exempt; the
# signed token is the credential, and all it can do is end the mail.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@with_subscriber(Purpose.UNSUBSCRIBE)
def unsubscribe_page(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page with a button; the one-click POST from the mail's header ends the subscription without the page."""
    if request.method != "POST":
        if subscriber.state == SubscriberState.UNSUBSCRIBED:
            return _done_unsubscribing(request, UnsubscribeResult.ALREADY_UNSUBSCRIBED)
        return render(request, "subscriptions/unsubscribe.html", _about(subscriber, token))
    how = "one-click header" if request.POST.get("List-Unsubscribe") == "One-Click" else "mail link"
    result = unsubscribe(public_id=subscriber.public_id, how=how, now=timezone.now())
    return _done_unsubscribing(request, result)


def _about(subscriber: Subscriber, token: str) -> dict[str, str]:
    return {"token": token, "address": mask_address(subscriber.email)}


def _result_of(subscriber: Subscriber) -> ConfirmResult:
    known = subscriber.state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}
    return ConfirmResult.ALREADY_CONFIRMED if known else ConfirmResult.NO_LONGER_ASKED


def _done_confirming(request: HttpRequest, subscriber: Subscriber, result: ConfirmResult) -> HttpResponse:
    if result in {ConfirmResult.ALREADY_CONFIRMED, ConfirmResult.NO_LONGER_ASKED}:
        logger.info("a confirmation link was used again: %s", result.name.lower())
    manage_url = link(Purpose.MANAGE, subscriber.public_id)
    match result:
        case ConfirmResult.CONFIRMED | ConfirmResult.CONFIRMED_FOR_LATER:
            on_their_way = result is ConfirmResult.CONFIRMED
            return _done(
                request,
                "Welcome",
                "You are subscribed, and your first papers are on their way to you now."
                if on_their_way
                else "You are subscribed. Your first papers come with the next edition.",
                url=manage_url,
                link_text="Choose topics and how many papers",
            )
        case ConfirmResult.ALREADY_CONFIRMED:
            return _done(
                request,
                "You have already confirmed",
                "Nothing more to do: your papers come as you asked.",
                url=manage_url,
                link_text="Change what you get",
            )
        case ConfirmResult.NO_LONGER_ASKED:
            return _bad_link(
                request,
                "This link is no longer good",
                "This subscription has ended since. You are welcome to sign up again.",
                410,
            )


def _done_unsubscribing(request: HttpRequest, result: UnsubscribeResult) -> HttpResponse:
    if result is UnsubscribeResult.UNSUBSCRIBED:
        return _done(request, "You are unsubscribed", "No more mail will come. Thank you for having read with us.")
    logger.info("an unsubscribe link was used again")
    return _done(request, "You were already unsubscribed", "No mail is sent to you. Nothing more to do.")


def _done(request: HttpRequest, heading: str, text: str, *, url: str = "", link_text: str = "") -> HttpResponse:
    context = {"heading": heading, "text": text, "url": url, "link_text": link_text}
    return render(request, "subscriptions/done.html", context)


def _bad_link(request: HttpRequest, heading: str, text: str, status: int) -> HttpResponse:
    return _logged(render(request, "subscriptions/bad_link.html", {"heading": heading, "text": text}, status=status))


def _logged(response: HttpResponse) -> HttpResponse:
    """Tell Django that this refusal has its line in the log already: ours says why, and holds no link."""
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response

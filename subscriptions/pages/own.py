"""What takes a fresh link, mailed to the reader's own address a moment ago: reading again, taking along, moving, and
being forgotten. And the answer to the yearly question."""

import json

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from subscriptions.addresses import mask_address
from subscriptions.asking_again import answer_yes
from subscriptions.disposable import is_disposable
from subscriptions.forms import NewAddressForm
from subscriptions.guard import DISPOSABLE
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.moving import MoveResult, ask_new_address, change_of, confirm_new_address
from subscriptions.own_data import erase_reader, export_reader, others_data
from subscriptions.pages.links import about, bad_link, done, logged, opened_by, with_subscriber
from subscriptions.tasks import send_notices
from subscriptions.tokens import Purpose, link

PER_PAGE = 20


@with_subscriber(Purpose.ARCHIVE)
def archive(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """The reader's digests, the newest first: each paper with the reason it had."""
    text = request.GET.get("page", "1")
    number = min(int(text), 10_000) if text.isdecimal() and len(text) < 6 and int(text) else 1
    data = others_data(subscriber, first=(number - 1) * PER_PAGE, count=PER_PAGE + 1)
    found = data.get("digests", [])
    context = {
        **about(subscriber, token),
        "digests": found[:PER_PAGE],
        "days_without": data.get("days_without", []),
        "number": number,
        "has_more": len(found) > PER_PAGE,
        "signal_url": link(Purpose.SIGNAL, subscriber.public_id),
    }
    return render(request, "subscriptions/archive.html", context)


@with_subscriber(Purpose.EXPORT)
def export(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page with a button, so that no mail scanner takes the file; the button gives it."""
    if request.method != "POST":
        return render(request, "subscriptions/export.html", about(subscriber, token))
    data = export_reader(subscriber, now=timezone.now())
    response = HttpResponse(json.dumps(data, indent=2, ensure_ascii=False), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="daily-papers.json"'
    return response


@with_subscriber(Purpose.ERASE)
def erase(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page that says what goes and what stays, with a button."""
    if request.method != "POST":
        return render(request, "subscriptions/erase.html", about(subscriber, token))
    erase_reader(public_id=subscriber.public_id, now=timezone.now())
    return done(
        request,
        gettext("You are forgotten"),
        gettext(
            "All that we kept about you is gone. What stays is a code from which your address cannot be read: by it "
            "we know not to mail you. You are welcome to sign up again at any time."
        ),
    )


@with_subscriber(Purpose.ADDRESS)
def change_address(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Give the new address, which is then asked itself. The page says the same whatever we know of it."""
    if subscriber.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
        return done(request, gettext("You are not subscribed"), gettext("There is nothing to change here."))
    form = NewAddressForm(request.POST if request.method == "POST" else None)
    context = {**about(subscriber, token), "form": form}
    if request.method != "POST":
        return render(request, "subscriptions/address.html", context)
    if form.is_valid() and is_disposable(form.cleaned_data["email"]):
        form.add_error("email", DISPOSABLE)
    if not form.is_valid():
        return logged(render(request, "subscriptions/address.html", context, status=422))
    with transaction.atomic():
        notice_id = ask_new_address(subscriber=subscriber, address=form.cleaned_data["email"], now=timezone.now())
        if notice_id:
            transaction.on_commit(lambda: send_notices.delay([notice_id]), robust=True)
    return done(
        request,
        gettext("Look into your new inbox"),
        gettext(
            "A mail is on its way to the new address, unless one went there within the last day. Open the link in it "
            "and press the button there. Until then your papers come to the old address."
        ),
    )


@opened_by(Purpose.NEW_ADDRESS)
def new_address(request: HttpRequest, public_id: str, token: str) -> HttpResponse:
    """The new address's yes."""
    if request.method != "POST":
        change = change_of(public_id, now=timezone.now())
        if change is None:
            return _no_change(request)
        context = {"address": mask_address(change.email)}
        return render(request, "subscriptions/new_address.html", context)
    match confirm_new_address(public_id=public_id, now=timezone.now()):
        case MoveResult.MOVED:
            return done(request, gettext("Done"), gettext("Your papers come to this address from now on."))
        case MoveResult.TAKEN:
            return done(
                request,
                gettext("This address has a subscription of its own"),
                gettext("Nothing was changed. You can end either one."),
            )
        case MoveResult.NO_LONGER_ASKED:
            return _no_change(request)


@with_subscriber(Purpose.KEEP)
def keep(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """«Do you still want this?», with a button that says yes."""
    if subscriber.state not in {SubscriberState.ACTIVE, SubscriberState.PAUSED}:
        return done(request, gettext("You are not subscribed"), gettext("You are welcome to sign up again."))
    if request.method != "POST":
        url = link(Purpose.UNSUBSCRIBE, subscriber.public_id)
        return render(request, "subscriptions/keep.html", {**about(subscriber, token), "unsubscribe_url": url})
    answer_yes(subscriber=subscriber, now=timezone.now())
    return done(
        request,
        gettext("Good to have you"),
        gettext("Your papers come as before."),
        url=link(Purpose.MANAGE, subscriber.public_id),
        link_text=gettext("Change what you get"),
    )


def _no_change(request: HttpRequest) -> HttpResponse:
    return bad_link(
        request,
        gettext("This link is no longer good"),
        gettext("It was used before, or another address was asked for since."),
        410,
    )

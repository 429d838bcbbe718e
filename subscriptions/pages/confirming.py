"""The double opt-in's second half."""

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext

from subscriptions.models import Subscriber, SubscriberState
from subscriptions.pages.links import about, bad_link, done, with_subscriber
from subscriptions.signup import ConfirmResult, awaits_yes, confirm_subscription
from subscriptions.tokens import Purpose, link

logger = logging.getLogger(__name__)


@with_subscriber(Purpose.CONFIRM)
def confirm(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page with a button; pressing it starts the subscription."""
    if request.method != "POST":
        if awaits_yes(subscriber, now=timezone.now()):
            return render(request, "subscriptions/confirm.html", about(subscriber, token))
        return _answer(request, subscriber, _result_of(subscriber))
    return _answer(request, subscriber, confirm_subscription(public_id=subscriber.public_id, now=timezone.now()))


def _result_of(subscriber: Subscriber) -> ConfirmResult:
    known = subscriber.state in {SubscriberState.ACTIVE, SubscriberState.PAUSED}
    return ConfirmResult.ALREADY_CONFIRMED if known else ConfirmResult.NO_LONGER_ASKED


def _answer(request: HttpRequest, subscriber: Subscriber, result: ConfirmResult) -> HttpResponse:
    if result in {ConfirmResult.ALREADY_CONFIRMED, ConfirmResult.NO_LONGER_ASKED}:
        logger.info("a confirmation link was used again: %s", result.name.lower())
    manage_url = link(Purpose.MANAGE, subscriber.public_id)
    match result:
        case ConfirmResult.CONFIRMED | ConfirmResult.CONFIRMED_FOR_LATER:
            on_their_way = result is ConfirmResult.CONFIRMED
            return done(
                request,
                gettext("Welcome"),
                gettext("You are subscribed, and your first papers are on their way to you now.")
                if on_their_way
                else gettext("You are subscribed. Your first papers come with the next edition."),
                url=manage_url,
                link_text=gettext("Choose topics, days and how many papers"),
            )
        case ConfirmResult.ALREADY_CONFIRMED:
            return done(
                request,
                gettext("You have already confirmed"),
                gettext("Nothing more to do: your papers come as you asked."),
                url=manage_url,
                link_text=gettext("Change what you get"),
            )
        case ConfirmResult.NO_LONGER_ASKED:
            return bad_link(
                request,
                gettext("This link is no longer good"),
                gettext("This subscription has ended since. You are welcome to sign up again."),
                410,
            )

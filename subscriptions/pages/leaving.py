"""The way out, by a link that works for ever: one click in the mail program, or a page with buttons."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt

from subscriptions.consent import BY_MAIL_LINK
from subscriptions.leaving import Undo, leave_topic, read_undo, sign_undo, take_back
from subscriptions.models import Farewell, Subscriber, SubscriberState
from subscriptions.pages.links import about, bad_link, done, with_subscriber
from subscriptions.signup import UnsubscribeResult, unsubscribe
from subscriptions.tokens import Purpose, link

logger = logging.getLogger(__name__)


# RFC 8058: the mail program posts without cookies and without having seen a page, so this path alone is exempt; the
# signed token is the credential, and all it can do is end the mail.
@csrf_exempt
@with_subscriber(Purpose.UNSUBSCRIBE)
def unsubscribe_page(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """A page with buttons; the one-click POST from the mail's header ends the subscription without the page."""
    if request.method != "POST":
        if subscriber.state == SubscriberState.UNSUBSCRIBED:
            return _already(request)
        context = {**about(subscriber, token), "topics": subscriber.topics.all(), "reasons": Farewell.choices}
        return render(request, "subscriptions/unsubscribe.html", context)
    if slug := request.POST.get("topic", ""):
        return _leave_topic(request, subscriber, token, slug)
    reason = request.POST.get("reason", "")
    how = "one-click header" if request.POST.get("List-Unsubscribe") == "One-Click" else BY_MAIL_LINK
    result = unsubscribe(
        public_id=subscriber.public_id,
        how=how,
        now=timezone.now(),
        reason=reason if reason in Farewell.values else "",
    )
    if result is UnsubscribeResult.ALREADY_UNSUBSCRIBED:
        return _already(request)
    heading, text = (
        gettext("You are unsubscribed"),
        gettext("No more papers will come. Thank you for having read with us."),
    )
    if how != BY_MAIL_LINK:
        # A program reads this, without cookies, so there is nothing to press.
        return done(request, heading, text)
    return done(
        request,
        heading,
        text,
        template="unsubscribed",
        **about(subscriber, token),
        undo=sign_undo(subscriber, Undo(state=subscriber.state)),
        undo_text=gettext("No, keep sending me papers"),
        reply_to=settings.REPLY_TO,
    )


@with_subscriber(Purpose.UNSUBSCRIBE)
def undo(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Take a farewell back, by the button on the page that answered it."""
    wanted = read_undo(subscriber, request.POST.get("undo", "")) if request.method == "POST" else None
    if wanted is None:
        return bad_link(
            request,
            gettext("This can no longer be undone"),
            gettext("The button is good for an hour. You are welcome to sign up again, or to choose your topics anew."),
            410,
        )
    take_back(subscriber=subscriber, undo=wanted, now=timezone.now())
    return done(
        request,
        gettext("Welcome back"),
        gettext("Everything is as it was before."),
        url=link(Purpose.MANAGE, subscriber.public_id),
        link_text=gettext("See what you get"),
    )


def _leave_topic(request: HttpRequest, subscriber: Subscriber, token: str, slug: str) -> HttpResponse:
    topic = subscriber.topics.filter(slug=slug).first()
    if topic is None or not leave_topic(subscriber=subscriber, slug=slug, now=timezone.now()):
        return done(request, gettext("This topic was not among yours"), gettext("Nothing was changed."))
    left = subscriber.topics.exists()
    return done(
        request,
        gettext("No more papers about %(topic)s") % {"topic": topic.name},
        gettext("Your other topics stay as they are.")
        if left
        else gettext("You have no topics now: you get what the editor picked and what others find worth reading."),
        url="" if left else link(Purpose.UNSUBSCRIBE, subscriber.public_id),
        link_text="" if left else gettext("Unsubscribe from everything"),
        template="unsubscribed",
        **about(subscriber, token),
        undo=sign_undo(subscriber, Undo(topic=slug)),
        undo_text=gettext("Undo: keep %(topic)s") % {"topic": topic.name},
    )


def _already(request: HttpRequest) -> HttpResponse:
    logger.info("an unsubscribe link was used again")
    return done(
        request, gettext("You were already unsubscribed"), gettext("No mail is sent to you. Nothing more to do.")
    )

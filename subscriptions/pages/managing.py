"""A reader's choices, by the link in any mail. Whoever was sent a forwarded mail gets in too: the address is masked,
and what they must not see or do takes a fresh link."""

import datetime as dt
import logging
from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from mailer.languages import day_in_words, long_day
from papers.models import Paper
from subscriptions.forms import PauseForm, PreferencesForm, initial_of
from subscriptions.leanings import clear_leanings, learned_of, set_leaning
from subscriptions.models import Leaning, Subscriber, SubscriberState
from subscriptions.own_links import OWN_LINKS, ask_for_link
from subscriptions.pages.links import about, bad_link, done, logged, with_subscriber
from subscriptions.pausing import LONGEST_PAUSE, pause, resume, today_of
from subscriptions.preferences import preferences_of, titles_of
from subscriptions.signup import change_preferences
from subscriptions.tasks import send_notices
from subscriptions.tokens import Purpose, link
from subscriptions.words import rhythm

logger = logging.getLogger(__name__)

SAID = {
    "paused": gettext_lazy("Your mail is paused."),
    "resumed": gettext_lazy("Your mail comes again."),
    "cleared": gettext_lazy("Forgotten."),
    "mailed": gettext_lazy(
        "A mail with the link is on its way to you, unless several went within the last day. It is good for two hours."
    ),
}
_READERS = {SubscriberState.ACTIVE, SubscriberState.PAUSED}


@with_subscriber(Purpose.MANAGE)
def manage(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """All choices on one page."""
    if subscriber.state not in _READERS:
        return _nothing_to_manage(request, subscriber, token)
    if request.method != "POST":
        said = str(SAID.get(request.GET.get("done", ""), ""))
        return _show(request, subscriber, token, PreferencesForm(initial=_initial(subscriber)), said=said)
    form = PreferencesForm(request.POST, initial=_initial(subscriber))
    if "preview" in request.POST:
        form.full_clean()
        return _show(request, subscriber, token, form)
    if not form.is_valid():
        logger.info("a change of preferences was refused: %s", ", ".join(form.errors))
        return logged(_show(request, subscriber, token, form, status=422))
    chosen = form.preferences(preferences_of(subscriber))
    change_preferences(subscriber=subscriber, preferences=chosen, now=timezone.now())
    subscriber.refresh_from_db()
    fresh = PreferencesForm(initial=_initial(subscriber))
    return _show(request, subscriber, token, fresh, said=gettext("Saved. Your next mail follows these choices."))


@with_subscriber(Purpose.MANAGE)
def pause_page(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Pause until a day, or end the pause."""
    if request.method != "POST" or subscriber.state not in _READERS:
        return redirect("subscriptions:manage", token=token)
    now = timezone.now()
    if "resume" in request.POST:
        resume(subscriber=subscriber, now=now)
        return _back(token, "resumed")
    form, today = PauseForm(request.POST), today_of(subscriber, now=now)
    if form.is_valid() and not today < form.cleaned_data["until"] <= today + LONGEST_PAUSE:
        form.add_error("until", gettext("Please give a day between tomorrow and a year from now."))
    if not form.is_valid():
        choices = PreferencesForm(initial=_initial(subscriber))
        return logged(_show(request, subscriber, token, choices, pause_form=form, status=422))
    pause(subscriber=subscriber, until=form.cleaned_data["until"], now=now)
    return _back(token, "paused")


@with_subscriber(Purpose.MANAGE)
def mail_me(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Have a fresh link sent to the reader's own address, for what this page's link is not enough."""
    wanted = request.POST.get("link", "")
    if request.method != "POST" or wanted not in {purpose.value for purpose in OWN_LINKS}:
        return redirect("subscriptions:manage", token=token)
    with transaction.atomic():
        notice_id = ask_for_link(subscriber=subscriber, purpose=Purpose(wanted), now=timezone.now())
        if notice_id:
            transaction.on_commit(lambda: send_notices.delay([notice_id]), robust=True)
    return _back(token, "mailed")


@with_subscriber(Purpose.MANAGE)
def clear(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Forget a word on a paper, or all of them."""
    if request.method != "POST":
        return redirect("subscriptions:manage", token=token)
    paper_id = request.POST.get("paper", "")
    clear_leanings(subscriber=subscriber, paper_id=_id(paper_id) if paper_id else None)
    return _back(token, "cleared")


@with_subscriber(Purpose.SIGNAL)
def signals(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """What the reader said about papers lives on the page with their choices."""
    return redirect(f"{link(Purpose.MANAGE, subscriber.public_id)}#more-or-less")


@with_subscriber(Purpose.SIGNAL)
def signal(request: HttpRequest, subscriber: Subscriber, token: str, leaning: str, paper_id: int) -> HttpResponse:
    """A page with the paper and two buttons: more like this, less like this."""
    paper = Paper.objects.select_related("merged_into").filter(pk=paper_id).first()
    if paper is None:
        return bad_link(
            request,
            gettext("There is no such paper"),
            gettext("Please use the whole link as it stands in the mail."),
            404,
        )
    if subscriber.state not in _READERS:
        return _not_subscribed(request)
    context = {**about(subscriber, token), "paper": paper.merged_into or paper, "leaning": leaning}
    if request.method != "POST":
        return render(request, "subscriptions/signal.html", context)
    pressed = request.POST.get("leaning", "")
    chosen = Leaning(pressed if pressed in Leaning.values else leaning)
    set_leaning(subscriber=subscriber, paper=paper, leaning=chosen, now=timezone.now())
    return done(
        request,
        gettext("Noted"),
        gettext("%(leaning)s: «%(title)s». You can see and clear what you told us at any time.")
        % {"leaning": chosen.label, "title": paper.title},
        url=f"{link(Purpose.MANAGE, subscriber.public_id)}#more-or-less",
        link_text=gettext("See what you told us"),
    )


def _show(
    request: HttpRequest,
    subscriber: Subscriber,
    token: str,
    form: PreferencesForm,
    *,
    pause_form: PauseForm | None = None,
    said: str = "",
    status: int = 200,
) -> HttpResponse:
    chosen = preferences_of(subscriber)
    today = today_of(subscriber, now=timezone.now())
    context = {
        **about(subscriber, token),
        "form": form,
        "said": said,
        "rhythm": _rhythm(subscriber),
        "paused_until": subscriber.paused_until and day_in_words(subscriber.paused_until),
        "subscriber": subscriber,
        "seed_titles": titles_of(chosen.seed_papers).values(),
        "pause_form": pause_form or PauseForm(),
        "first_day": today + dt.timedelta(days=1),
        "last_day": today + LONGEST_PAUSE,
        "signals": subscriber.signals.select_related("paper")[:100],
        "learned": learned_of(subscriber),
        "own_links": [(purpose.value, words) for purpose, words in OWN_LINKS.items()],
        "unsubscribe_url": link(Purpose.UNSUBSCRIBE, subscriber.public_id),
        "reply_to": settings.REPLY_TO,
    }
    return render(request, "subscriptions/manage.html", context, status=status)


def _rhythm(subscriber: Subscriber) -> str:
    """When mail comes, and that it pauses, where it does."""
    when = rhythm(subscriber)
    if subscriber.state != SubscriberState.PAUSED:
        return when
    if not subscriber.paused_until:
        return gettext("paused")
    day = long_day(subscriber.paused_until)
    return gettext("paused until %(day)s; then %(rhythm)s") % {"day": day, "rhythm": when}


def _initial(subscriber: Subscriber) -> dict[str, object]:
    return initial_of(preferences_of(subscriber))


def _nothing_to_manage(request: HttpRequest, subscriber: Subscriber, token: str) -> HttpResponse:
    """Who left, or never confirmed, has no choices here; who left may still take along or erase what we keep."""
    own = [(p.value, words) for p, words in OWN_LINKS.items() if p in {Purpose.EXPORT, Purpose.ERASE}]
    context = {
        **about(subscriber, token),
        "own_links": own if subscriber.state == SubscriberState.UNSUBSCRIBED else [],
        "said": str(SAID.get(request.GET.get("done", ""), "")),
    }
    return render(request, "subscriptions/not_subscribed.html", context)


def _not_subscribed(request: HttpRequest) -> HttpResponse:
    return done(
        request,
        gettext("You are not subscribed"),
        gettext("There is nothing to change here. You are welcome to sign up again."),
    )


def _back(token: str, said: str) -> HttpResponse:
    page = reverse("subscriptions:manage", kwargs={"token": token})
    return redirect(f"{page}?{urlencode({'done': said})}")


def _id(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0

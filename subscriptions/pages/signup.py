"""The form, in all its places, and what comes after it. What it answers is the same whether or not we know the
address."""

import logging

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from papers.models import Topic
from papers.volume import recent_volume
from subscriptions.forms import SubscribeForm, default_preferences, initial_of
from subscriptions.pages.links import logged
from subscriptions.signup import request_subscription
from subscriptions.tasks import send_notices
from subscriptions.words import papers_a_day

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """The whole form. With `preview` among what is sent, nothing is kept: it comes back with what the choice means."""
    if request.method != "POST":
        # Topics may stand in a link to the form: they say what a page is about, not who follows it.
        topics = Topic.objects.active().filter(slug__in=request.GET.getlist("topics"))
        initial = {**initial_of(default_preferences()), "topics": [topic.slug for topic in topics]}
        return _show(request, SubscribeForm(initial=initial))
    form = SubscribeForm(request.POST)
    if "preview" in request.POST:
        return _preview(request, form)
    return take(request, form, how="form")


def take(request: HttpRequest, form: SubscribeForm, *, how: str) -> HttpResponse:
    """What a form brought, from whichever page it was sent."""
    if not form.is_valid():
        log_refusal(form)
        return logged(_show(request, form, status=422))
    if form.is_trap_sprung:
        logger.info("a sign-up filled in the field that people do not see; nothing was kept")
    else:
        ask(form, how=how)
    return redirect("subscriptions:check_inbox")


def ask(form: SubscribeForm, *, how: str) -> None:
    """Hand what a valid form holds to the one service behind every door, and ring for its mail."""
    with transaction.atomic():
        notice_id = request_subscription(
            address=form.cleaned_data["email"], preferences=form.preferences(), how=how, now=timezone.now()
        )
        if notice_id:
            # The row is there; if the bell is not heard, the sweeper finds it within a minute.
            transaction.on_commit(lambda: send_notices.delay([notice_id]), robust=True)


def log_refusal(form: SubscribeForm) -> None:
    """Which fields were at fault, and nothing of what was in them."""
    logger.info("a sign-up was refused: %s", ", ".join(f"{name} is not valid" for name in form.errors))


@require_safe
def check_inbox(request: HttpRequest) -> HttpResponse:
    """What to do next."""
    return render(request, "subscriptions/check_inbox.html")


@require_safe
def volume(request: HttpRequest) -> JsonResponse:
    """How many papers a day a choice of topics stands for: the form's script asks while boxes are ticked."""
    slugs = request.GET.getlist("topics")[:500]
    found = recent_volume(now=timezone.now())
    return JsonResponse({"per_day": found.per_day(slugs), "text": papers_a_day(found, slugs)})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept, what for, for how long, and what readers may ask."""
    return render(
        request,
        "subscriptions/privacy.html",
        {"consent_words": SubscribeForm.consent_words(), "reply_to": settings.REPLY_TO},
    )


def _preview(request: HttpRequest, form: SubscribeForm) -> HttpResponse:
    """The same form, with what was typed, before the address is asked for."""
    form.full_clean()
    if not form.data.get("email"):
        form.errors.pop("email", None)
    return _show(request, form)


def _show(request: HttpRequest, form: SubscribeForm, *, status: int = 200) -> HttpResponse:
    return render(request, "subscriptions/subscribe.html", {"form": form}, status=status)

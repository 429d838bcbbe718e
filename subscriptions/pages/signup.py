"""The form, in all its places, and what comes after it. What it answers is the same whether or not we know the
address."""

import logging
import re
import time
from dataclasses import replace
from math import ceil

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, get_language_from_request
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from papers.models import Topic
from papers.volume import recent_volume
from subscriptions.doors import knock
from subscriptions.fields import shown_list
from subscriptions.forms import SubscribeForm, default_preferences, initial_of
from subscriptions.guard import Admission, Admitted, TooMany, TooOften, Trapped, Unwelcome, asks_for_proof
from subscriptions.pages.links import logged
from subscriptions.proof import new_challenge
from subscriptions.signup import request_subscription
from subscriptions.stamps import new_stamp
from subscriptions.words import papers_a_day

logger = logging.getLogger(__name__)

# So many authors a link to the form may name.
MOST_LINKED = 10
_STAMP = re.compile(rb'name="stamp" value="[^"]*"')
# By language: when it was made, and the page.
_blank_pages: dict[str, tuple[float, bytes]] = {}


# The check protects what a visitor's cookies allow: a sign-up needs none, and does nothing before the address's owner
# says yes. So the box can stand on pages that caches share.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def subscribe(request: HttpRequest) -> HttpResponse:
    """The whole form. With `preview` among what is sent, nothing is kept: it comes back with what the choice means."""
    if request.method != "POST":
        if not request.GET:
            return _show_blank(request)
        # Topics and authors may stand in a link to the form: they say what a page is about, not who follows it.
        topics = Topic.objects.active().filter(slug__in=request.GET.getlist("topics"))
        authors = shown_list(request.GET.getlist("authors")[:MOST_LINKED])
        initial = {**initial_of(default_preferences()), "topics": [topic.slug for topic in topics], "authors": authors}
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
    match ask(request, form, how=how):
        case Admitted(wait=wait):
            page, minutes = reverse("subscriptions:check_inbox"), ceil(wait.total_seconds() / 60)
            return redirect(f"{page}?minutes={minutes}" if wait else page)
        case Trapped():
            return redirect("subscriptions:check_inbox")
        case Unwelcome(reason=reason):
            form.add_error("email", reason)
            return logged(_show(request, form, status=422))
        case TooOften(seconds=seconds) | TooMany(seconds=seconds) as busy:
            status = 429 if isinstance(busy, TooOften) else 503
            context = {"minutes": max(1, ceil(seconds / 60)), "is_network": status == 429}
            response = render(request, "subscriptions/busy.html", context, status=status)
            response["Retry-After"] = str(max(1, ceil(seconds)))
            return logged(response)


def ask(request: HttpRequest, form: SubscribeForm, *, how: str) -> Admission:
    """Take what a valid form holds past the guard to the one service behind every door."""
    chosen, preferences = form.cleaned_data, form.preferences()
    if not preferences.language:
        # What the browser asks for, as far as mails can be written in it.
        preferences = replace(preferences, language=get_language_from_request(request))
    return knock(
        request,
        address=chosen["email"],
        stamp=chosen["stamp"],
        proof=chosen["altcha"],
        is_trap_sprung=form.is_trap_sprung,
        ask=lambda: request_subscription(address=chosen["email"], preferences=preferences, how=how, now=timezone.now()),
    )


def log_refusal(form: SubscribeForm) -> None:
    """Which fields were at fault, and nothing of what was in them."""
    logger.info("a sign-up was refused: %s", ", ".join(f"{name} is not valid" for name in form.errors))


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


def _show_blank(request: HttpRequest) -> HttpResponse:
    """The form as it is for everybody of this language, but for its stamp: writing out all topics takes longer than all
    else on the site together, and this is the page that everybody needs."""
    language = get_language() or ""
    kept, now = _blank_pages.get(language), time.monotonic()
    if kept is None or now - kept[0] >= settings.PAGE_CACHE_SECONDS:
        made = _show(request, SubscribeForm(initial=initial_of(default_preferences())))
        kept = _blank_pages[language] = (now, made.content)
    stamp = f'name="stamp" value="{new_stamp()}"'.encode()
    return HttpResponse(_STAMP.sub(lambda _: stamp, kept[1], count=1))


def forget() -> None:
    """Make the blank form anew for whoever asks next: for tests, and for the shell."""
    _blank_pages.clear()


def _show(request: HttpRequest, form: SubscribeForm, *, status: int = 200) -> HttpResponse:
    return render(request, "subscriptions/subscribe.html", {"form": form}, status=status)

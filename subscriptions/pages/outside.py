"""Doors for other people's sites and programs: a form to paste into a page, one to put into a frame, and JSON.

They are exempt from the CSRF check, which protects what a visitor's cookies allow: a sign-up needs none, and does
nothing before the address's owner says yes.
"""

import json
from math import ceil
from typing import Any

from csp.decorators import csp_replace
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.shortcuts import render
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from papers.models import Topic
from subscriptions.fields import shown_list
from subscriptions.forms import SubscribeForm
from subscriptions.guard import Admitted, TooMany, TooOften, Trapped, Unwelcome
from subscriptions.pages.links import logged
from subscriptions.pages.signup import ask, log_refusal, take
from subscriptions.stamps import new_stamp

_LISTS = ("authors", "mute_words", "seeds")


@require_safe
def embed(request: HttpRequest) -> HttpResponse:
    """How to put the form on another site: a snippet for the topics chosen here, and what it looks like."""
    form = SubscribeForm(data=MultiValueDict({"topics": request.GET.getlist("topics")}))
    topics = Topic.objects.active().filter(slug__in=request.GET.getlist("topics"))
    context = {"form": form, "topics": topics, "site_url": settings.SITE_URL}
    return render(request, "subscriptions/embed.html", context)


@csp_replace({"frame-ancestors": ["*"]})
@xframe_options_exempt
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def embedded(request: HttpRequest) -> HttpResponse:
    """The small form, to be shown in a frame; and what it and the pasted one send their visitors' addresses to."""
    if request.method != "POST":
        topics = Topic.objects.active().filter(slug__in=request.GET.getlist("topics"))
        return render(
            request,
            "subscriptions/embedded.html",
            {"topics": topics, "consent_words": SubscribeForm.consent_words(), "stamp": new_stamp()},
        )
    return take(request, SubscribeForm(request.POST), how="embedded form")


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def api(request: HttpRequest) -> HttpResponse:
    """Sign-up as JSON, with the names of the form's fields; lists may be lists. 202: look into your inbox."""
    if request.method == "OPTIONS":
        return _open_to_all(HttpResponse(status=204))
    if request.content_type != "application/json":
        return _refusal({"": [gettext("Please send application/json.")]}, status=415)
    try:
        sent = json.loads(request.body)
    except (ValueError, RecursionError, RawPostDataException, UnreadablePostError):
        return _refusal({"": [gettext("This is no JSON.")]}, status=400)
    if not isinstance(sent, dict):
        return _refusal({"": [gettext("Please send one JSON object.")]}, status=400)
    form = SubscribeForm(data=_as_form_data(sent))
    if not form.is_valid():
        log_refusal(form)
        errors = {name: [str(word) for word in words] for name, words in form.errors.items()}
        return _refusal(errors, status=422)
    match ask(request, form, how="JSON"):
        case Admitted(wait=wait):
            return _taken(wait_seconds=wait.total_seconds())
        case Trapped():
            return _taken(wait_seconds=0)
        case Unwelcome(reason=reason):
            return _refusal({"email": [reason]}, status=422)
        case TooOften(seconds=seconds) | TooMany(seconds=seconds) as busy:
            if isinstance(busy, TooOften):
                words, status = gettext("Too many sign-ups just now. Please try again later."), 429
            else:
                words, status = gettext("Too many people just now. Please try again later."), 503
            response = _refusal({"": [words]}, status=status)
            response["Retry-After"] = str(max(1, ceil(seconds)))
            return response


def _taken(*, wait_seconds: float) -> HttpResponse:
    """The mail leaves within so many seconds: at once, as a rule."""
    return _open_to_all(JsonResponse({"status": "check_inbox", "wait_seconds": ceil(wait_seconds)}, status=202))


def _as_form_data(sent: dict[str, Any]) -> MultiValueDict[str, Any]:
    """JSON as a browser would have sent it. What is null counts as not sent."""
    data: MultiValueDict[str, Any] = MultiValueDict()
    for name, value in sent.items():
        if name in _LISTS and isinstance(value, list):
            data[name] = shown_list(map(str, value))
        elif isinstance(value, list):
            data.setlist(name, [str(item) for item in value])
        elif value is not None and value is not False:
            data[name] = "on" if value is True else str(value)
    return data


def _refusal(errors: dict[str, list[str]], *, status: int) -> HttpResponse:
    return _open_to_all(logged(JsonResponse({"status": "refused", "errors": errors}, status=status)))


def _open_to_all(response: HttpResponse) -> HttpResponse:
    """Pages of other sites may ask, and read the answer: it says nothing about anybody."""
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Headers"] = "Content-Type"
    response["Access-Control-Allow-Methods"] = "POST"
    return response

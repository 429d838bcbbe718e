"""What every public page has around its contents: the box to subscribe by, its one address, and a picture of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from papers.models import Topic
from subscriptions.forms import SubscribeForm


def show(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    *,
    path: str = "",
    card: str = "",
    status: int = 200,
    is_listed: bool = True,
    topics: Iterable[Topic] = (),
    author: str = "",
) -> HttpResponse:
    """The page. `path` is where it is at home, without what only pages through it; `card` the path of its picture.

    What search engines shall not list says so. The box subscribes to `topics`, and follows `author`.
    """
    framed = {
        "form": SubscribeForm(),
        "box_topics": list(topics),
        "box_author": author,
        "canonical": f"{settings.SITE_URL}{path or request.path}",
        "card_picture": f"{settings.SITE_URL}{card or reverse('site:card')}",
        "is_listed": is_listed and status == 200,
    }
    return render(request, template, {**framed, **context}, status=status)

"""Submitting a paper: type what it is; what is known is pointed out, the rest is fetched by the worker."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from papers.paper_ids import public_id
from subscriptions.models import Subscriber
from subscriptions.pages.links import done, logged
from subscriptions.pages.readers import for_readers
from subscriptions.submissions import KnownPaperError, NotSubmittedError, submit_paper
from subscriptions.tasks import read_submissions


@for_readers
def submit(request: HttpRequest, reader: Subscriber) -> HttpResponse:
    """The form, and what came of it."""
    if request.method != "POST":
        return render(request, "subscriptions/submit.html", {"typed": ""})
    typed = request.POST.get("paper", "")[:600]
    try:
        submission = submit_paper(subscriber=reader, text=typed, now=timezone.now())
    except KnownPaperError as known:
        context = {"typed": typed, "known": known.paper, "known_id": public_id(known.paper.key)}
        return render(request, "subscriptions/submit.html", context)
    except NotSubmittedError as error:
        response = render(request, "subscriptions/submit.html", {"typed": typed, "problem": str(error)}, status=422)
        return logged(response)
    transaction.on_commit(lambda: read_submissions.delay([submission.pk]), robust=True)
    return done(
        request,
        gettext("Thank you"),
        gettext(
            "We are fetching the paper now. The page with what you did here shows what we found, and a curator decides;"
            " a mail tells you how."
        ),
        url=reverse("subscriptions:me"),
        link_text=gettext("What you did here"),
    )

"""The pages where readers vote, see what they did, choose the name they go by, and claim what they wrote."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from limits.buckets import Rate, take
from papers.models import Paper
from papers.paper_ids import find_paper, public_id
from subscriptions.addresses import mask_address
from subscriptions.community import (
    NameTakenError,
    cast_vote,
    claim_paper,
    credits_of,
    drop_name,
    take_back_vote,
    take_name,
)
from subscriptions.display_names import BadNameError, tidy_name
from subscriptions.models import AuthorClaim, ReaderProfile, Subscriber, Vote
from subscriptions.pages.links import done, logged
from subscriptions.pages.readers import comes_from_here, for_readers

# Nobody reads more than that in a day.
VOTES = Rate(per_second=300 / 86_400, burst=100)
CLAIMS = Rate(per_second=20 / 86_400, burst=20)
SHOWN = 200


@for_readers
def me(request: HttpRequest, reader: Subscriber) -> HttpResponse:
    """What a reader did here."""
    return _show_me(request, reader)


@for_readers
def name(request: HttpRequest, reader: Subscriber) -> HttpResponse:
    """Choose a name to go by, or none."""
    if request.method != "POST":
        return redirect("subscriptions:me")
    typed = request.POST.get("name", "")
    if not typed.strip():
        drop_name(subscriber=reader)
        return redirect("subscriptions:me")
    try:
        take_name(subscriber=reader, name=tidy_name(typed[:400], site_name=settings.SITE_NAME), now=timezone.now())
    except BadNameError as error:
        return logged(_show_me(request, reader, typed=typed[:400], problem=str(error), status=422))
    except NameTakenError:
        problem = gettext("Another reader goes by this name, or by one that looks the same.")
        return logged(_show_me(request, reader, typed=typed[:400], problem=problem, status=422))
    return redirect("subscriptions:me")


@csrf_exempt
def vote(request: HttpRequest, paper_id: str) -> HttpResponse:
    """The page of one's own vote. A form on a shared page comes without a token: the browser's word on where it came
    from is asked for instead, and where it gives none, the page with its own button is shown."""
    if request.method == "POST" and not comes_from_here(request):
        if "csrfmiddlewaretoken" in request.POST:
            return _vote_with_token(request, paper_id)
        return redirect("subscriptions:vote", paper_id=paper_id)
    return _vote(request, paper_id)


@for_readers
def claim(request: HttpRequest, reader: Subscriber, paper_id: str) -> HttpResponse:
    """Say which author of a paper one is; a curator has the last word."""
    paper = _paper(paper_id)
    held = AuthorClaim.objects.filter(subscriber=reader, paper=paper).first()
    context = {"paper": paper, "paper_id": public_id(paper.key), "claim": held, "authors": paper.authors[:1000]}
    if request.method != "POST" or held:
        return render(request, "subscriptions/claim.html", context)
    author = request.POST.get("author", "")
    if author not in paper.authors or not take(f"reader:claim:{reader.public_id}", rate=CLAIMS).count:
        problem = (
            gettext("Please choose your name from the list.")
            if author not in paper.authors
            else gettext("Please come back later.")
        )
        return logged(render(request, "subscriptions/claim.html", {**context, "problem": problem}, status=422))
    claim_paper(subscriber=reader, paper=paper, author=author, now=timezone.now())
    return done(
        request,
        gettext("Thank you"),
        gettext("A curator looks at it. Once they agree, the paper shows that its author reads here."),
        url=reverse("subscriptions:me"),
        link_text=gettext("What you did here"),
    )


@for_readers
def _vote(request: HttpRequest, reader: Subscriber, paper_id: str) -> HttpResponse:
    paper = _paper(paper_id)
    if request.method != "POST":
        context = {
            "paper": paper,
            "paper_id": public_id(paper.key),
            "votes": credits_of([paper.pk]).votes.get(paper.pk, 0),
            "has_voted": Vote.objects.filter(subscriber=reader, paper=paper).exists(),
        }
        return render(request, "subscriptions/vote.html", context)
    if "take_back" in request.POST:
        take_back_vote(subscriber=reader, paper=paper)
    elif take(f"reader:vote:{reader.public_id}", rate=VOTES).count:
        cast_vote(subscriber=reader, paper=paper, now=timezone.now())
    else:
        return done(
            request,
            gettext("So many votes"),
            gettext("You have voted for very many papers today. Please come back tomorrow."),
        )
    return redirect("subscriptions:vote", paper_id=public_id(paper.key))


_vote_with_token = csrf_protect(_vote)


def _paper(paper_id: str) -> Paper:
    paper = find_paper(paper_id)
    if paper is None or paper.withdrawn_at:
        raise Http404("There is no such paper.")
    return paper


def _show_me(
    request: HttpRequest, reader: Subscriber, *, typed: str = "", problem: str = "", status: int = 200
) -> HttpResponse:
    profile = ReaderProfile.objects.filter(subscriber=reader).first()
    votes = reader.votes.select_related("paper")[:SHOWN]
    context = {
        "address": mask_address(reader.email),
        "name": typed or (profile.name if profile else ""),
        "problem": problem,
        "votes": [(vote.paper, public_id(vote.paper.key)) for vote in votes],
        "submissions": reader.submissions.select_related("paper")[:50],
        "claims": reader.claims.select_related("paper")[:50],
    }
    return render(request, "subscriptions/me.html", context, status=status)

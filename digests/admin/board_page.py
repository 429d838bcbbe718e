"""The send board of an edition: its live books and what can be done about them."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from digests import curation, editions
from digests.delivering import send_again
from digests.models import Delivery, Edition, EditionState
from digests.send_board import COLUMNS, of_cause, read_board
from subscriptions.outgoing import OutgoingState, take_as_sent

_MOVES = {"pause": editions.pause, "resume": editions.resume, "cancel": editions.cancel}


def board_page(
    request: HttpRequest, edition: Edition, *, context: dict[str, Any], may_move: bool, may_settle: bool
) -> HttpResponse:
    """Look, or press one of the buttons. Each is safe to press twice."""
    if request.method == "POST":
        said = _press(request, edition, may_move=may_move, may_settle=may_settle)
        messages.info(request, said)
        return HttpResponseRedirect(reverse("admin:digests_edition_board", args=[edition.pk]))
    now = timezone.now()
    board = read_board(edition, now=now)
    page = {
        **context,
        "title": f"How edition {edition} is going out",
        "is_nav_sidebar_enabled": False,
        "edition": edition,
        "original": edition,
        "board": board,
        "sum": [
            (state.label.partition(":")[0].partition(",")[0], count)
            for state, count in board.books.counts.items()
            if count
        ],
        "columns": list(COLUMNS),
        "now": now,
        "may_move": may_move,
        "may_settle": may_settle,
        "is_live": edition.state == EditionState.PUBLISHED and board.waiting > 0,
    }
    return TemplateResponse(request, "admin/digests/edition/board.html", page)


def _press(request: HttpRequest, edition: Edition, *, may_move: bool, may_settle: bool) -> str:
    act, by = request.POST.get("do", ""), request.user.get_username()
    if act in _MOVES:
        if not may_move:
            raise PermissionDenied
        moved = curation.move(edition, _MOVES[act], by=by, now=timezone.now())
        return f"The edition is {edition.state} now." if moved else f"Nothing changed: it is {edition.state}."
    if not may_settle:
        raise PermissionDenied
    cause = of_cause(edition, reason=request.POST.get("reason", ""), state=request.POST.get("state", ""))
    unknown = Delivery.objects.filter(edition=edition, state=OutgoingState.UNKNOWN)
    match act:
        case "retry":
            return f"{send_again(cause)} to be sent again within a minute."
        case "resend-unknown":
            return f"{send_again(unknown)} to be sent again within a minute."
        case "accept-unknown":
            return f"{take_as_sent(unknown)} taken as sent."
    return "Nothing changed."

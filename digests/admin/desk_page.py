"""The desk: today's edition on one page. Reads the form, calls one function, and shows the page again."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from digests import curation, editions
from digests.admin import submissions
from digests.admin.typed import MOST_LETTERS, Typed, field_name, read_sieve, read_typed, sieve_query
from digests.books import read_books
from digests.breaker import judge
from digests.curation import ClashError, LockedError, paper_of
from digests.desk import MOST_CANDIDATES, ORDERS, Desk, Row, Sieve, read_desk
from digests.markdown import to_html
from digests.models import DeskChange, Edition, EditionState
from digests.subjects import suggest_subjects
from papers.models import Paper
from subscriptions.bounce_reading import bounces_are_known
from subscriptions.outgoing import OutgoingState

SUBJECT_PICKS = 8
_MOVES: dict[str, tuple[Callable[[Edition, dt.datetime], bool], str]] = {
    "publish": (lambda edition, now: editions.publish(edition, now=now), "published"),
    "hold": (lambda edition, now: editions.hold(edition), "held: it does not publish itself"),
    "release": (lambda edition, now: editions.release(edition), "released: it publishes itself at the cut-off"),
    "pause": (lambda edition, now: editions.pause(edition), "paused: nothing of it is handed over"),
    "resume": (lambda edition, now: editions.resume(edition), "resumed"),
}


def show_desk(
    request: HttpRequest,
    edition: Edition,
    *,
    context: dict[str, Any],
    may_change: bool,
    typed: Typed | None = None,
    sieve: Sieve | None = None,
) -> HttpResponse:
    """The page. With `typed`, what could not be saved stands in it as it was typed, beside what is wrong with it."""
    sieve = sieve or read_sieve(request.GET)
    desk = read_desk(edition, sieve)
    if typed:
        _put_back(desk, typed)
    now = timezone.now()
    page = {
        **context,
        "title": f"Edition of {edition.date:%A, %d %B %Y}",
        "is_nav_sidebar_enabled": False,
        "desk": desk,
        "edition": edition,
        "original": edition,
        "state": EditionState(edition.state),
        "sieve": sieve,
        "orders": ORDERS,
        "most": MOST_CANDIDATES,
        "limits": MOST_LETTERS,
        "version": typed.version if typed else edition.version,
        "problems": typed.problems if typed else (),
        "may_change": may_change and edition.state not in curation.LOCKED_STATES,
        "until_cutoff": edition.cutoff_at if edition.cutoff_at > now else None,
        "intro_html": to_html(edition.intro),
        "suggestions": _suggestions(desk),
        "undoable": curation.last_change(edition.pk),
        "submissions": submissions.waiting(),
        "may_decide": may_change and request.user.has_perm(submissions.RIGHT),
        "trail": [_step(change) for change in desk.changes],
        "books": books_in_words(edition),
        "bounces": bounces_in_words(edition),
    }
    status = 422 if typed else 200
    return TemplateResponse(request, "admin/digests/edition/desk.html", page, status=status)


def save_desk(
    request: HttpRequest, edition: Edition, *, context: dict[str, Any], note_down: Callable[[str], object]
) -> HttpResponse:
    """Save what was typed, then do what the button says. Nothing typed is lost, whatever comes of it."""
    typed, sieve, now = read_typed(request.POST), read_sieve(request.POST), timezone.now()
    by = request.user.get_username()
    if typed.problems:
        return show_desk(request, edition, context=context, may_change=True, typed=typed, sieve=sieve)
    try:
        done = curation.change(edition.pk, typed.wanted, version=typed.version, by=by, now=now)
    except LockedError as error:
        raise PermissionDenied(str(error)) from error
    except ClashError as error:
        return show_clash(request, edition, error, context=context)
    if done.keys:
        said = curation.describe({key: value for key, value in typed.wanted.items() if key in done.keys})
        note_down(said)
        messages.success(request, f"Saved: {said}.")
    if done.others:
        messages.info(request, f"{' and '.join(done.others)} changed other things meanwhile; all of it is kept.")
    edition.refresh_from_db()
    if typed.act in _MOVES:
        _move(request, edition, typed.act, by=by, now=now, note_down=note_down)
    elif typed.act in submissions.ACTS:
        if said := submissions.decide(request, typed.act, typed.paper_id, now=now):
            note_down(said)
    elif typed.act == "undo":
        _undo(request, edition, by=by, now=now, note_down=note_down)
    return HttpResponseRedirect(_next_page(edition, typed, sieve))


def show_clash(request: HttpRequest, edition: Edition, error: ClashError, *, context: dict[str, Any]) -> HttpResponse:
    """Two changed the same: both texts side by side, to choose from. Nothing was written, and nothing typed is lost."""
    edition.refresh_from_db()
    ids = {pk for clash in error.clashes if (pk := paper_of(clash.key)) is not None}
    ids |= {pk for clash in error.clashes if clash.key == curation.ORDER for pk in [*clash.mine, *clash.theirs]}
    titles = dict(Paper.objects.filter(pk__in=ids).values_list("pk", "title"))
    clashes = [
        {
            "name": field_name(clash.key),
            "is_order": clash.key == curation.ORDER,
            "is_choice": clash.key.startswith("choice:"),
            "words": curation.in_words(clash.key, titles),
            "by": clash.by,
            "before": _as_read(clash.before, titles),
            "theirs": _as_read(clash.theirs, titles),
            "mine": clash.mine if clash.key == curation.ORDER else str(clash.mine),
            "mine_read": _as_read(clash.mine, titles),
        }
        for clash in error.clashes
    ]
    rest = [(field_name(key), value) for key, value in error.rest.items() if key != curation.ORDER]
    page = {
        **context,
        "title": "Somebody else changed the same",
        "is_nav_sidebar_enabled": False,
        "edition": edition,
        "original": edition,
        "clashes": clashes,
        "rest": rest,
        "rest_order": error.rest.get(curation.ORDER, []),
    }
    return TemplateResponse(request, "admin/digests/edition/clash.html", page, status=409)


def books_in_words(edition: Edition) -> str:
    """The books of an edition in a sentence."""
    books = read_books(edition)
    if not books.audience:
        return "Nobody was due for this edition yet."
    parts = [f"{count} {OutgoingState(state).label.lower()}" for state, count in books.counts.items() if count]
    verdict = "they balance" if books.balances else "THEY DO NOT BALANCE"
    due = "1 reader was" if books.audience == 1 else f"{books.audience} readers were"
    return f"{due} due = {' + '.join(parts)}: {verdict}. Accepted is not yet delivered."


def bounces_in_words(edition: Edition) -> str:
    """How the edition's mail is taken, in a sentence."""
    if not bounces_are_known():
        return "Bounces are not known: nobody tells us of them. Set BOUNCE_ADDRESS, and where it is read, to know."
    found = judge(edition)
    if not found.sent:
        return "Nothing of it was sent within the last 90 days."
    return (
        f"Of {found.sent} that left, {found.hard_bounces} bounced for good ({found.hard_bounces / found.sent:.1%})"
        f" and {found.complaints} were marked as spam ({found.complaints / found.sent:.2%}), as far as we know."
    )


def desk_edition(now: dt.datetime) -> Edition | None:
    """The edition that a curator works at now: the next to be published, else the last that was."""
    waiting = Q(state__in=[EditionState.DRAFT, EditionState.HELD], date__gte=editions.local_date(now))
    return Edition.objects.filter(waiting).order_by("date").first() or Edition.objects.shown().first()


def _move(
    request: HttpRequest,
    edition: Edition,
    act: str,
    *,
    by: str,
    now: dt.datetime,
    note_down: Callable[[str], object],
) -> None:
    step, said = _MOVES[act]
    if curation.move(edition, lambda row: step(row, now), by=by, now=now):
        note_down(f"{act}: the edition is {edition.state} now")
        messages.success(request, f"1 {said}.")
    else:
        messages.warning(request, f"Nothing changed: none could be {said.partition(':')[0]} in its state.")


def _undo(
    request: HttpRequest, edition: Edition, *, by: str, now: dt.datetime, note_down: Callable[[str], object]
) -> None:
    try:
        undone = curation.undo(edition.pk, by=by, now=now)
    except ClashError:
        messages.warning(request, "That cannot be taken back any more: it was changed once more since.")
        return
    except LockedError as error:
        messages.warning(request, str(error))
        return
    if undone is None:
        messages.warning(request, "There is nothing to take back.")
        return
    note_down(f"took back: {undone.what}")
    messages.success(request, f"Taken back: {undone.what} (by {undone.by}).")


def _next_page(edition: Edition, typed: Typed, sieve: Sieve) -> str:
    if typed.act == "correct" and typed.paper_id:
        return reverse("admin:digests_edition_correct", args=[edition.pk, typed.paper_id])
    if typed.act == "reach" and typed.paper_id:
        return reverse("admin:digests_edition_reach", args=[edition.pk, typed.paper_id])
    if typed.act == "preview":
        return reverse("admin:digests_edition_preview", args=[edition.pk])
    query = urlencode(sieve_query(sieve))
    return reverse("admin:digests_edition_change", args=[edition.pk]) + (f"?{query}" if query else "")


def _put_back(desk: Desk, typed: Typed) -> None:
    """Show what was typed, not what is stored; nothing of it is written."""
    for name in ("title", "subject", "intro"):
        setattr(desk.edition, name, typed.wanted.get(name, getattr(desk.edition, name)))
    for row in (*desk.picks, *desk.hidden):
        for name in ("note", "hidden_reason"):
            setattr(row.entry, name, typed.wanted.get(f"{name}:{row.paper.pk}", getattr(row.entry, name)))


def _suggestions(desk: Desk) -> list[str]:
    leading: list[Row] = list(desk.picks[:SUBJECT_PICKS] or desk.candidates[:1])
    found = suggest_subjects([row.paper.title for row in leading], [row.topics for row in leading])
    return [line for line in found if line != desk.edition.subject]


def _step(change: DeskChange) -> dict[str, Any]:
    ids = [pk for key in change.after if (pk := paper_of(key)) is not None]
    texts = [
        {"key": curation.in_words(key, {}), "before": change.before.get(key), "after": change.after[key]}
        for key in change.after
        if key in curation.EDITION_KEYS or key.partition(":")[0] in {"note", "hidden_reason"}
    ]
    return {"change": change, "texts": texts, "is_undone": hasattr(change, "undone_by"), "papers": len(set(ids))}


def _as_read(value: Any, titles: dict[int, str]) -> str:
    if isinstance(value, list):
        return "\n".join(f"{number}. {titles.get(pk, pk)}" for number, pk in enumerate(value, start=1))
    return str(value)

"""What curators do to an edition: every change is one step with a version, written down, and can be taken back.

A change is a mapping of keys to values: `title`, `subject` and `intro` of the edition, `order` (the ids of the picked
papers, first to last), and of each paper `choice:7`, `note:7` and `hidden_reason:7`. Whoever changes something names
the version they saw. Where others changed other things meanwhile, both stand; where they changed the very same, nothing
is written, and both are told apart. So two curators at once never overwrite each other silently.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from digests import editions
from digests.models import Choice, DeskChange, Edition, EditionPaper, EditionState
from papers.models import Paper

Values = Mapping[str, Any]

EDITION_KEYS = ("title", "subject", "intro")
PAPER_KEYS = ("choice", "note", "hidden_reason")
ORDER = "order"
STATE = "state"
LOCKED_STATES = frozenset({EditionState.CANCELLED, EditionState.CLOSED})
# The moves that can be taken back: the others let mail leave, or end the edition.
_OPPOSITES: dict[tuple[str, str], Callable[[Edition], bool]] = {
    (EditionState.HELD, EditionState.DRAFT): editions.release,
    (EditionState.DRAFT, EditionState.HELD): editions.hold,
    (EditionState.PAUSED, EditionState.PUBLISHED): editions.resume,
    (EditionState.PUBLISHED, EditionState.PAUSED): editions.pause,
}
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Clash:
    """Two curators changed the same: what it was when the second looked, what the first made of it, and by whom."""

    key: str
    before: Any
    theirs: Any
    mine: Any
    by: str


class ClashError(Exception):
    """Nothing was written: what is wanted was changed by somebody else meanwhile. `rest` is what was wanted besides,
    and stands in nobody's way."""

    def __init__(self, clashes: Sequence[Clash], rest: Values) -> None:
        super().__init__(", ".join(clash.key for clash in clashes))
        self.clashes = tuple(clashes)
        self.rest = dict(rest)


class LockedError(Exception):
    """The edition is over: nothing changes in it any more."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a change came to: the edition's version now, the keys that were written, and who else changed something."""

    version: int
    keys: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def change(
    edition_id: int,
    wanted: Values,
    *,
    version: int,
    by: str,
    now: dt.datetime,
    what: str = "",
    undoes: int | None = None,
) -> Changed:
    """Write what is wanted, as seen from `version` of the edition. Nothing to change writes nothing. Safe to run twice.

    Raises ClashError where somebody changed the same meanwhile, LockedError where the edition is over, and
    Edition.DoesNotExist. An edition that was published gets a new revision: readers still due get what it is now.
    """
    for _ in range(_TRIES):
        seen = Edition.objects.values_list("version", flat=True).get(pk=edition_id)
        since = list(DeskChange.objects.filter(edition_id=edition_id, version__gt=version).order_by("version"))
        current = read_values(edition_id, wanted)
        changes = _without_untouched(wanted, current, since)
        others = tuple(dict.fromkeys(other.by for other in since if other.by != by))
        if not changes:
            return Changed(seen, others=others)
        if _write(edition_id, changes, current, seen, DeskChange(by=by, at=now, what=what, undoes_id=undoes)):
            return Changed(seen + 1, tuple(key for key in changes if key in wanted), others)
    raise ClashError([], changes)


def undo(edition_id: int, *, by: str, now: dt.datetime) -> DeskChange | None:
    """Take back the last change that was not taken back yet, whoever made it; None where there is none to take back.

    What was changed once more since stays as it is now: raises ClashError.
    """
    last = last_change(edition_id)
    if last is None:
        return None
    what = f"took back: {last.what}"[:200]
    if STATE in last.before:
        back = _OPPOSITES.get((last.after[STATE], last.before[STATE]))
        edition = Edition.objects.get(pk=edition_id)
        return last if back and move(edition, back, by=by, now=now, what=what, undoes=last.pk) else None
    change(edition_id, last.before, version=last.version, by=by, now=now, what=what, undoes=last.pk)
    return last


def last_change(edition_id: int) -> DeskChange | None:
    """The change that `undo` would take back."""
    changes = DeskChange.objects.filter(edition_id=edition_id, undoes__isnull=True, undone_by__isnull=True)
    last = changes.order_by("-version").first()
    if last and STATE in last.before and (last.after[STATE], last.before[STATE]) not in _OPPOSITES:
        return None
    return last


def move(
    edition: Edition,
    step: Callable[[Edition], bool],
    *,
    by: str,
    now: dt.datetime,
    what: str = "",
    undoes: int | None = None,
) -> bool:
    """Move the edition into another state by one of the steps of `digests.editions`, and write down who did it. True
    where this call did it."""
    with transaction.atomic():
        before = Edition.objects.values_list("state", flat=True).get(pk=edition.pk)
        if not step(edition):
            return False
        Edition.objects.filter(pk=edition.pk).update(version=F("version") + 1)
        edition.refresh_from_db()
        DeskChange.objects.create(
            edition=edition,
            version=edition.version,
            at=now,
            by=by,
            what=what or edition.state,
            before={STATE: before},
            after={STATE: edition.state},
            undoes_id=undoes,
        )
    return True


def read_values(edition_id: int, keys: Iterable[str]) -> dict[str, Any]:
    """What stands under these keys now; a paper that is not in the edition has none."""
    keys = set(keys)
    found: dict[str, Any] = {}
    own = [key for key in EDITION_KEYS if key in keys]
    if own:
        found |= dict(Edition.objects.values(*own).get(pk=edition_id))
    paper_ids = {pk for key in keys if (pk := paper_of(key)) is not None}
    if paper_ids:
        rows = EditionPaper.objects.filter(edition_id=edition_id, paper_id__in=paper_ids)
        for row in rows.values("paper_id", *PAPER_KEYS):
            found |= {key: row[name] for name in PAPER_KEYS if (key := f"{name}:{row['paper_id']}") in keys}
    if ORDER in keys:
        found[ORDER] = picked_ids(edition_id)
    return found


def picked_ids(edition_id: int) -> list[int]:
    """The papers that are picked, in their order."""
    picks = EditionPaper.objects.filter(edition_id=edition_id, choice=Choice.PICK)
    return list(picks.order_by("position", "id").values_list("paper_id", flat=True))


def paper_of(key: str) -> int | None:
    """The paper that a key is about."""
    name, _, number = key.partition(":")
    return int(number) if name in PAPER_KEYS and number.isdecimal() else None


def in_words(key: str, titles: Mapping[int, str]) -> str:
    """A key as people say it."""
    paper_id = paper_of(key)
    if paper_id is None:
        return {"intro": "the introduction", "subject": "the subject line", ORDER: "the order"}.get(key, f"the {key}")
    name = {"choice": "the choice", "note": "the note", "hidden_reason": "why it is hidden"}[key.partition(":")[0]]
    return f"{name} on «{titles.get(paper_id, paper_id)}»"


def _without_untouched(wanted: Values, current: Values, since: Sequence[DeskChange]) -> dict[str, Any]:
    """What is to be written: without what stands there already, or was not touched by whoever wants it. Raises
    ClashError for what they touched and somebody else did, too."""
    changes: dict[str, Any] = {}
    clashes = []
    for key, mine in wanted.items():
        if key not in current or mine == current[key]:
            continue
        first = next((other for other in since if key in other.before), None)
        before = first.before[key] if first else current[key]
        if not _is_touched(key, mine, before):
            continue
        if first and _is_touched(key, current[key], before):
            last = next(other for other in reversed(since) if key in other.after)
            clashes.append(Clash(key, before, current[key], mine, last.by))
            continue
        changes[key] = mine
    if clashes:
        raise ClashError(clashes, changes)
    return changes


def _is_touched(key: str, after: Any, before: Any) -> bool:
    """Whether somebody changed this themselves. Of the order only that of papers in both lists is theirs: others were
    picked, or are no picks any more, which has a key of its own."""
    if key != ORDER:
        return bool(after != before)
    return [pk for pk in after if pk in before] != [pk for pk in before if pk in after]


def _write(edition_id: int, changes: dict[str, Any], current: Values, seen: int, record: DeskChange) -> bool:
    """Write it where the edition is still at the version seen; the check is in the UPDATE."""
    own = {key: changes[key] for key in EDITION_KEYS if key in changes}
    with transaction.atomic():
        is_open = Edition.objects.filter(pk=edition_id, version=seen).exclude(state__in=LOCKED_STATES)
        if not is_open.update(version=F("version") + 1, **own):
            edition = Edition.objects.get(pk=edition_id)
            if edition.state in LOCKED_STATES:
                raise LockedError(f"The edition is {edition.state}: nothing changes in it any more.")
            return False
        before = {key: current[key] for key in changes}
        picks_before = picked_ids(edition_id)
        _write_papers(edition_id, changes)
        _write_order(edition_id, changes.get(ORDER))
        picks_after = picked_ids(edition_id)
        if ORDER in changes or picks_before != picks_after:
            before[ORDER], changes[ORDER] = picks_before, picks_after
        record.edition_id, record.version = edition_id, seen + 1
        record.before, record.after = before, changes
        record.what = record.what or describe(changes)
        record.save()
        editions.amend(Edition.objects.get(pk=edition_id))
    return True


def _write_papers(edition_id: int, changes: Values) -> None:
    by_paper: dict[int, dict[str, Any]] = {}
    for key, value in changes.items():
        paper_id = paper_of(key)
        if paper_id is not None:
            by_paper.setdefault(paper_id, {})[key.partition(":")[0]] = value
    last = len(picked_ids(edition_id))
    for paper_id, values in by_paper.items():
        if values.get("choice") == Choice.PICK:
            # Behind the others, until somebody moves it.
            values["position"] = last = last + 1
        EditionPaper.objects.filter(edition_id=edition_id, paper_id=paper_id).update(**values)


def _write_order(edition_id: int, order: Sequence[int] | None) -> None:
    """Number the picks anew: in the order wanted, those it does not name behind them."""
    picks = picked_ids(edition_id)
    if order is not None:
        place = {pk: number for number, pk in enumerate(order)}
        picks.sort(key=lambda pk: place.get(pk, len(place)))
    rows = {row.paper_id: row for row in EditionPaper.objects.filter(edition_id=edition_id, choice=Choice.PICK)}
    moved = []
    for number, pk in enumerate(picks):
        if rows[pk].position != number:
            rows[pk].position = number
            moved.append(rows[pk])
    EditionPaper.objects.bulk_update(moved, ["position"])


def describe(changes: Values) -> str:
    """A change in a few words."""
    ids = [pk for key in changes if (pk := paper_of(key)) is not None]
    titles = dict(Paper.objects.filter(pk__in=ids[:3]).values_list("pk", "title"))
    verbs = {Choice.PICK: "picked", Choice.HIDDEN: "hid", Choice.CANDIDATE: "put back"}
    words = []
    for key, value in changes.items():
        paper_id = paper_of(key)
        if key.startswith("choice:") and paper_id is not None:
            words.append(f"{verbs[Choice(value)]} «{titles.get(paper_id, paper_id)}»")
        elif key != ORDER or not any(other.startswith("choice:") for other in changes):
            words.append(f"changed {in_words(key, titles)}")
    return ", ".join(words)[:200]

"""Correcting a paper by hand: a title, an abstract, the authors. What was corrected survives every later fetch."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F

from papers.matching import current_matcher, match_changed
from papers.models import Paper
from papers.signals import papers_changed

CORRECTABLE = ("title", "abstract", "authors")


class StalePaperError(Exception):
    """The paper changed since it was looked at: nothing was written."""


def correct_paper(paper_id: int, values: Mapping[str, Any], *, revision: int) -> list[str]:
    """Write these texts by hand, over what the sources say. Returns the names of those that are new.

    `values` holds some of CORRECTABLE, in full. A text that is what the sources say anyway is no correction any more.
    Editions that may still be sent are made anew from it. Raises StalePaperError where the paper's revision is another
    than `revision`, the one that whoever corrects it was shown.
    """
    with transaction.atomic():
        # The lock of the row, and the check, in one statement.
        found = Paper.objects.filter(pk=paper_id, revision=revision).update(revision=F("revision") + 1)
        if not found:
            raise StalePaperError(f"paper {paper_id} is not at revision {revision} any more")
        paper = Paper.objects.get(pk=paper_id)
        changed = [name for name in CORRECTABLE if name in values and values[name] != getattr(paper, name)]
        if not changed:
            transaction.set_rollback(True)
            return []
        for name in changed:
            paper.corrections = corrections_after(paper, name, before=getattr(paper, name), after=values[name])
            setattr(paper, name, values[name])
        paper.save(update_fields=[*changed, "corrections"])
        row = {name: getattr(paper, name) for name in ("title", "abstract", "categories", "authors")}
        match_changed({paper_id: False}, rows={paper_id: row}, matcher=current_matcher())
        papers_changed.send(sender=Paper, paper_ids=[paper_id])
    return changed


def forget_corrections(paper_id: int, *, revision: int) -> list[str]:
    """Take what the sources say again, for all that was corrected. Raises StalePaperError as above."""
    theirs = Paper.objects.values_list("corrections", flat=True).get(pk=paper_id)
    return correct_paper(paper_id, theirs, revision=revision)


def corrections_after(paper: Paper, name: str, *, before: Any, after: Any) -> dict[str, Any]:
    """The paper's corrections once this text is `after`, where it was `before`."""
    rest = {key: text for key, text in paper.corrections.items() if key != name}
    theirs = paper.corrections.get(name, before)
    return rest if after == theirs else {**rest, name: theirs}

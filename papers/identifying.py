"""Finding, for the entries of a document, the paper we already have of each: by its key, its DOI, its title.

Reads the database; the rules are `papers.same_work`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.db.models import Q

from papers.changes import TextCleaner
from papers.entries import Entry
from papers.models import Paper
from papers.same_work import may_be_same

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Identities:
    """The entries, each under the key of the paper it belongs to, and the papers that turn out to be the same as one of
    those: pairs of that key and the other paper's id."""

    entries: tuple[Entry, ...]
    twins: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    key: str
    doi: str
    title_key: str
    stands_for: str  # the key of the paper it was merged into, or its own


def identify(entries: Sequence[Entry], *, cleaner: TextCleaner) -> Identities:
    """Give each entry the key of the paper we have of its work.

    A key we know is trusted. For one we do not know the DOI is looked up, then title and first author. Where a known
    paper names a DOI under which there is another, they are twins.
    """
    keys = {entry.key for entry in entries}
    known = {row.key: row for row in _rows(key__in=keys)}
    by_doi = _by_doi(entries)
    by_title = _by_title([entry for entry in entries if entry.key not in known], cleaner)
    found: list[Entry] = []
    twins: dict[int, str] = {}
    for entry in entries:
        own = known.get(entry.key)
        same_doi = _match(entry.key, by_doi.get(entry.doi, []) if entry.doi else [])
        if own:
            if same_doi and same_doi.stands_for != own.stands_for:
                twins[same_doi.id] = own.stands_for
            found.append(_under(entry, own.stands_for))
            continue
        twin = same_doi or _match(entry.key, by_title.get(cleaner.title_key(entry), []))
        # arXiv's own id is the better key; a paper first seen elsewhere is merged into it as soon as it is stored.
        if twin and entry.key.startswith("arxiv:"):
            twins[twin.id] = entry.key
            found.append(entry)
        else:
            found.append(_under(entry, twin.stands_for if twin else entry.key))
    return Identities(tuple(found), tuple((key, pk) for pk, key in twins.items()))


def _by_doi(entries: Iterable[Entry]) -> dict[str, list[_Row]]:
    dois = {entry.doi for entry in entries if entry.doi}
    rows: dict[str, list[_Row]] = {}
    for row in _rows(doi__in=dois):
        rows.setdefault(row.doi, []).append(row)
    return rows


def _by_title(entries: Iterable[Entry], cleaner: TextCleaner) -> dict[str, list[_Row]]:
    title_keys = {title_key for entry in entries if (title_key := cleaner.title_key(entry))}
    rows: dict[str, list[_Row]] = {}
    for row in _rows(title_key__in=title_keys):
        rows.setdefault(row.title_key, []).append(row)
    return rows


def _match(key: str, rows: Iterable[_Row]) -> _Row | None:
    """The oldest of these that may be the same work as the one under `key`."""
    return next((row for row in rows if may_be_same(key, row.key) and may_be_same(key, row.stands_for)), None)


def _under(entry: Entry, key: str) -> Entry:
    return entry if entry.key == key else replace(entry, key=key, seen_as=entry.key)


def _rows(**lookup: set[str]) -> list[_Row]:
    [(name, wanted)] = lookup.items()
    ordered = sorted(wanted)
    rows: list[_Row] = []
    for start in range(0, len(ordered), _CHUNK):
        papers = Paper.objects.filter(Q(**{name: ordered[start : start + _CHUNK]})).order_by("id")
        found = papers.values_list("id", "key", "doi", "title_key", "merged_into__key")
        rows += [_Row(pk, key, doi, title_key, survivor or key) for pk, key, doi, title_key, survivor in found]
    return rows

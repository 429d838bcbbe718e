"""Finding papers by their words, the same on both databases: full text behind one function.

Words count by how rare they are and where they stand: in the title most, then among the authors, then in the abstract
(BM25 on SQLite, cover density on PostgreSQL). Of a word that very many papers have, the newest some thousands are
looked at, a window at a time: ranking them all would take seconds, and nobody reads that far.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from django.db import connection
from django.db.models import Max, Min

from papers.models import Paper
from papers.search_index import category_word
from papers.search_query import SearchQuery, Term, folded, half_typed, tokens_of

# So many papers are ranked together.
WINDOW = 4000
# How much more a word says in the title and among the authors than in the abstract.
_TITLE, _AUTHORS, _ABSTRACT = 8.0, 4.0, 1.0
_EVERY_ID = 2**62
NO_WORD = "katnone"
Value: TypeAlias = int | str | float | list[int]


@dataclass(frozen=True, slots=True)
class Window:
    """The ids of the papers found in one window, the best first, and whether there are older ones."""

    ids: tuple[int, ...]
    has_more: bool


def find_papers(query: SearchQuery, *, window: int = WINDOW) -> Iterator[Window]:
    """The papers that fit, in windows from the newest stored to the oldest; nothing for a query that asks for nothing.

    Authors fit where all parts of the name stand among the paper's authors, in full or shortened; whoever asks holds
    the names against each other. Each window costs two queries, and is made only when it is asked for.
    """
    if not query.asks_for_something:
        return
    lowest, highest = _between(query)
    while lowest <= highest:
        ids = _newest(query, lowest, highest, most=window + 1)
        has_more = len(ids) > window
        ids = ids[:window]
        yield Window(tuple(_ranked(query, ids)), has_more)
        if not has_more:
            return
        highest = ids[-1] - 1


def _between(query: SearchQuery) -> tuple[int, int]:
    """Between which ids the papers of the wanted days are: they are stored about as they are announced."""
    if query.since is None and query.until is None:
        return 0, _EVERY_ID
    papers = Paper.objects.order_by()
    if query.since:
        papers = papers.filter(announced_date__gte=query.since)
    if query.until:
        papers = papers.filter(announced_date__lte=query.until)
    found = papers.aggregate(lowest=Min("id"), highest=Max("id"))
    return (found["lowest"], found["highest"]) if found["lowest"] is not None else (1, 0)


def _newest(query: SearchQuery, lowest: int, highest: int, *, most: int) -> list[int]:
    """The newest ids that fit, in falling order."""
    bound: list[Value] = [lowest, highest]
    has_days = bool(query.since or query.until)
    if has_days:
        bound += [str(query.since or "0001-01-01"), str(query.until or "9999-12-31")]
    asked = _asked(query)
    if not asked:
        return run_ids(_PAPERS + (_OF_DAYS if has_days else "") + _NEWEST, [*bound, most])
    if connection.vendor == "sqlite":
        return run_ids(_FTS5 + (_FTS5_OF_DAYS if has_days else "") + _FTS5_NEWEST, [asked, *bound, most])
    return run_ids(_PAPERS + (_OF_DAYS if has_days else "") + _TSQUERY + _NEWEST, [*bound, asked, most])


_PAPERS = "SELECT paper.id FROM papers_paper AS paper WHERE paper.id BETWEEN %s AND %s"
_OF_DAYS = " AND paper.announced_date BETWEEN %s AND %s"
_TSQUERY = " AND paper.search_words @@ to_tsquery('papers_words', %s)"
_NEWEST = " ORDER BY paper.id DESC LIMIT %s"
_FTS5 = "SELECT rowid FROM papers_search WHERE papers_search MATCH %s AND rowid BETWEEN %s AND %s"
_FTS5_OF_DAYS = """ AND EXISTS (SELECT 1 FROM papers_paper AS paper
    WHERE paper.id = papers_search.rowid AND paper.announced_date BETWEEN %s AND %s)"""
_FTS5_NEWEST = " ORDER BY rowid DESC LIMIT %s"


def _ranked(query: SearchQuery, ids: list[int]) -> list[int]:
    """These ids, the best first; those that are as good, the newest first."""
    if not ids or not (query.terms or query.authors):
        return ids
    if connection.vendor == "sqlite":
        sql = """SELECT rowid FROM papers_search WHERE papers_search MATCH %s AND rowid BETWEEN %s AND %s
            ORDER BY bm25(papers_search, %s, %s, %s, 0), rowid DESC"""
        wanted = set(ids)
        bound: list[Value] = [_as_fts5(query), ids[-1], ids[0], _TITLE, _AUTHORS, _ABSTRACT]
        return [found for found in run_ids(sql, bound) if found in wanted]
    # How well a paper fits is said by its words alone, not by the filters it has come through.
    asked = _as_tsquery(SearchQuery(terms=query.terms, authors=query.authors))
    sql = """SELECT paper.id FROM papers_paper AS paper WHERE paper.id = ANY(%s::bigint[])
        ORDER BY ts_rank_cd('{0, 0.125, 0.5, 1}', paper.search_words, to_tsquery('papers_words', %s), 1) DESC,
            paper.id DESC"""
    return run_ids(sql, [ids, asked])


def run_ids(sql: str, bound: Sequence[Value]) -> list[int]:
    """The first column of what this asks for."""
    with connection.cursor() as cursor:
        cursor.execute(sql, tuple(bound))
        return [row[0] for row in cursor.fetchall()]


# --- the query in each database's own language: nothing but letters and digits of what was typed gets there -----------


def _asked(query: SearchQuery) -> str:
    return _as_fts5(query) if connection.vendor == "sqlite" else _as_tsquery(query)


_WORDS = "{title authors abstract} : "


def _as_fts5(query: SearchQuery) -> str:
    """See https://sqlite.org/fts5.html, section 3."""
    wanted = [_WORDS + _fts5_phrase(term.tokens, term.is_beginning) for term in query.terms]
    for author in query.authors:
        wanted += [f"authors : ({' OR '.join(_fts5_phrase(*one) for one in ways)})" for ways in _name_parts(author)]
    if query.categories:
        wanted.append(f"marks : ({' OR '.join(_fts5_phrase(_marks(category)) for category in query.categories)})")
    if not wanted:
        return ""
    without = [_WORDS + _fts5_phrase(term.tokens) for term in query.without]
    return f"({' AND '.join(wanted)})" + (f" NOT ({' OR '.join(without)})" if without else "")


def _fts5_phrase(tokens: Sequence[str], is_beginning: bool = False) -> str:
    phrase = f'"{" ".join(tokens)}"{"*" if is_beginning else ""}'
    stems = half_typed(tokens[0]) if is_beginning and len(tokens) == 1 else ()
    return f"({' OR '.join([phrase, *map(_fts5_phrase, ([stem] for stem in stems))])})" if stems else phrase


def _as_tsquery(query: SearchQuery) -> str:
    """See https://www.postgresql.org/docs/current/datatype-textsearch.html; A is the title, B authors, C the text."""
    wanted = [_ts_phrase(term, where="ABC") for term in query.terms]
    for author in query.authors:
        wanted += [f"({' | '.join(_ts_phrase(Term(*one), where='B') for one in ways)})" for ways in _name_parts(author)]
    if query.categories:
        marks = [_ts_phrase(Term(_marks(category)), where="D") for category in query.categories]
        wanted.append(f"({' | '.join(marks)})")
    if not wanted:
        return ""
    without = [f"!({_ts_phrase(term, where='ABC')})" for term in query.without]
    return " & ".join([*wanted, *without])


def _ts_phrase(term: Term, *, where: str) -> str:
    tokens = [part for token in term.tokens for part in tokens_of(folded(token))] or [""]
    last = len(tokens) - 1
    words = [f"'{t}':{'*' if term.is_beginning and i == last else ''}{where}" for i, t in enumerate(tokens) if t]
    # What is left of nothing is a word that no paper has.
    if not words:
        return f"'{NO_WORD}'"
    stems = half_typed(tokens[0]) if term.is_beginning and len(tokens) == 1 else ()
    return f"({' | '.join([' <-> '.join(words), *(f'{stem!r}:{where}' for stem in stems)])})"


def _name_parts(author: str) -> Iterator[list[tuple[tuple[str], bool]]]:
    """For each part of a name the ways it may stand on a paper, each with whether more may follow: the last name as it
    is, a first name also shortened, and what is short already in full."""
    last, comma, first = author.partition(",")
    *given, surname = tokens_of(f"{first} {last}" if comma else author) or (NO_WORD,)
    for part in given:
        yield [((part,), True)] if len(part) == 1 else [((part,), False), ((part[0],), False)]
    yield [((surname,), False)]


def as_fts5_words(words: Sequence[str]) -> str:
    """Any of these words, for FTS5."""
    return " OR ".join(_WORDS + _fts5_phrase(tokens_of(word) or (NO_WORD,)) for word in words)


def as_tsquery_words(words: Sequence[str]) -> str:
    """Any of these words, for PostgreSQL."""
    return " | ".join(_ts_phrase(Term(tokens_of(word) or (NO_WORD,)), where="AC") for word in words)


def _marks(category: str) -> tuple[str, ...]:
    return tokens_of(category_word(category)) or (NO_WORD,)

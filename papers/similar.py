"""Papers that speak of the same things, by the index of full text: the rarest words of one are looked for in others.

How rare a word is shows in the newest papers; of its words those are taken that few of them have, and the
papers stored near it, some thousands before and after, are ranked by how many of these they share, and how rare.
"""

import re
from collections import Counter

from django.db import connection

from papers.models import Paper
from papers.search import as_fts5_words, as_tsquery_words, run_ids
from papers.search_query import folded, tokens_of

# Papers before and after it among which similar ones are looked for.
NEAR = 10_000
_SAMPLE = 3000
_LOOKED_AT, _TAKEN = 30, 14
# A word that more than this part of the papers has says nothing about one.
_TOO_COMMON = 0.15
_SHORTEST = 4
_LETTERS = re.compile(r"[^\W\d]+")
_FTS5 = """SELECT rowid FROM papers_search WHERE papers_search MATCH %s AND rowid BETWEEN %s AND %s
    ORDER BY bm25(papers_search, 4, 0, 1, 0), rowid DESC LIMIT %s"""
_TSQUERY = """SELECT paper.id FROM papers_paper AS paper
    WHERE paper.search_words @@ to_tsquery('papers_words', %s) AND paper.id BETWEEN %s AND %s
    ORDER BY ts_rank('{0, 0, 0.3, 1}', paper.search_words, to_tsquery('papers_words', %s), 1) DESC, paper.id DESC
    LIMIT %s"""


def similar_papers(paper: Paper, *, most: int = 5) -> list[int]:
    """The ids of the papers most like this one, the likest first; itself and what it was merged with are none."""
    words = _telling_words(paper)
    if len(words) < 2:
        return []
    lowest, highest = paper.pk - NEAR, paper.pk + NEAR
    if connection.vendor == "sqlite":
        found = run_ids(_FTS5, [as_fts5_words(words), lowest, highest, most + 1])
    else:
        asked = as_tsquery_words(words)
        found = run_ids(_TSQUERY, [asked, lowest, highest, asked, most + 1])
    return [pk for pk in found if pk != paper.pk][:most]


def _telling_words(paper: Paper) -> list[str]:
    """What of its title, and of what its abstract says more than once, few other papers say."""
    title, abstract = _words(paper.title), Counter(_words(paper.abstract))
    candidates = list(dict.fromkeys([*title, *(word for word, count in abstract.most_common(40) if count > 1)]))
    candidates = candidates[:_LOOKED_AT]
    counts, papers = _how_many_have(candidates)
    rare = [word for word in candidates if 1 < counts[word] <= max(3, _TOO_COMMON * papers)]
    # «Bias» and «biases» are one word, and shall not count twice.
    once = {word[: max(_SHORTEST, len(word) - 2)]: word for word in sorted(rare, key=lambda word: -len(word))}
    return sorted(once.values(), key=lambda word: counts[word])[:_TAKEN]


def _words(text: str) -> list[str]:
    return [
        word for word in map(folded, tokens_of(text[:20_000])) if len(word) >= _SHORTEST and _LETTERS.fullmatch(word)
    ]


def _how_many_have(words: list[str]) -> tuple[dict[str, int], int]:
    """How many of the newest papers have each of these words, and how many papers those are. One query."""
    newest = Paper.objects.order_by("-id").values_list("id", flat=True)[:_SAMPLE]
    ids = list(newest)
    if not words or not ids:
        return dict.fromkeys(words, 0), 0
    if connection.vendor == "sqlite":
        one = "SELECT (SELECT count(*) FROM papers_search WHERE papers_search MATCH %s AND rowid >= %s)"
        sql = " UNION ALL ".join([one] * len(words))
        counts = run_ids(sql, [value for word in words for value in (as_fts5_words([word]), ids[-1])])
        return dict(zip(words, counts, strict=True)), len(ids)
    columns = ", ".join(["count(*) FILTER (WHERE search_words @@ to_tsquery('papers_words', %s))"] * len(words))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {columns} FROM papers_paper WHERE id >= %s",  # noqa: S608 - words of ours
            [*(as_tsquery_words([word]) for word in words), ids[-1]],
        )
        return dict(zip(words, cursor.fetchone(), strict=True)), len(ids)

"""What somebody typed into the search box, read as words, phrases and filters. Pure; whatever is typed, nothing raises.

    "folding chairs" author:lecun category:cs.CL -survey after:2026-11-01

A phrase stands in double quotes, and one that is never closed goes to the end. A sign within a word parts it into a
phrase: `GPT-4` is «gpt 4», so neither database's own query language is ever reached by what is typed.
"""

import datetime as dt
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

MOST_SIGNS = 300
MOST_TERMS = 12
# A beginning shorter than this fits half of all words.
SHORTEST_BEGINNING = 2
SHORTEST_STEM = 4
_ENDINGS = ("ings", "edly", "ers", "ors", "ations", "ements", "ness", "able", "izations", "ives", "ally", "ities")
_PIECE = re.compile(
    r"""(?P<minus>-?)(?:(?P<field>author|category|cat|topic|after|since|before|until|on):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))""",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"[^\W_]+")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, slots=True)
class Term:
    """Words that stand one after another; of a beginning, the last word may go on."""

    tokens: tuple[str, ...]
    is_beginning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What is looked for: all terms, none of `without`, all authors, one of the categories, announced on the days from
    `since` to `until`, both included."""

    terms: tuple[Term, ...] = ()
    without: tuple[Term, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    since: dt.date | None = None
    until: dt.date | None = None

    @property
    def asks_for_something(self) -> bool:
        """Whether there is anything to go by; what is left out alone is nothing."""
        return bool(self.terms or self.authors or self.categories or self.since or self.until)

    @property
    def words(self) -> tuple[str, ...]:
        """Every single word that is looked for, as it is marked in what is found."""
        return tuple(token for term in self.terms for token in term.tokens)


def read_query(text: str, *, is_being_typed: bool = False) -> SearchQuery:
    """What this asks for. While it is being typed, the last word is the beginning of one."""
    text = tidy(text)
    query, count = SearchQuery(), 0
    for piece in _PIECE.finditer(text):
        if count == MOST_TERMS:
            break
        is_last = is_being_typed and piece.end() == len(text) and piece["word"] is not None
        added = _add(query, piece, is_last=is_last)
        count += added is not query
        query = added
    return query


def tidy(text: str) -> str:
    """What was typed on one line, without what no keyboard writes, and no longer than anybody types."""
    text = unicodedata.normalize("NFC", text[: 4 * MOST_SIGNS].encode("utf-8", "ignore").decode())
    # A sign of direction or width is no space: it stands within words.
    text = "".join("" if unicodedata.category(sign) == "Cf" else sign if sign.isprintable() else " " for sign in text)
    return text.strip()[:MOST_SIGNS]


def tokens_of(text: str) -> tuple[str, ...]:
    """The words of a text as they are compared: small letters, without what stands between them."""
    return tuple(_TOKEN.findall(text.lower()))


def half_typed(word: str) -> tuple[str, ...]:
    """What this word may be without the ending that is being typed: the index holds stems, so that `reasoni`, on the
    way to `reasoning`, begins none of them, while `reason` is one."""
    found = []
    for length in range(1, min(8, len(word) - SHORTEST_STEM + 1)):
        ending = word[-length:]
        if any(whole.startswith(ending) for whole in _ENDINGS):
            found.append(word[:-length])
    return tuple(found)


def _add(query: SearchQuery, piece: re.Match[str], *, is_last: bool) -> SearchQuery:
    field, said = (piece["field"] or "").lower(), piece["phrase"] if piece["phrase"] is not None else piece["word"]
    tokens = tokens_of(said)
    if not tokens:
        return query
    is_day = field in {"after", "since", "before", "until", "on"} and not piece["minus"]
    if is_day and (day := _day(said)):
        return _on_day(query, field, day)
    if field == "author" and not piece["minus"]:
        return replace(query, authors=(*query.authors, " ".join(said.split())))
    if field in {"category", "cat"} and not piece["minus"]:
        return replace(query, categories=(*query.categories, said))
    if field:
        tokens = (*tokens_of(field), *tokens)
    if piece["minus"]:
        return replace(query, without=(*query.without, Term(tokens)))
    return replace(query, terms=(*query.terms, Term(tokens, is_last and len(tokens[-1]) >= SHORTEST_BEGINNING)))


def _on_day(query: SearchQuery, field: str, day: dt.date) -> SearchQuery:
    since = day if field in {"after", "since", "on"} else query.since
    until = day if field in {"before", "until", "on"} else query.until
    return replace(query, since=since, until=until)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def marked(text: str, words: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is one of these words, or begins like one that is long enough."""
    stems = tuple({folded(word)[: max(4, len(word) - 3)] for word in words if len(word) > 1})
    end = 0
    for found in _TOKEN.finditer(text):
        word = folded(found[0].lower())
        if stems and any(word == stem or (len(stem) >= 4 and word.startswith(stem)) for stem in stems):
            yield text[end : found.start()], False
            yield found[0], True
            end = found.end()
    yield text[end:], False


def folded(word: str) -> str:
    """A word without its accents, and with what is written for short written out."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))

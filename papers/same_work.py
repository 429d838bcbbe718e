"""Telling that two entries are one work although their ids differ. Pure.

The same work comes as an arXiv id, a journal's DOI, an OpenReview forum and an address. Ids are trusted first, then a
DOI that both name, then the title with the first author. Two arXiv ids are never one work, however alike their titles.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

# Titles shorter than this («Editorial», «Reply to comments») are had by many papers of one author.
SHORTEST_TITLE = 25
_NOT_LETTERS = re.compile(r"[\W_]+")


def title_key(title: str, authors: Sequence[str]) -> str:
    """A hash of the title's letters and the first author's surname; empty where they say too little to compare by."""
    letters = _letters(title)
    surname = _letters(authors[0].split()[-1]) if authors and authors[0].split() else ""
    if len(letters) < SHORTEST_TITLE or not surname:
        return ""
    return hashlib.sha256(f"{letters} {surname}".encode("utf-8", "replace")).hexdigest()[:40]


def may_be_same(key: str, other: str) -> bool:
    """Whether keys of these kinds may stand for one work at all: one from arXiv and one from a journal, say.

    Within one house (arXiv, one DOI registrant, one site) two ids are two works.
    """
    return key != other and _house(key) != _house(other)


def _house(key: str) -> str:
    scheme, _, rest = key.partition(":")
    return f"{scheme}:{rest.partition('/')[0]}" if scheme in {"doi", "url"} else scheme


def _letters(text: str) -> str:
    if text.isascii():
        return _NOT_LETTERS.sub("", text).lower()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _NOT_LETTERS.sub("", "".join(char for char in plain if not unicodedata.combining(char)))

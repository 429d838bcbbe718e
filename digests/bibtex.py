"""A paper as an entry for a bibliography (BibTeX). Pure."""

import re
import unicodedata

from papers.models import Paper

# What TeX would make something of. A backslash cannot be written by a backslash.
_SIGNS = {sign: f"\\{sign}" for sign in "&%$#_"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": "",
    "}": "",
}
# As they are: TeX reads nothing in them, and a backslash would spoil them.
_VERBATIM = {"url", "doi", "eprint"}


def bibtex(paper: Paper, *, arxiv_id: str) -> str:
    """The entry. Nothing in our data breaks out of its field, or is a command to TeX."""
    last = _plain(str(paper.authors[0]).split()[-1]) if paper.authors and str(paper.authors[0]).split() else ""
    fields = {
        "title": paper.title,
        "author": " and ".join(str(name) for name in paper.authors),
        "year": str(paper.announced_date.year),
        "doi": paper.doi or "",
        "url": paper.link,
        **({"eprint": arxiv_id, "archivePrefix": "arXiv"} if arxiv_id else {}),
    }
    lines = [f"  {name} = {{{_escaped(name, value)}}}" for name, value in fields.items() if value]
    word = next((found for found in map(_plain, paper.title.split()) if len(found) > 3), "")
    return f"@misc{{{last or 'paper'}{paper.announced_date.year}{word},\n" + ",\n".join(lines) + "\n}"


def _escaped(name: str, value: str) -> str:
    value = " ".join(value.split())
    if name in _VERBATIM:
        return re.sub(r"[{}\\\s]", "", value)
    return "".join(_SIGNS.get(sign, sign) for sign in value)


def _plain(word: str) -> str:
    return re.sub(r"[^a-z]", "", unicodedata.normalize("NFKD", word).lower())

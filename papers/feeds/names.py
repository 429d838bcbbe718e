"""Author names out of the shapes in which feeds write them."""

import re

_INITIALS = re.compile(r"(?:[^\W\d_]\.?[\s-]*){1,4}")
_PARENTHESIS = re.compile(r"[()]")
_COMMA_OR_PARENTHESIS = re.compile(r"[,()]")
_SUFFIXES = {"Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV", "MD", "PhD"}
_AND = re.compile(r"\s*,?\s+(?:and|&)\s+")


def split_arxiv_names(text: str) -> list[str]:
    """The names in arXiv's one string: commas between them, affiliations in parentheses behind some, with commas too.

    `Ann Lee (MIT, Cambridge), Bo Li` is Ann Lee and Bo Li.
    """
    return [name for piece in _split_outside_parentheses(text) if (name := _without_affiliation(piece))]


def split_raw_names(text: str) -> list[str]:
    """The names as authors wrote them on arXiv: as above, and `A, B and C` or `A, B, and C`."""
    names = (_AND.split(f" {name}") for name in split_arxiv_names(text))
    return [piece for pieces in names for name in pieces if (piece := _without_affiliation(name))]


def split_names(fields: list[str]) -> list[str]:
    """The names in the author fields of any feed: one field a name, or one field for all.

    Understood are `Ann Lee, Bo Li and Cy Wu`, `Lee, A.; Li, B.` and `Lee, A., Li, B.`. A name written surname first is
    turned round, since commas stand between names on the page.
    """
    fields = [field.strip() for field in fields if field.strip() and "@" not in field]
    if len(fields) == 1:
        return _split_one(fields[0])
    return [_turn_round(name) if name.count(",") == 1 else name for name in fields]


def _split_one(text: str) -> list[str]:
    if ";" in text:
        return [_turn_round(name.strip()) for name in text.split(";") if name.strip()]
    pieces = [piece.strip() for piece in _split_outside_parentheses(text)]
    pieces[-1:] = _AND.split(pieces[-1].removeprefix("and ").removeprefix("& ")) if pieces else []
    pieces = [piece for piece in pieces if piece]
    if len(pieces) == 2 and " " not in pieces[0] and " " not in pieces[1] and "," in text:
        return [f"{pieces[1]} {pieces[0]}"]
    if pieces and len(pieces) % 2 == 0 and all(map(_is_initials, pieces[1::2])):
        return [f"{initials} {surname}" for surname, initials in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces


def _turn_round(name: str) -> str:
    surname, comma, rest = (part.strip() for part in name.partition(","))
    return f"{rest} {surname}" if comma and rest and "," not in rest and rest not in _SUFFIXES else name


def _is_initials(text: str) -> bool:
    return text.isupper() and _INITIALS.fullmatch(text) is not None


def _without_affiliation(name: str) -> str:
    """The name without the parentheses at its end; those inside it (`Anh (Aengus) Nguyen`) belong to it."""
    name = name.strip()
    if not name.endswith(")"):
        return name
    depth = 0
    for match in reversed(list(_PARENTHESIS.finditer(name))):
        depth += 1 if match[0] == ")" else -1
        if depth == 0:
            return name[: match.start()].strip() or name
    return name


def _split_outside_parentheses(text: str) -> list[str]:
    if "(" not in text and ")" not in text:
        return text.split(",")
    depth, start, pieces = 0, 0, []
    for match in _COMMA_OR_PARENTHESIS.finditer(text):
        if match[0] == "," and depth == 0:
            pieces.append(text[start : match.start()])
            start = match.end()
        elif match[0] != ",":
            depth = max(0, depth + (1 if match[0] == "(" else -1))
    # A parenthesis that never closes would swallow everyone behind it.
    return [*pieces, text[start:]] if depth == 0 else text.split(",")

"""What in a text is an address or a citation: read by the reader, and left out where words are counted."""

import re

URL = r"(?:https?://|ftp://|\bwww\.)(?:\\[_%#&~$-]|[^\s{}\\$<>\"`'])+"
CITATION = (
    r"\\(?:(?:no|text|paren|auto|foot|full|super|short)?[cC]ite[a-z]*|(?:auto|c|C|eq|page|name|v|sub|f|F|s|S)?ref)"
    r"(?![A-Za-z])"
)
CITATION_OPTIONS = r"\*?\s*(?:\[[^\]]{0,300}\]\s*){0,3}"

_ESCAPED = re.compile(r"\\([_%#&~$-])|\\textasciitilde(?:\{\})?")
_ADDRESS = re.compile(r"\S*[./:#]\S*")


def unescape_address(address: str) -> str:
    """An address without what TeX needs: `\\_` is `_`."""
    return _ESCAPED.sub(lambda found: found[1] or "~", address)


def is_address(text: str) -> bool:
    """Whether this can be the address of a link, and no word."""
    return _ADDRESS.fullmatch(text.strip()) is not None

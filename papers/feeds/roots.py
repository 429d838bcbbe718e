"""The root element of an XML document, and the refusal of what has none we read: before any parser sees it.

Document types are refused altogether: that is where entity bombs and external entities live.
"""

import re

from papers.entries import FeedRefusedError

_IGNORABLE = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_ROOT = re.compile(r"<(?P<name>(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)(?=[\s/>])")
_HTML = re.compile(r"<(?:!doctype\s+)?html[\s>]", re.IGNORECASE)


def find_root(text: str, *, roots: frozenset[str], what: str) -> re.Match[str]:
    """The root's opening, `name` being its name; `roots` are the local names wanted, in lower case, `what` says of
    which document. Raises FeedRefusedError for any other, and for document types and entities."""
    start = 0
    while ignorable := _IGNORABLE.match(text, start):
        start = ignorable.end()
    if start == len(text):
        raise FeedRefusedError("The document is empty.")
    if text[start : start + 9].upper() == "<!DOCTYPE" and not _is_html(text[start : start + 30]):
        raise FeedRefusedError("The document declares a document type (<!DOCTYPE …>), which feeds do not need.")
    if text.startswith("<!ENTITY", start):
        raise FeedRefusedError("The document declares entities (<!ENTITY …>), which feeds do not need.")
    if _is_html(text[start : start + 30]):
        raise FeedRefusedError("The document is a web page (HTML), not a feed.")
    root = _ROOT.match(text, start)
    if root is None:
        message = f"The document is not XML: it begins with {text[start : start + 40]!r}."
        raise FeedRefusedError(message)
    if root["name"].rpartition(":")[2].lower() not in roots:
        message = f"The document is XML, but no {what}: its root is <{root['name'][:60]}>."
        raise FeedRefusedError(message)
    return root


def _is_html(start: str) -> bool:
    return _HTML.match(start) is not None

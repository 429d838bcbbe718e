"""What sources do to text, undone without touching the text: stray characters, second layers of entities, HTML.

TeX stays as it is; `looks_like_tex` only says whether there is any.
"""

import html
import re
from urllib.parse import urljoin, urlsplit

from papers.entries import Markup
from papers.text import fold, html_to_text

TITLE_LENGTH = 1_000
ABSTRACT_LENGTH = 20_000  # Ten times arXiv's own limit.
AUTHOR_LENGTH = 300
AUTHOR_COUNT = 6_000  # Twice the largest collaboration.
LINK_LENGTH = 500
MAX_COUNT = 2**31 - 1

_TAGS = (
    "a|abbr|article|b|blockquote|br|center|code|dd|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i|img|jats:[a-z]+|li"
    "|ol|p|pre|s|section|small|span|strike|strong|sub|sup|table|tbody|td|th|tr|tt|u|ul"
)
# A name alone is not enough: abstracts hold `$a<b$ and $c>d$`, <image> and <think>.
_HTML = re.compile(
    rf"</?(?:{_TAGS})(?:\s+[\w:-]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>=]+))*\s*/?>", re.IGNORECASE | re.ASCII
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TEX = re.compile(
    r"\\(?:[A-Za-z]{2,}|[%&$#_{},;@ ]|['\"`^~=.][A-Za-z{\\]|[Hckuvdbrt]\{|[()\[\]])"  # \emph, \%, \'e, \c{c}, \(
    # A pair of dollars around something, as pandoc tells it from money: no space inside, no digit behind.
    r"|(?<!\\)\$(?=[^\s$])[^$]{0,300}(?<=\S)\$(?![0-9])"
)


def take(text: object) -> str:
    """The text with white space folded and without characters no reader should see; empty for what is no text."""
    if not isinstance(text, str):
        return ""
    if text.isascii():
        return fold(text)
    # Half a surrogate pair can come out of JSON, and no database takes it.
    return fold(text.encode("utf-8", "replace").decode().replace("\ufeff", " ")).strip()


def take_title(text: str) -> str:
    """The title. Raises ValueError where there is none, or one no paper can have."""
    title = take(text)
    if not title:
        raise ValueError("has no title")
    if len(title) > TITLE_LENGTH:
        message = f"has a title of {len(title):,} characters"
        raise ValueError(message)
    return title


def take_abstract(text: str) -> str:
    """The abstract; one far too long ends in an ellipsis, so that the reader sees it."""
    return _cut(take(text), ABSTRACT_LENGTH)


def take_authors(names: list[str]) -> tuple[str, ...]:
    """The names that are some, none of them endless."""
    return tuple([_cut(name, AUTHOR_LENGTH) for name in map(take, names) if name][:AUTHOR_COUNT])


def take_link(address: object, *, base: str = "") -> str:
    """The address where it is one a browser may follow, made absolute by `base`; otherwise empty."""
    if not isinstance(address, str) or not address.strip():
        return ""
    try:
        link = urljoin(base, address.strip())
        parts = urlsplit(link)
    except ValueError:
        return ""
    clean = not re.search(r"[\s<>\"\\\x00-\x1f\x7f]", link) and link.isprintable()
    usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and clean
    return link if usable and len(link) <= LINK_LENGTH else ""


def count_of(found: object) -> int | None:
    """A count, written as a number or as its digits. None for what is none, or more than a database counts."""
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) <= 20:
        found = int(found)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 <= found <= MAX_COUNT else None


def unescape_once(text: str) -> str:
    """One layer of entities less: `Q&amp;A` is `Q&A`, `a & b` and `\\&c` stay."""
    return _ENTITY.sub(lambda match: html.unescape(match[0]), text) if "&" in text else text


def is_html(text: str) -> bool:
    """Whether a text of unknown kind has HTML in it."""
    return "<" in text and _HTML.search(text) is not None


def as_text(text: str) -> str:
    """A text that may be HTML, as plain text."""
    return html_to_text(text) if is_html(text) else unescape_once(text)


def markup_of(*texts: str) -> Markup:
    """TEX where one of these looks as if it were written in it."""
    return Markup.TEX if any(_TEX.search(text) for text in texts) else Markup.PLAIN


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"

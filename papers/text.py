r"""Text as a reader should see it: TeX and HTML reduced to clean Unicode, and no word lost on the way.

Sources write TeX in ASCII (`T\"ULU 3`, `40\%`, `$\alpha$`), HTML, wrapped lines and stray control characters. Ingest,
the `clean_text` command and nothing else decide here what is shown; the raw text is stored beside it.
Pure: no Django, no network, no clock.
"""

import html
import re
import unicodedata
from dataclasses import dataclass

import nh3

from papers.tex import CITATION, CITATION_OPTIONS, URL, find_maths, read_tex
from papers.tex.symbols import raise_or_lower

# Characters. arXiv's longest abstract has 1,930; a longer text than this with TeX in it is shown as it is.
MAX_TEX_LENGTH = 50_000
# A browser's parser takes quadratic time on unclosed elements (measured: 110 s for 200,000, 0.1 s for this many).
MAX_TAGS = 5_000

_TEX = re.compile(r"[\\${}~^]|``|''|--|`")

# Removed: control characters but white space; marks that turn or hide text (bidi, zero width, soft hyphen, tags);
# half surrogate pairs; what Unicode says is no character. Joiners stay: Persian, Hindi and emoji need them.
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
_LONGEST_STACK = 30  # Combining marks on one letter (UAX #15, Stream-Safe Text); more only makes normalising slow.

_DROPPED = {"script", "style", "noscript", "template", "iframe"}
_BLOCK = re.compile(
    r"</?(?:address|article|aside|blockquote|br|caption|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer"
    r"|form|h[1-6]|header|hr|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
    r"|jats:(?:p|sec|title|list|list-item))(?=[\s/>])[^<>]{0,1000}>",
    re.IGNORECASE,
)
_SCRIPT = re.compile(r"<(sub|sup)>([^<>]{1,12})</\1>")
_TAG = re.compile(r"<[^<>]*>")

_NO_WORDS = re.compile(
    rf"{CITATION}{CITATION_OPTIONS}(?:\{{[^{{}}]{{0,1000}}\}})?"
    rf"|\\(?:href|hyperlink)\s*\{{(?=[^{{}}\s]{{0,1000}}?[./:#])[^{{}}\s]{{0,2000}}\}}|{URL}|\\(?:[A-Za-z]+|.)",
    re.DOTALL,
)
_WORD = re.compile(r"[^\W\d_]{4,}")


@dataclass(frozen=True, slots=True)
class CleanText:
    """A text to show. `kept_raw` says that it is the source's own, TeX and all, because cleaning it would have cost a
    word or failed."""

    text: str
    kept_raw: bool


def clean_text(raw: str) -> CleanText:
    """TeX to clean Unicode, white space folded to single spaces, control characters gone. Never raises.

    A word is a run of four or more letters outside maths, command names, addresses and the arguments of cite and ref:
    where one would be lost, the raw text is kept. Text without TeX stays as it is, but for what `fold` does.
    Takes time in proportion to the length, and reads TeX up to MAX_TEX_LENGTH only.
    """
    folded = fold(raw)
    if not _TEX.search(folded):
        return CleanText(folded, kept_raw=False)
    if len(folded) > MAX_TEX_LENGTH:
        return CleanText(folded, kept_raw=True)
    try:
        text = fold(read_tex(folded))
    except Exception:  # noqa: BLE001 - whatever goes wrong with one text, the reader still gets it.
        return CleanText(folded, kept_raw=True)
    if _has_lost_words(folded, text):
        return CleanText(folded, kept_raw=True)
    return CleanText(text, kept_raw=False)


def html_to_text(html_text: str) -> str:
    """The text of an HTML description: scripts and styles gone with what is in them, tags removed, entities decoded
    once, a space where a block ends, white space folded. H<sub>2</sub>O becomes H₂O.

    For what is HTML only: `$a<b$` in plain text would be taken for a tag. Reads up to MAX_TAGS tags.
    """
    parts = html_text.split("<", MAX_TAGS + 1)
    blocks = _BLOCK.sub(" ", "<".join(parts[: MAX_TAGS + 1]))
    marked = nh3.clean(blocks, tags={"sub", "sup"}, attributes={}, clean_content_tags=_DROPPED)
    marked = _SCRIPT.sub(_raised, marked)
    return fold(html.unescape(_TAG.sub("", marked)))


def fold(text: str) -> str:
    """The text in NFC on one line: white space folded to single spaces, none at the ends, and no character that is
    invisible, turns the direction of writing, or is none at all. Safe to run twice."""
    # Most text, and many times as fast: of ASCII only control characters are unwanted, and they are not printable.
    if text.isascii():
        if "  " not in text and text.isprintable():
            return text.strip()
        folded = " ".join(text.split())
        if folded.isprintable():
            return folded
    text = _UNWANTED.sub("", text)
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", _limit_stacks(text))
    return " ".join(text.split())


def _limit_stacks(text: str) -> str:
    kept: list[str] = []
    stacked = 0
    for character in text:
        stacked = stacked + 1 if unicodedata.combining(character) else 0
        if stacked <= _LONGEST_STACK:
            kept.append(character)
    return "".join(kept)


def _raised(found: re.Match[str]) -> str:
    shown = raise_or_lower("_" if found[1] == "sub" else "^", found[2])
    return found[2] if shown.startswith(("_", "^")) else shown


def _has_lost_words(raw: str, text: str) -> bool:
    """Whether a word of the raw text is missing from the clean one, or stands in another place."""
    text = _without_accents(text)
    position = 0
    for word in _words(raw):
        position = text.find(word, position)
        if position < 0:
            return True
        position += len(word)
    return False


def _words(raw: str) -> list[str]:
    outside: list[str] = []
    position = 0
    for start, formula in find_maths(raw).items():
        outside.append(raw[position:start])
        position = max(position, formula.after)
    outside.append(raw[position:])
    return _WORD.findall(_without_accents(_NO_WORDS.sub(" ", " ".join(outside))))


def _without_accents(text: str) -> str:
    if text.isascii():
        return text
    return "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )

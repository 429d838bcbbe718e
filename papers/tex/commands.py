"""What each command does with what follows it.

Every function takes the reader, which stands behind the command's name, and the name; it answers what to show."""

import re
import unicodedata

from papers.tex import symbols
from papers.tex.notation import CITATION, CITATION_OPTIONS, is_address, unescape_address
from papers.tex.reader import APART, GONE, Command, Reader

_CITATION = re.compile(CITATION)
_CITATION_OPTIONS = re.compile(CITATION_OPTIONS)
_OPTION = re.compile(r" *\[([^\]]{0,100})\]")
_LENGTH = re.compile(r" *-?[\d.]+ *\\?[a-z]{2,9} *")
_CODE_POINT = re.compile(r" *\{ *(?:[xX]([0-9a-fA-F]{1,6})|([0-9]{1,7})) *\}")
_VERBATIM = re.compile(r"\*?([^\sA-Za-z*])([\s\S]{0,1000}?)\1")
_STAR = re.compile(r"\*")
_ONE_THING = re.compile(r"[\w.′∞%]+(?:\([^()]*\))?|\([^()]*\)")
_DEGREES = re.compile(r"[\d)$] *[{^]? *$")
_BEFORE_A_LETTER = re.compile(r" +(?=[A-Za-z](?![A-Za-z]))")
_LONG_WORD = re.compile(r"[^\W\d_]{4,}")


def read_unknown(reader: Reader, name: str) -> str:
    r"""A command nobody knows: what it wraps, or its own name (`\ours`). A backslash before a sign escapes it."""
    if _CITATION.fullmatch(f"\\{name}"):
        return _citation(reader, name)
    if not name.isalpha():
        return name if name.isascii() and name and not name.isalnum() else f"\\{name}"
    contents = []
    while reader.peek() == "{" and (content := reader.group()) is not None:
        contents.append(content)
    wrapped = " ".join(filter(None, contents))
    if wrapped:
        return wrapped
    return name if contents else f"{APART}{name}{APART}"


def _citation(reader: Reader, _name: str) -> str:
    reader.match(_CITATION_OPTIONS)
    reader.raw_group()
    return GONE


def _symbol(reader: Reader, name: str) -> str:
    sign = symbols.SYMBOLS[name]
    if reader.text.startswith("{}", reader.pos):
        reader.skip_empty_group()
    elif name in symbols.LETTERS:
        reader.skip_spaces()
    elif reader.is_maths and reader.peek() == " ":
        return _maths_sign(reader, sign)
    return sign


def _maths_sign(reader: Reader, sign: str) -> str:
    """The sign with the space that ends its name put right: ΔE, ~5, x ∈ X."""
    category, previous = unicodedata.category(sign), reader.before()
    if category == "Ps" or (sign == "~" and previous != " "):
        reader.skip_spaces()
    elif category[0] == "L" or sign in {"∇", "∂"}:
        reader.match(_BEFORE_A_LETTER)
    elif category == "Sm" and (previous.isalnum() or previous in {")", "}"}):
        return f" {sign}"
    return sign


def _space(_reader: Reader, _name: str) -> str:
    return " "


def _silence(reader: Reader, name: str) -> str:
    if name.isalpha():
        reader.skip_spaces()
    if name in {"left", "right"} and reader.peek() == ".":
        reader.pos += 1
    return ""


def _shorthand(reader: Reader, name: str) -> str:
    word = symbols.SHORTHANDS[name]
    reader.skip_empty_group()
    return word.removesuffix(".") if reader.peek() == "." else word


def _function(reader: Reader, name: str) -> str:
    reader.skip_empty_group()
    return f"{APART}{name}{APART}"


def _text(reader: Reader, name: str) -> str:
    return _wrapped(reader, name, is_maths=False)


def _maths(reader: Reader, name: str) -> str:
    is_bare = reader.text.startswith("*", reader.pos)
    if name == "operatorname" and is_bare:
        reader.match(_STAR)
    content = _wrapped(reader, name, is_maths=reader.is_maths or name == "ensuremath")
    if name in {"mathbb", "mathds"}:
        return symbols.BLACKBOARD.get(content, content)
    return f"{APART}{content}{APART}" if name == "operatorname" else content


def _wrapped(reader: Reader, name: str, *, is_maths: bool) -> str:
    reader.skip_spaces()
    if reader.is_maths or reader.peek() == "{":
        return reader.argument(is_maths=is_maths) or ""
    return "" if name.startswith(("text", "math", "emph")) else f"{name} "


def _text_accent(reader: Reader, name: str) -> str:
    is_letter = name.isalpha()
    if not is_letter and not (reader.peek().isalpha() or reader.peek() in {"{", "\\"}):
        return name
    if is_letter and reader.peek() != "{":
        return _letter_accent_without_braces(reader, name)
    base = reader.argument() or ""
    if is_letter and f"{name}{base}" in symbols.SYMBOLS:
        return symbols.SYMBOLS[f"{name}{base}"]  # `\b{eta}`: Greek that a conversion took for an accent.
    if not base:
        return "" if is_letter else name
    if is_letter and name != "t" and len(base) > 1:
        return base
    return _accented(base, name)


def _letter_accent_without_braces(reader: Reader, name: str) -> str:
    reader.skip_spaces()
    following = reader.peek()
    if name in {"b", "t"} or not (following.isalpha() or following == "\\"):
        return "" if name == "b" else name
    composed = unicodedata.normalize("NFC", f"{following}{symbols.TEXT_ACCENTS[name]}")
    if len(composed) > 1 and following != "\\":
        return f"{name} "
    base = reader.argument()
    return _accented(base, name) if base else ""


def _accented(base: str, name: str) -> str:
    first = base[0] if name in symbols.ACCENTS_BELOW else base[0].translate(symbols.DOTTED)
    composed = unicodedata.normalize("NFC", f"{first}{symbols.TEXT_ACCENTS[name]}")
    if name in {"'", "`", '"'} and len(composed) > 1:
        return f"{name}{base}"  # No such letter: the backslash only escaped a quotation mark.
    return f"{composed}{base[1:]}"


def _maths_accent(reader: Reader, name: str) -> str:
    base = reader.argument() or ""
    if len(base) != 1 or not base.isalnum():
        return base
    return unicodedata.normalize("NFC", f"{base}{symbols.MATHS_ACCENTS[name]}")


def _negation(reader: Reader, _name: str) -> str:
    base = reader.argument() or ""
    return unicodedata.normalize("NFC", f"{base[:1]}\u0338{base[1:]}") if base else ""


def _fraction(reader: Reader, _name: str) -> str:
    top, bottom = reader.argument(is_maths=True) or "", reader.argument(is_maths=True) or ""
    return f"{_in_brackets(top)}/{_in_brackets(bottom)}"


def _root(reader: Reader, _name: str) -> str:
    index = reader.match(_OPTION)
    content = reader.argument(is_maths=True) or ""
    root = {"3": "∛", "4": "∜"}.get(index[1], f"{symbols.raise_or_lower('^', index[1])}√") if index else "√"
    return f"{root}{content}" if len(content) == 1 or content.isdigit() else f"{root}({content})"


def _choose(reader: Reader, _name: str) -> str:
    top, bottom = reader.argument(is_maths=True) or "", reader.argument(is_maths=True) or ""
    return f"({top} choose {bottom})"


def _in_brackets(text: str) -> str:
    text = text.strip()
    return text if len(text) == 1 or _ONE_THING.fullmatch(text) else f"({text})"


def _modulo(reader: Reader, _name: str) -> str:
    return f" (mod {reader.argument(is_maths=True) or ''})"


def _script(reader: Reader, name: str) -> str:
    mark = "_" if name in {"textsubscript", "sb"} else "^"
    return symbols.raise_or_lower(mark, reader.argument() or "")


def _link(reader: Reader, _name: str) -> str:
    start = reader.pos
    address = reader.raw_group()
    if address is None:
        return ""
    if not is_address(address):
        reader.pos = start
        return f"{reader.argument(is_maths=False) or ''} "  # A word, no address: the label is read as text after it.
    label = reader.group(is_maths=False) if reader.peek() == "{" else None
    return label or unescape_address(address.strip())


def _address(reader: Reader, _name: str) -> str:
    return unescape_address(reader.raw_group() or "")


def _aside(reader: Reader, _name: str) -> str:
    reader.match(_OPTION)
    note = reader.argument(is_maths=False)
    return f" ({note})" if note else ""


def _colour(reader: Reader, _name: str) -> str:
    """A colour is nothing a mail can show, but its name may be a word, and words are never lost."""
    reader.match(_OPTION)
    colour = reader.raw_group() or ""
    return f"[{colour}] " if _LONG_WORD.search(colour) else ""


def _gap(reader: Reader, _name: str) -> str:
    reader.match(_STAR)
    reader.raw_group()
    return " "


def _kern(reader: Reader, _name: str) -> str:
    return "" if reader.match(_LENGTH) else " "


def _code_point(reader: Reader, _name: str) -> str:
    found = reader.match(_CODE_POINT)
    if found is None:
        return ""
    code = int(found[1], 16) if found[1] else int(found[2])
    character = chr(code) if code <= 0x10FFFF else ""
    return "" if not character or unicodedata.category(character) in {"Cc", "Cs", "Cn"} else character


def _verbatim(reader: Reader, _name: str) -> str:
    found = reader.match(_VERBATIM)
    return found[2] if found else ""


def _item(reader: Reader, _name: str) -> str:
    option = reader.match(_OPTION)
    return f" • {option[1]}" if option else " • "


def _environment(reader: Reader, _name: str) -> str:
    reader.raw_group()
    return " "


def _degree(reader: Reader, name: str) -> str:
    begin = max(0, reader.at - 6)
    return "°" if _DEGREES.search(reader.text[begin : reader.at]) else _function(reader, name)


def _at_sign(reader: Reader, _name: str) -> str:
    return "@" if reader.peek().isalnum() else ""  # Before a full stop it only sets the space behind it.


def _line_end(reader: Reader, name: str) -> str:
    return name if reader.is_maths else r"\n"  # Papers on language models write about "\n".


COMMANDS: dict[str, Command] = {
    **dict.fromkeys(symbols.SYMBOLS, _symbol),
    **dict.fromkeys(symbols.SPACES, _space),
    **dict.fromkeys(symbols.SILENT, _silence),
    **dict.fromkeys(symbols.SHORTHANDS, _shorthand),
    **dict.fromkeys(symbols.FUNCTIONS, _function),
    **dict.fromkeys(symbols.TEXT_WRAPPERS, _text),
    **dict.fromkeys(symbols.MATHS_WRAPPERS, _maths),
    **dict.fromkeys(symbols.TEXT_ACCENTS, _text_accent),
    **dict.fromkeys(symbols.MATHS_ACCENTS, _maths_accent),
    **dict.fromkeys(("frac", "dfrac", "tfrac", "nicefrac", "sfrac", "cfrac"), _fraction),
    **dict.fromkeys(("binom", "dbinom", "tbinom"), _choose),
    **dict.fromkeys(("textsuperscript", "textsubscript", "sp", "sb"), _script),
    **dict.fromkeys(("href", "hyperlink"), _link),
    **dict.fromkeys(("url", "path", "nolinkurl"), _address),
    **dict.fromkeys(("footnote", "footnotetext", "thanks"), _aside),
    **dict.fromkeys(("color", "textcolor", "colorbox"), _colour),
    **dict.fromkeys(("hspace", "vspace"), _gap),
    **dict.fromkeys(("kern", "mkern", "hskip", "mskip", "vskip"), _kern),
    **dict.fromkeys(("begin", "end"), _environment),
    "sqrt": _root,
    "pmod": _modulo,
    "not": _negation,
    "unicode": _code_point,
    "verb": _verbatim,
    "item": _item,
    "deg": _degree,
    "@": _at_sign,
    "n": _line_end,
}

"""Bytes of an XML document as text."""

import codecs
import re

from papers.entries import FeedRefusedError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark its own begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python knows codecs that are no character sets (zlib, rot13), and UTF-7, which hides markup.
_CHARSETS = re.compile(
    r"utf-?8|utf-?(?:16|32)(?:[-_]?[lb]e)?|(?:us-)?ascii|(?:iso-8859-|windows-125|cp125|koi8-|gb|big5|shift_|euc-)\S*"
)
_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)
_DECLARATION = re.compile(r"\s*<\?xml\b[^>]{0,200}?\?>")
_IN_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})[\"']")
_CONTROLS = bytes([*range(9), 11, 12, *range(14, 32)])
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def decode_xml(body: bytes, *, content_type: str = "") -> str:
    """The document's text without its XML declaration and without characters XML forbids.

    What is UTF-8 is taken as such, whatever servers say: nothing else looks like it, and many call it Latin-1. Then
    the response header counts, then the declaration (RFC 7303, section 3), then Windows-1252. Raises FeedRefusedError
    for an empty or a compressed body.
    """
    if not body.strip():
        raise FeedRefusedError("The document is empty.")
    if body.startswith((b"\x1f\x8b", b"PK\x03\x04")):
        raise FeedRefusedError("The document is compressed, not XML.")
    text = _decode(body, content_type).removeprefix("\ufeff")
    text = text if _is_legal(text) else _ILLEGAL.sub("", text)
    return _DECLARATION.sub("", text, count=1) if _DECLARATION.match(text) else text


def _decode(body: bytes, content_type: str) -> str:
    for mark, charset in _BOMS:
        if body.startswith(mark):
            return body.decode(charset, "replace")
    for charset in _charsets(body, content_type):
        try:
            return body.decode(charset)
        except (LookupError, UnicodeDecodeError):
            continue
    # One bad byte, or an end within a character, is no reason to read all the others differently.
    text = body.decode("utf-8", "replace")
    foreign = sum(not char.isascii() for char in text)
    return text if text.count("\ufffd") * 10 <= foreign else body.decode("windows-1252", "replace")


def _is_legal(text: str) -> bool:
    # Three times as fast as looking with the pattern, and nearly all documents are. No decoder leaves half a surrogate
    # pair behind.
    data = text.encode("utf-8", "replace")
    return len(data.translate(None, _CONTROLS)) == len(data) and "\ufffe" not in text and "\uffff" not in text


def _charsets(body: bytes, content_type: str) -> list[str]:
    in_header, in_declaration = _IN_HEADER.search(content_type), _IN_DECLARATION.match(body)
    # UTF-16 of plain ASCII is valid UTF-8, full of zeros.
    found = [] if b"\0" in body[:100] else ["utf-8"]
    found += [in_header[1]] if in_header else []
    found += [in_declaration[1].decode("ascii")] if in_declaration else []
    return [charset for charset in found if _CHARSETS.fullmatch(charset.lower())]

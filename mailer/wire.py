"""A message as the bytes that SMTP carries: headers encoded where they must be, parts as plain as the server allows."""

import quopri
import re
import secrets
from email.header import Header
from functools import lru_cache

from django.core.mail import BadHeaderError

from mailer.pieces import Joined
from mailer.wrapping import LONGEST_LINE

# RFC 5322, section 2.1.1: what a line should not exceed.
_NICE_LINE = 78
# Nothing in a mail can contain it: it is made anew in each process.
_BOUNDARY = f"={secrets.token_hex(16)}="
_MULTIPART = (f'Content-Type: multipart/alternative;\r\n boundary="{_BOUNDARY}"\r\nMIME-Version: 1.0\r\n').encode()
_NEXT, _END = f"--{_BOUNDARY}\r\n".encode(), f"--{_BOUNDARY}--\r\n".encode()
_PLAIN_ADDRESS = re.compile(r"[!#-'*+\-./0-9=?A-Z^_`a-z{|}~]{1,64}@[A-Za-z0-9.\-]{1,253}")


class NotAsciiAddressError(ValueError):
    """The part of the address before the @ has letters that only SMTPUTF8 (RFC 6531) can carry."""


def alternatives(head: bytes, text: Joined, html: Joined, *, eightbit: bool, is_stuffed: bool) -> bytes:
    """A whole message: `head` (its header lines), a text part and an HTML part that say the same.

    With `is_stuffed`, each dot that begins a line has another before it, as SMTP wants it (RFC 5321, section 4.5.2).
    """
    return b"".join(
        [
            *(head, _MULTIPART, b"\r\n"),
            *(_NEXT, *_part("plain", text, eightbit, is_stuffed)),
            *(_NEXT, *_part("html", html, eightbit, is_stuffed)),
            _END,
        ]
    )


def stuffed(data: bytes) -> bytes:
    """The same lines, each that begins with a dot with another before it."""
    found = data.replace(b"\r\n.", b"\r\n..")
    return b"." + found if found.startswith(b".") else found


def header(name: str, value: str) -> bytes:
    """One header line, folded and encoded (RFC 2047) where it must be. Raises BadHeaderError for a line break."""
    if "\n" in value or "\r" in value:
        raise BadHeaderError(f"Header values can't contain newlines (got {value!r} for header {name!r})")
    if value.isascii() and len(name) + 2 + len(value) <= _NICE_LINE:
        return f"{name}: {value}\r\n".encode()
    charset = "us-ascii" if value.isascii() else "utf-8"
    encoded = Header(value, charset, maxlinelen=_NICE_LINE, header_name=name).encode(linesep="\r\n")
    return f"{name}: {encoded}\r\n".encode()


@lru_cache(maxsize=4096)
def subject_header(subject: str) -> bytes:
    """The subject's header line: most readers of an edition share a few of them."""
    return header("Subject", subject)


def is_plain_address(address: str) -> bool:
    """Whether the address can stand anywhere in SMTP as it is: letters and signs of ASCII alone."""
    return _PLAIN_ADDRESS.fullmatch(address) is not None


def address_header(name: str, address: str, *, utf8: bool) -> bytes:
    """The line of a header that holds one bare address. Raises NotAsciiAddressError, or BadHeaderError."""
    if is_plain_address(address):
        return f"{name}: {address}\r\n".encode()
    if any(ord(letter) < 33 or letter == "\x7f" for letter in address):
        raise BadHeaderError(f"This is no address: {address!r}")
    if not address.isascii() and not utf8:
        raise NotAsciiAddressError("The address has letters that the mail server cannot carry.")
    return f"{name}: {address}\r\n".encode()


def unbroken_header(name: str, value: str) -> bytes:
    """A header whose value must be neither encoded nor broken, such as an address in angle brackets (RFC 2369)."""
    if not value.isascii() or not value.isprintable() or len(value) >= LONGEST_LINE:
        raise BadHeaderError(f"The header {name} cannot hold {value!r}")
    gap = " " if len(name) + 2 + len(value) <= _NICE_LINE else "\r\n "
    return f"{name}:{gap}{value}\r\n".encode()


def _part(subtype: str, joined: Joined, eightbit: bool, is_stuffed: bool) -> tuple[bytes, ...]:
    data = joined.stuffed if is_stuffed else joined.wire
    is_ascii = data.isascii()
    if joined.longest_line <= LONGEST_LINE and (is_ascii or eightbit):
        encoding = b"7bit" if is_ascii else b"8bit"
    else:
        encoding = b"quoted-printable"
        data = quopri.encodestring(joined.wire.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        data = stuffed(data) if is_stuffed else data
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: '.encode()
    # The line break before a boundary belongs to the boundary (RFC 2046, section 5.1.1).
    return head, encoding, b"\r\n\r\n", data, b"\r\n"

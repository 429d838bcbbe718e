"""Addresses: one spelling each, and the keyed hash by which we remember an address without keeping it. Pure but for
the key."""

import hashlib
import hmac
import re
import unicodedata

import idna
from django.conf import settings
from django.utils.translation import gettext

MAX_LENGTH = 254
_LOCAL = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]{1,64}")


class InvalidAddressError(ValueError):
    """What was given is no mail address; the message says why, for the person who typed it."""


def normalise_address(text: str) -> str:
    """The one spelling of a mail address: NFC, case folded, the domain in its IDNA form.

    Dots and plus tags stay: they belong to the reader (RFC 5321, section 2.4, leaves the local part to its host).
    Raises InvalidAddressError.
    """
    address = unicodedata.normalize("NFC", text.strip())
    local, at, domain = address.rpartition("@")
    is_clean = _LOCAL.fullmatch(local) and local.isprintable()
    if not at or not is_clean or local.startswith(".") or local.endswith(".") or ".." in local:
        raise InvalidAddressError(
            gettext("This does not look like a mail address. It should be like name@example.org.")
        )
    try:
        ascii_domain = idna.encode(domain.casefold(), uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidAddressError(gettext("The part after the @ is not a domain name.")) from error
    # A dot at the end says the same as none. A last part of digits is no domain: 127.0.0.1 is a machine, not a name.
    ascii_domain = ascii_domain.removesuffix(".")
    if "." not in ascii_domain or ascii_domain.rpartition(".")[2].isdecimal():
        raise InvalidAddressError(gettext("The part after the @ is not a whole domain name, like example.org."))
    # Folding the case can take a text out of its normal form, so that comes last as well.
    normal = f"{unicodedata.normalize('NFC', local.casefold())}@{ascii_domain}"
    if len(normal) > MAX_LENGTH:
        raise InvalidAddressError(gettext("This address is too long to be mailed to."))
    return normal


def hash_address(address: str) -> str:
    """The keyed hash of a normalised address, as 64 hexadecimal digits."""
    return hmac.new(settings.ADDRESS_KEY.encode(), address.encode(), hashlib.sha256).hexdigest()


def mask_address(address: str) -> str:
    """The address as a page may show it to whoever holds a forwarded mail: m•••@e•••.org."""
    local, _, domain = address.partition("@")
    name, dot, ending = domain.rpartition(".")
    return f"{local[:1]}•••@{name[:1]}•••{dot}{ending}"

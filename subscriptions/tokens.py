"""Links that need no login: signed, bound to one purpose, and versioned.

A token is the subscriber's opaque id, signed with LINK_KEY under a salt that names the purpose, so a link to manage
preferences cannot be turned into one that confirms. Addresses never stand in links.
"""

import base64
import datetime as dt
import hashlib
import hmac
import time
from enum import StrEnum

from django.conf import settings
from django.core import signing
from django.urls import NoReverseMatch

from mailer.links import absolute


class Purpose(StrEnum):
    CONFIRM = "confirm"
    MANAGE = "manage"
    UNSUBSCRIBE = "unsubscribe"
    # A word on single papers of a digest.
    SIGNAL = "signal"
    # «View in browser»; it names the delivery, not the reader.
    VIEW = "view"
    # The yearly «do you still want this?».
    KEEP = "keep"
    # What a forwarded mail must not allow: each by a link of its own, asked for a moment ago.
    ARCHIVE = "archive"
    EXPORT = "export"
    ERASE = "erase"
    ADDRESS = "address"
    # Sent to a reader's new address; it names the change, not the reader.
    NEW_ADDRESS = "new-address"
    # Signs in once; it names the session to be, not the reader.
    SIGN_IN = "sign-in"


# Links in old mails must work for ever; only what grants something new runs out.
_FRESH = dt.timedelta(hours=2)
MAX_AGE = {
    Purpose.CONFIRM: dt.timedelta(days=7),
    Purpose.KEEP: dt.timedelta(days=90),
    Purpose.ARCHIVE: _FRESH,
    Purpose.EXPORT: _FRESH,
    Purpose.ERASE: _FRESH,
    Purpose.ADDRESS: _FRESH,
    Purpose.NEW_ADDRESS: dt.timedelta(days=2),
    Purpose.SIGN_IN: dt.timedelta(minutes=30),
}
_VERSION = "1"


class BadLinkError(ValueError):
    """The link is damaged, forged, or made for something else."""


class ExpiredLinkError(BadLinkError):
    """The link was good once."""


def make_token(purpose: Purpose, public_id: str) -> str:
    """The token that lets its holder do `purpose` for this subscriber."""
    return f"{_VERSION}{_signer(purpose).sign(public_id)}"


def read_token(purpose: Purpose, token: str) -> str:
    """The subscriber's opaque id. Raises BadLinkError, or ExpiredLinkError where the link was good once."""
    if not token.startswith(_VERSION):
        raise BadLinkError
    try:
        return _signer(purpose).unsign(token.removeprefix(_VERSION), max_age=MAX_AGE.get(purpose))
    except signing.SignatureExpired as error:
        raise ExpiredLinkError from error
    except signing.BadSignature as error:
        raise BadLinkError from error


def link(purpose: Purpose, public_id: str) -> str:
    """The full address of the page that does `purpose`."""
    return absolute(_page_of(purpose), token=make_token(purpose, public_id))


class LinkMaker:
    """Makes the links of one purpose for many subscribers at one moment: the very links that `link` would make then.

    What all of them share is worked out once, which makes a link cost a tenth.
    """

    def __init__(self, purpose: Purpose) -> None:
        signer = _signer(purpose)
        # How Django's signer makes its key (django.utils.crypto.salted_hmac); a test holds the two together.
        self._key = hashlib.sha256("".join([str(signer.salt), "signer", settings.LINK_KEY]).encode()).digest()
        self._suffix = f".{signing.b62_encode(int(time.time()))}"
        mark = "0" * 8
        self._before, _, self._after = absolute(_page_of(purpose), token=mark).rpartition(mark)
        self.length = len(self("0" * 32))

    def __call__(self, public_id: str) -> str:
        """The full address of the page that does this for this subscriber."""
        value = f"{public_id}{self._suffix}"
        signature = base64.urlsafe_b64encode(hmac.digest(self._key, value.encode(), "sha256")).rstrip(b"=").decode()
        return f"{self._before}{_VERSION}{value}.{signature}{self._after}"


def signal_maker() -> LinkMaker | None:
    """Makes what «more like this» and «less like this» in mails lead to, where the site has the pages: to the link of
    purpose `signal` mails add `more/<paper id>/` or `less/<paper id>/`. None where there is no such page."""
    try:
        return LinkMaker(Purpose("signal"))
    except (ValueError, NoReverseMatch):
        return None


def _signer(purpose: Purpose) -> signing.TimestampSigner:
    return signing.TimestampSigner(key=settings.LINK_KEY, sep=".", salt=f"daily-papers:{purpose.value}")


def _page_of(purpose: Purpose) -> str:
    """The name of the page that links of this purpose open."""
    return "site:view" if purpose is Purpose.VIEW else f"subscriptions:{purpose.value}"

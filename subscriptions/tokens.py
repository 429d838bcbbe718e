"""Links that need no login: signed, bound to one purpose, and versioned.

A token is the subscriber's opaque id, signed with LINK_KEY under a salt that names the purpose, so a link to manage
preferences cannot be turned into one that confirms. Addresses never stand in links.
"""

import datetime as dt
from enum import StrEnum

from django.conf import settings
from django.core import signing

from mailer.links import absolute


class Purpose(StrEnum):
    CONFIRM = "confirm"
    MANAGE = "manage"
    UNSUBSCRIBE = "unsubscribe"


# Links in old mails must work for ever; only what grants something new runs out.
MAX_AGE = {Purpose.CONFIRM: dt.timedelta(days=7)}
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
    return absolute(f"subscriptions:{purpose.value}", token=make_token(purpose, public_id))


def _signer(purpose: Purpose) -> signing.TimestampSigner:
    return signing.TimestampSigner(key=settings.LINK_KEY, sep=".", salt=f"daily-papers:{purpose.value}")

"""When a form was shown: a signed instant in a hidden field, by which haste shows."""

import datetime as dt

from django.core import signing

_SALT = "daily-papers:form"
# A page that was open for longer says nothing any more: the same stamp could be used again and again.
_GOOD_FOR = dt.timedelta(days=2)
_SHOWN = "shown"


def new_stamp() -> str:
    """For the form that is being shown now."""
    return signing.TimestampSigner(salt=_SALT).sign(_SHOWN)


def shown_for(stamp: str, *, now: dt.datetime) -> dt.timedelta | None:
    """How long ago the form with this stamp was shown; None where the stamp is missing, forged or too old."""
    signer = signing.TimestampSigner(salt=_SALT)
    try:
        signer.unsign(stamp)
        shown_at = signing.b62_decode(stamp.rsplit(":", 2)[-2])
    except (signing.BadSignature, ValueError, IndexError):
        return None
    age = now - dt.datetime.fromtimestamp(shown_at, tz=dt.UTC)
    return age if dt.timedelta() <= age <= _GOOD_FOR else None

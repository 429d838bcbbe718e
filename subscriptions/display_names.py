"""The names readers go by: what is one, and which two look the same. Pure but for the words of its errors.

Signs that are shown as nothing or turn the line around are refused (Unicode UAX #31, UTR #36), and so is mixing
scripts, by which one name is made to look like another (UTS #39, «single script»).
"""

import re
import unicodedata

from django.utils.translation import gettext

LEAST, MOST = 2, 40
_ALLOWED = re.compile(r"[\w .'’\-·]+")
_LINK = re.compile(r"://|www\.|@|\w\.\w{2,}|\bdot\s+com\b", re.IGNORECASE)
# Japanese mixes these on its own, and Korean and Chinese names come with Han.
_ONE_SCRIPT = {"CJK": "HAN", "HIRAGANA": "HAN", "KATAKANA": "HAN", "HANGUL": "HAN", "KATAKANA-HIRAGANA": "HAN"}
# Letters of Cyrillic and Greek, and digits, by the Latin letter they are taken for.
_LOOKALIKES = str.maketrans(
    {
        **dict(zip("авекмнорстухіјѕԁ", "abekmhopctyxijsd", strict=True)),
        **dict(zip("οανρτυικηω", "oavptuiknw", strict=True)),
        "ß": "ss",
        "ı": "i",
        "0": "o",
        "1": "l",
    }
)
_RESERVED = frozenset(
    map(str.casefold, ("admin", "administrator", "curator", "editor", "the editor", "moderator", "support", "team"))
)


class BadNameError(ValueError):
    """This is no name to go by; the message says why."""


def tidy_name(text: str, *, site_name: str = "") -> str:
    """The name as it will be shown. Raises BadNameError."""
    name = " ".join(unicodedata.normalize("NFKC", text).split())
    if any(unicodedata.category(sign)[0] == "C" for sign in text):
        raise BadNameError(gettext("The name has signs in it that nobody can see. Please type it anew."))
    if not LEAST <= len(name) <= MOST:
        raise BadNameError(
            gettext("Please give a name of %(least)d to %(most)d characters.") % {"least": LEAST, "most": MOST}
        )
    if _LINK.search(name):
        raise BadNameError(gettext("A name holds no address and no link."))
    if not _ALLOWED.fullmatch(name) or "_" in name or not any(sign.isalpha() for sign in name):
        raise BadNameError(gettext("Please use letters, digits, spaces, full stops, hyphens and apostrophes."))
    if len(_scripts(name)) > 1:
        raise BadNameError(gettext("Please write the name in one script: letters of several can look alike."))
    if fold_name(name) in {fold_name(each) for each in _RESERVED | {site_name}}:
        raise BadNameError(gettext("This name would be taken for ours. Please choose another."))
    return name


def fold_name(name: str) -> str:
    """What names that look the same share: without case, accents, spaces and signs, and letters by their look."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(sign for sign in decomposed if unicodedata.category(sign)[0] in "LN")
    return letters.translate(_LOOKALIKES)


def _scripts(name: str) -> set[str]:
    firsts = {unicodedata.name(sign, "?").split()[0] for sign in name if sign.isalpha()}
    return {_ONE_SCRIPT.get(first, first) for first in firsts}

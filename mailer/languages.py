"""The language a mail is written in: what templates must know of it, and who speaks it for how long.

Words go through gettext. A reader's choice is kept as a code of `settings.LANGUAGES`; nothing chosen means the
installation's own language.
"""

import datetime as dt
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import get_language, get_language_info, pgettext

# Holds nothing, so one serves all: most mails are in the language that is spoken already.
_AS_IT_IS: AbstractContextManager[Any] = nullcontext()


def known_language(code: str) -> str:
    """The code itself where mails can be written in that language, the installation's language otherwise."""
    return code if code in dict(settings.LANGUAGES) else str(settings.LANGUAGE_CODE)


def speaking(code: str) -> AbstractContextManager[Any]:
    """Within it everything is said in this language, as far as it is known."""
    wanted = code or settings.LANGUAGE_CODE
    return _AS_IT_IS if wanted == get_language() else translation.override(wanted)


def language_context() -> dict[str, str]:
    """For templates, in the language spoken now: `lang`, `direction`, and the sides a line starts and ends at."""
    return _context_of(get_language() or str(settings.LANGUAGE_CODE))


@lru_cache(maxsize=64)
def _context_of(code: str) -> dict[str, str]:
    is_rtl = bool(get_language_info(code)["bidi"])
    return {
        "lang": code,
        "direction": "rtl" if is_rtl else "ltr",
        "start": "right" if is_rtl else "left",
        "end": "left" if is_rtl else "right",
    }


def day_in_words(day: dt.date) -> str:
    """Like «Monday, 23 November 2026», as the language spoken now writes it."""
    return date_format(day, pgettext("date format: weekday, day, month, year", "l, j F Y"))


def long_day(day: dt.date) -> str:
    """Like «23 November 2026»."""
    return date_format(day, pgettext("date format: day, month, year", "j F Y"))


def short_day(day: dt.date) -> str:
    """Like «23 November»."""
    return date_format(day, pgettext("date format: day, month", "j F"))


def short_day_of_week(day: dt.date) -> str:
    """Like «Monday, 23 November»."""
    return date_format(day, pgettext("date format: weekday, day, month", "l, j F"))


def days_in_words(first: dt.date, last: dt.date) -> str:
    """Two days and what lies between, like «17 to 23 November 2026»; one day where they are the same."""
    if first == last:
        return day_in_words(last)
    return _range(first, last, pgettext("date format: day, month, year", "j F Y"))


def short_days(first: dt.date, last: dt.date) -> str:
    """The same without the year, like «17–23 November»."""
    if first == last:
        return short_day(last)
    return _range(first, last, pgettext("date format: day, month", "j F"), dash=True)


def _range(first: dt.date, last: dt.date, form: str, *, dash: bool = False) -> str:
    is_one_month = (first.year, first.month) == (last.year, last.month)
    with_month = pgettext("date format: day, month", "j F")
    begin = date_format(first, pgettext("date format: day of the month alone", "j") if is_one_month else with_month)
    end = date_format(last, form)
    if dash and is_one_month:
        return f"{begin}–{end}"
    return pgettext("two dates", "%(first)s to %(last)s") % {"first": begin, "last": end}

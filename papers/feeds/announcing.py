"""When arXiv announces what was submitted at an instant, by its schedule
(https://info.arxiv.org/help/availability.html).

What comes in until 14:00 US Eastern on a working day is announced at 20:00 that evening, Friday's on Sunday evening;
what comes later goes with the next working day. arXiv's own RSS dates an evening's announcement with the next day, and
so do we. An estimate, to date a paper with: moderation may hold one for days, so it never tells what is new.
"""

import datetime as dt

from papers.feeds.days import EASTERN

CUT_OFF = dt.time(14)

_DAY = dt.timedelta(days=1)
_FRIDAY = 4


def estimate_announced_date(submitted_at: dt.datetime, *, holidays: frozenset[dt.date] = frozenset()) -> dt.date:
    """The announcement day, as arXiv's RSS would date it, of a first version submitted at this instant.

    `holidays` are the dates in US Eastern time on whose evening nothing is announced, week-ends not counted.
    """
    eastern = submitted_at.astimezone(EASTERN)
    day = eastern.date() if eastern.time() < CUT_OFF else eastern.date() + _DAY
    while day.weekday() > _FRIDAY or day in holidays:
        day += _DAY
    # Friday's are announced on Sunday evening, which is Monday's list.
    return day + (3 * _DAY if day.weekday() == _FRIDAY else _DAY)

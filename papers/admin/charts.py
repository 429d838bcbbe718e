"""A small chart as SVG, without scripts and without styles of its own: the content policy allows neither."""

import datetime as dt
from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

HEIGHT = 28
BAR = 7
GAP = 2


def bar_chart(days: Sequence[tuple[dt.date, int, bool]]) -> SafeString:
    """A bar for each day: the day, its count, and whether the day is missing. Its label says the same in words."""
    top = max((count for _, count, _ in days), default=0) or 1
    bars = format_html_join(
        "",
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>',
        (
            (
                "desk-missing" if is_missing else "desk-bar",
                number * (BAR + GAP),
                *_extent(count, top, is_missing),
                day,
                count,
            )
            for number, (day, count, is_missing) in enumerate(days)
        ),
    )
    label = "New papers a day: " + ", ".join(f"{count} on {day:%d %b}" for day, count, _ in days if count)
    width = len(days) * (BAR + GAP)
    return format_html(
        '<svg class="desk-chart" role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}</svg>',
        label if top > 1 or any(count for _, count, _ in days) else "No new papers in these days",
        width,
        HEIGHT,
        width,
        HEIGHT,
        bars,
    )


def _extent(count: int, top: int, is_missing: bool) -> tuple[int, int, int]:
    """Where the bar begins, how wide and how high it is; a day without papers is a line, a missing one a full bar."""
    height = HEIGHT if is_missing and not count else max(1, round(HEIGHT * count / top))
    return HEIGHT - height, BAR, height

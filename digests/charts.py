"""Bar charts as SVG, without scripts and without styles of their own: the content policy allows neither.

What a bar stands for can be told without colour: each series has a pattern, the legend shows it, and every number
stands in the table that goes with the chart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, HEIGHT = 720, 220
LEFT, BOTTOM, TOP = 46, 26, 12
_ROW = 26
_NAMES = count(1)
# One pattern a series: what is drawn on top of the ground, in a square of eight.
_PATTERNS = (
    "",
    '<path d="M-2,2 l4,-4 M0,8 l8,-8 M6,10 l4,-4" class="chart-ink"/>',
    '<circle cx="4" cy="4" r="2" class="chart-dot"/>',
    '<path d="M0,4 h8" class="chart-ink"/>',
    '<path d="M4,0 v8 M0,4 h8" class="chart-ink"/>',
)


@dataclass(frozen=True, slots=True)
class Series:
    """What one kind of bar counts, label by label."""

    name: str
    values: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its legend and what its table holds."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def rows(self) -> list[tuple[str, list[int]]]:
        """The table: a label, and the value of each series."""
        return [(label, [series.values[number] for series in self.series]) for number, label in enumerate(self.labels)]

    @property
    def summary(self) -> str:
        """The chart in a sentence, for whoever does not see it."""
        told = [
            f"{series.name}: {sum(series.values)} in all, at most {max(series.values, default=0)}"
            for series in self.series
        ]
        return f"{self.title}. {'; '.join(told)}."

    def columns(self) -> SafeString:
        """Standing bars side by side, the labels below: for what goes on day by day."""
        mark = f"chart{next(_NAMES)}"
        top = max((value for series in self.series for value in series.values), default=0) or 1
        ceiling = _round_up(top)
        room, plot = (WIDTH - LEFT) / max(len(self.labels), 1), HEIGHT - BOTTOM - TOP
        width = max(2.0, min(18.0, room * 0.8 / len(self.series)))
        bars = []
        for place, series in enumerate(self.series):
            for number, value in enumerate(series.values):
                left = LEFT + number * room + (room - width * len(self.series)) / 2 + place * width
                high = plot * value / ceiling
                words = f"{self.labels[number]}, {series.name}: {value}"
                bars.append(
                    (place, f"{left:.1f}", f"{TOP + plot - high:.1f}", f"{width:.1f}", f"{high:.1f}", mark, words)
                )
        drawn = format_html_join(
            "",
            '<rect class="chart-bar chart-{0}" x="{1}" y="{2}" width="{3}" height="{4}" fill="url(#{5}-{0})">'
            "<title>{6}</title></rect>",
            bars,
        )
        return _svg(self.summary, HEIGHT, mark, len(self.series), _axis(ceiling) + self._days(room) + drawn)

    def bars(self) -> SafeString:
        """Lying bars one below the other, the labels before them: for what stands beside each other."""
        mark = f"chart{next(_NAMES)}"
        values = self.series[0].values
        top = max(values, default=0) or 1
        start, height = 230, _ROW * max(len(self.labels), 1) + 4
        rows = [
            (
                number * _ROW + 18,
                label[:34],
                start,
                number * _ROW + 6,
                f"{(WIDTH - start - 60) * value / top:.1f}",
                mark,
                f"{start + 6 + (WIDTH - start - 60) * value / top:.1f}",
                value,
            )
            for number, (label, value) in enumerate(zip(self.labels, values, strict=True))
        ]
        drawn = format_html_join(
            "",
            '<text class="chart-word" x="0" y="{0}">{1}</text>'
            '<rect class="chart-bar chart-0" x="{2}" y="{3}" width="{4}" height="16" fill="url(#{5}-0)"/>'
            '<text class="chart-word" x="{6}" y="{0}">{7}</text>',
            rows,
        )
        return _svg(self.summary, height, mark, 1, drawn)

    def legend(self) -> SafeString:
        """What each pattern stands for."""
        if len(self.series) < 2:
            return SafeString("")
        mark = f"chart{next(_NAMES)}"
        items = format_html_join(
            "",
            '<li><svg class="chart-key" width="18" height="14" aria-hidden="true">{0}'
            '<rect class="chart-bar chart-{1}" width="18" height="14" fill="url(#{2}-{1})"/></svg> {3}</li>',
            ((_defs(mark, [place]), place, mark, series.name) for place, series in enumerate(self.series)),
        )
        return format_html('<ul class="chart-legend">{}</ul>', items)

    def _days(self, room: float) -> SafeString:
        every = max(1, round(len(self.labels) / 10))
        shown = [
            (f"{LEFT + number * room + room / 2:.1f}", HEIGHT - 8, label)
            for number, label in enumerate(self.labels)
            if number % every == 0
        ]
        return format_html_join("", '<text class="chart-word" text-anchor="middle" x="{}" y="{}">{}</text>', shown)


def _svg(summary: str, height: int, mark: str, series: int, drawn: SafeString) -> SafeString:
    return format_html(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}{}</svg>',
        summary,
        WIDTH,
        height,
        _defs(mark, range(series)),
        drawn,
    )


def _defs(mark: str, places: Sequence[int]) -> SafeString:
    patterns = format_html_join(
        "",
        '<pattern id="{0}-{1}" width="8" height="8" patternUnits="userSpaceOnUse">'
        '<rect width="8" height="8" class="chart-ground-{1}"/>{2}</pattern>',
        ((mark, place, SafeString(_PATTERNS[place % len(_PATTERNS)])) for place in places),
    )
    return format_html("<defs>{}</defs>", patterns)


def _axis(ceiling: int) -> SafeString:
    plot = HEIGHT - BOTTOM - TOP
    lines = [(f"{TOP + plot * (1 - part):.1f}", LEFT, WIDTH, LEFT - 6, round(ceiling * part)) for part in (0, 0.5, 1)]
    return format_html_join(
        "",
        '<line class="chart-line" x1="{1}" x2="{2}" y1="{0}" y2="{0}"/>'
        '<text class="chart-word" text-anchor="end" x="{3}" y="{0}" dy="4">{4}</text>',
        lines,
    )


def _round_up(value: int) -> int:
    """The next number that reads well on an axis: 2, 4, 10, 20, 40, 100 …"""
    step = 1
    while True:
        for factor in (2, 4, 10):
            if value <= factor * step:
                return factor * step
        step *= 10

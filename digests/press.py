"""Digests joined from pieces: what is the same for everybody is rendered once, what is personal is filled in.

Every piece comes out of the very templates that `digest.render_plainly` fills as a whole, with its styles inlined by
the same inliner; a test holds both to the same octets. A paper's card is made once per paper, revision and edition
note, as HTML and as text; the frame around the cards once per edition and revision.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.safestring import mark_safe

from digests.cards import Card
from digests.selection import Section
from mailer.links import site_context
from mailer.messages import Parts, check_budget, inline_styles, render_part
from mailer.pieces import Filled, Joined, Piece, Template, cut, escape_attribute, escape_text, make_mark
from mailer.wrapping import LONGEST_LINE, fold_blanks, fold_html, wrap_line, wrap_text
from subscriptions.tokens import LinkMaker, Purpose

HEADINGS = {Section.PICKS: "Editor’s picks", Section.PERSONAL: "For you", Section.TRENDING: "Trending"}
MOST_CARDS = 4000
MOST_FRAMES = 50

_REASON = make_mark("reason")
_HERE = make_mark("here")
# The personal parts whose length differs from reader to reader.
_MOVING = frozenset({"why", "count", "preheader"})
_GAP = Piece("\n\n")
# With the blank line before the card.
_NUMBERS = [Piece(f"\n\n{number:>2}.") for number in range(100)]


class Line(NamedTuple):
    """One paper in a digest, with the words that say why it is there."""

    card: Card
    section: Section
    reason: str


@dataclass(frozen=True, slots=True)
class Personal:
    """What in a digest is this reader's alone, besides the papers."""

    why: str
    manage_url: str
    unsubscribe_url: str


@dataclass(frozen=True, slots=True)
class _CardPieces:
    """A card rendered, and cut where the reason goes."""

    html: tuple[str, ...]
    text: tuple[str, ...]


class _Entry(NamedTuple):
    """A card with its reason, ready to be joined: the text without its number."""

    html: Piece
    text: Piece
    # The title as it stands in HTML, for the preheader.
    title: str


class Press:
    """Joins digests. Keep one for many readers; it is as good as the templates, so as long as the process lives."""

    def __init__(self) -> None:
        self._cards: OrderedDict[tuple[Card, bool], _CardPieces] = OrderedDict()
        self._frames: dict[tuple[Any, ...], _Frame] = {}
        self._headings: dict[Section, tuple[Piece, Piece]] = {}
        # By the identity of lines, which are kept with them: finding one so costs no comparing of texts.
        self._entries: dict[int, tuple[Line, _Entry]] = {}

    def join(self, lines: Sequence[Line], personal: Personal, *, frame_context: dict[str, Any]) -> Parts:
        """One digest. `frame_context` is what the templates need besides: the same for all readers of an edition.

        Raises OverBudgetError where the HTML would be cut off in the inbox.
        """
        frame = self._frame(frame_context)
        html: list[Piece] = []
        text: list[Piece] = []
        titles: list[str] = []
        section: Section | None = None
        for number, line in enumerate(lines, start=1):
            if line.section is not section:
                section = line.section
                heading_html, heading_text = self._heading(section)
                html.append(heading_html)
                text.append(heading_text)
            known = self._entries.get(id(line))
            entry = known[1] if known else self._entry(line)
            html.append(entry.html)
            text += (_NUMBERS[number], entry.text)
            titles.append(entry.title)
        whole_html = frame.html(html, personal, count=len(lines), titles=titles)
        whole_text = frame.text(text, personal)
        # Only a number stands on a line with another piece: all others end their lines.
        longest = max([piece.longest for piece in whole_html] + [piece.longest for piece in whole_text]) + 3
        at_most = longest if longest <= LONGEST_LINE else None
        parts = Parts(
            subject=subject_of(lines, frame_context),
            text=Joined(whole_text, at_most=at_most),
            html=Joined(whole_html, at_most=at_most),
        )
        check_budget("digest", parts.html.size)
        return parts

    def forget_lines(self) -> None:
        """The lines joined so far will not be seen again; what was rendered for their cards stays."""
        self._entries.clear()

    def _frame(self, context: dict[str, Any]) -> "_Frame":
        edition = context["edition"]
        key = (edition.pk, edition.revision, edition.title, edition.intro, context["day"], context["is_sample"])
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) > MOST_FRAMES:
                self._frames.clear()
            frame = self._frames[key] = _Frame(context)
        return frame

    def _heading(self, section: Section) -> tuple[Piece, Piece]:
        if section not in self._headings:
            context = {"heading": HEADINGS[section]}
            self._headings[section] = (
                Piece(_styled(render_part("html", "digest", "heading.html", context))),
                Piece("\n\n" + wrap_text(render_part("text", "digest", "heading.txt", context)).strip("\n")),
            )
        return self._headings[section]

    def _entry(self, line: Line) -> _Entry:
        card = self._card(line.card, is_pick=line.section is Section.PICKS, reason=line.reason)
        entry = _Entry(
            html=Piece(escape_text(line.reason).join(card.html)),
            text=Piece(wrap_line(f"    [{line.reason}]").join(card.text)),
            title=escape_text(line.card.title),
        )
        if len(self._entries) > MOST_CARDS:
            self._entries.clear()
        self._entries[id(line)] = (line, entry)
        return entry

    def _card(self, card: Card, *, is_pick: bool, reason: str) -> _CardPieces:
        key = (card, is_pick)
        pieces = self._cards.get(key)
        if pieces is None:
            # The note of a pick stands on one line with the reason, which is the same for all picks.
            has_own_line = not (is_pick and card.note_html)
            pieces = self._cards[key] = _card_pieces(card, is_pick=is_pick, reason=_REASON if has_own_line else reason)
            if len(self._cards) > MOST_CARDS:
                self._cards.popitem(last=False)
        return pieces


class _Frame:
    """All of a digest but its papers, cut where the personal parts go."""

    def __init__(self, context: dict[str, Any]) -> None:
        manage, unsubscribe = LinkMaker(Purpose.MANAGE), LinkMaker(Purpose.UNSUBSCRIBE)
        self._marks = {
            "why": make_mark("why"),
            "count": make_mark("count"),
            "preheader": make_mark("preheader"),
            # As long as the real ones, so that lines break where they will.
            "manage": make_mark("manage", length=manage.length),
            "unsubscribe": make_mark("unsubscribe", length=unsubscribe.length),
        }
        shared = {
            **site_context(),
            **context,
            "sections": [],
            "why": self._marks["why"],
            "papers_for_you": self._marks["count"],
            "preheader": self._marks["preheader"],
            "manage_url": self._marks["manage"],
            "unsubscribe_url": self._marks["unsubscribe"],
            "pieces": _HERE,
        }
        before, after = inline_styles(render_part("html", "digest", "body.html", shared)).split(_HERE)
        self._html_before = _Gaps(before, self._marks, is_html=True)
        self._html_after = _Gaps(after, self._marks, is_html=True)
        before, after = render_part("text", "digest", "body.txt", shared).split(_HERE)
        self._text_before = Piece(wrap_text(before).strip("\n"))
        self._text_after = _Gaps(fold_blanks(wrap_text(after)).lstrip("\n"), self._marks, is_html=False)

    def html(self, cards: list[Piece], personal: Personal, *, count: int, titles: list[str]) -> list[Piece | Filled]:
        """The HTML part, `cards` in its middle."""
        values = {
            "why": escape_text(personal.why),
            "manage": escape_attribute(personal.manage_url),
            "unsubscribe": escape_attribute(personal.unsubscribe_url),
            "count": papers_for_you(count),
            "preheader": preheader(count, titles),
        }
        return [self._html_before.fill(values), *cards, self._html_after.fill(values)]

    def text(self, cards: list[Piece], personal: Personal) -> list[Piece | Filled]:
        """The text part, `cards` in its middle."""
        values = {"why": personal.why, "manage": personal.manage_url, "unsubscribe": personal.unsubscribe_url}
        return [self._text_before, *cards, _GAP, self._text_after.fill(values)]


def subject_of(lines: Sequence[Line], context: dict[str, Any]) -> str:
    """The subject, as subject.txt has it."""
    lead = lines[0].card.title if lines else ""
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    sample = "[Sample] " if context["is_sample"] else ""
    return " ".join(f"{sample}{context['short_day']}: {lead}{more}".split())


def papers_for_you(count: int) -> str:
    """How many, in words."""
    return f"{count} paper{'' if count == 1 else 's'} for you"


def preheader(count: int, titles: Sequence[str]) -> str:
    """What an inbox shows beside the subject, which names the first paper: what else is in it."""
    also = f". Also: {'; '.join(titles[1:3])}" if len(titles) > 1 else ""
    return f"{papers_for_you(count)}{also}."


def _card_pieces(card: Card, *, is_pick: bool, reason: str) -> _CardPieces:
    context = {"card": card, "reason": reason, "slug": Section.PICKS.value if is_pick else ""}
    html = _styled(render_part("html", "digest", "card.html", context))
    # With a number of two digits before it, as in the whole text, so that its lines break as they do there.
    text = wrap_text(f"10. {render_part('text', 'digest', 'card.txt', context)}").removeprefix("10.").rstrip("\n")
    return _CardPieces(html=tuple(html.split(_REASON)), text=tuple(text.split(f"    [{_REASON}]")))


def _styled(piece: str) -> str:
    """A piece of HTML with its styles inlined, and its lines folded, as they would be inside the whole mail."""
    # S308: the piece was rendered, and escaped, by Django's own engine.
    whole = render_part("html", "digest", "body.html", {"pieces": mark_safe(f"{_HERE}\n{piece}\n{_HERE}")})  # noqa: S308
    return fold_html(inline_styles(whole).split(_HERE)[1][1:-1])


class _Gaps:
    """A run of lines in which something personal stands. Most of it goes in as it is; a line whose length differs from
    reader to reader is made as a whole, so that it can be broken where it must."""

    def __init__(self, text: str, marks: dict[str, str], *, is_html: bool) -> None:
        self._is_html = is_html
        runs = [""]
        # A name where the part goes in as it is, or the whole line, cut.
        self._gaps: list[str | list[str]] = []
        lines = text.split("\n")
        for index, line in enumerate(lines):
            parts = cut(line, marks)
            if _MOVING.intersection(parts[1::2]):
                self._gaps.append(parts)
                runs.append("")
            else:
                # What goes in is as long as its mark, so it breaks now where it would break then.
                parts = cut(fold_html(line), marks) if is_html else parts
                runs[-1] += parts[0]
                for name, after in zip(parts[1::2], parts[2::2], strict=True):
                    self._gaps.append(name)
                    runs.append(after)
            if index < len(lines) - 1:
                runs[-1] += "\n"
        self._template = Template(runs, [marks[gap] if isinstance(gap, str) else "" for gap in self._gaps])

    def fill(self, values: dict[str, str]) -> Filled:
        """The lines of one reader."""
        found = []
        for gap in self._gaps:
            if isinstance(gap, str):
                found.append(values[gap])
                continue
            line = "".join([values[part] if place % 2 else part for place, part in enumerate(gap)])
            found.append(fold_html(line) if self._is_html else wrap_line(line))
        return Filled(self._template, tuple(found))

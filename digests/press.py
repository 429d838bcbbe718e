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
from mailer.pieces import Joined, Piece, cut, escape_attribute, escape_text, placeholder
from mailer.wrapping import LONGEST_LINE, fold_blanks, fold_html, wrap_line, wrap_text
from subscriptions.tokens import LinkMaker, Purpose

HEADINGS = {Section.PICKS: "Editor’s picks", Section.PERSONAL: "For you", Section.TRENDING: "Trending"}
MOST_CARDS = 4000

_REASON = placeholder("reason")
_HERE = placeholder("here")
_GAP = Piece("\n\n")
_NUMBERS = [Piece(f"{number:>2}.") for number in range(100)]


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
    html: tuple[Piece, ...]
    text: tuple[Piece, ...]
    # The title as it stands in HTML, for the preheader.
    title: str
    # How long a line of it is at most, in either form, without what is filled in.
    longest: int


class Press:
    """Joins digests. Keep one for many readers; it is as good as the templates, so as long as the process lives."""

    def __init__(self) -> None:
        self._cards: OrderedDict[tuple[Card, bool], _CardPieces] = OrderedDict()
        self._frames: dict[tuple[Any, ...], _Frame] = {}
        self._reasons: dict[str, tuple[Piece, Piece]] = {}
        self._headings: dict[Section, tuple[Piece, Piece]] = {}
        # Cards by identity, for as long as the caller keeps them: finding one so costs no comparing of texts.
        self._known: dict[tuple[int, bool], tuple[Card, _CardPieces]] = {}

    def join(self, lines: Sequence[Line], personal: Personal, *, frame_context: dict[str, Any]) -> Parts:
        """One digest. `frame_context` is what the templates need besides: the same for all readers of an edition.

        Raises OverBudgetError where the HTML would be cut off in the inbox.
        """
        frame = self._frame(frame_context)
        html: list[Piece] = []
        text: list[Piece] = []
        titles: list[str] = []
        longest = longest_reason = 0
        section: Section | None = None
        for number, line in enumerate(lines, start=1):
            if line.section is not section:
                section = line.section
                heading_html, heading_text = self._heading(section)
                html.append(heading_html)
                text += (_GAP, heading_text)
            is_pick = section is Section.PICKS
            known = self._known.get((id(line.card), is_pick))
            card = known[1] if known else self._card(line.card, is_pick=is_pick, reason=line.reason)
            titles.append(card.title)
            longest = max(longest, card.longest)
            text += (_GAP, _NUMBERS[number])
            if len(card.html) == 1:
                html += card.html
                text += card.text
            else:
                reason_html, reason_text = self._reason(line.reason)
                longest_reason = max(longest_reason, reason_html.longest)
                html += (card.html[0], reason_html, card.html[1])
                text += (card.text[0], reason_text, card.text[1])
        whole_html = frame.html(html, personal, count=len(lines), titles=titles)
        whole_text = frame.text(text, personal)
        # A number, or a reason, stands on a line with the end and the beginning of pieces around it; lines of the frame
        # are pieces of their own.
        longest = max(longest + longest_reason + 3, *[piece.longest for piece in (*whole_html, *whole_text)])
        at_most = longest if longest <= LONGEST_LINE else None
        parts = Parts(
            subject=subject_of(lines, frame_context),
            text=Joined(whole_text, at_most=at_most),
            html=Joined(whole_html, at_most=at_most),
        )
        check_budget("digest", parts.html.size)
        return parts

    def _frame(self, context: dict[str, Any]) -> "_Frame":
        edition = context["edition"]
        key = (edition.pk, edition.revision, edition.title, edition.intro, context["day"], context["is_sample"])
        if key not in self._frames:
            self._frames = {key: _Frame(context)} if len(self._frames) > 50 else self._frames | {key: _Frame(context)}
        return self._frames[key]

    def _heading(self, section: Section) -> tuple[Piece, Piece]:
        if section not in self._headings:
            context = {"heading": HEADINGS[section]}
            self._headings[section] = (
                Piece(_styled(render_part("html", "digest", "heading.html", context))),
                Piece(wrap_text(render_part("text", "digest", "heading.txt", context)).strip("\n")),
            )
        return self._headings[section]

    def _reason(self, reason: str) -> tuple[Piece, Piece]:
        if reason not in self._reasons:
            if len(self._reasons) > MOST_CARDS:
                self._reasons.clear()
            self._reasons[reason] = (Piece(escape_text(reason)), Piece(wrap_line(f"    [{reason}]")))
        return self._reasons[reason]

    def _card(self, card: Card, *, is_pick: bool, reason: str) -> _CardPieces:
        key = (card, is_pick)
        pieces = self._cards.get(key)
        if pieces is None:
            # The note of a pick stands on one line with the reason, which is the same for all picks.
            has_own_line = not (is_pick and card.note_html)
            pieces = self._cards[key] = _card_pieces(card, is_pick=is_pick, reason=_REASON if has_own_line else reason)
            if len(self._cards) > MOST_CARDS:
                self._cards.popitem(last=False)
        if len(self._known) > MOST_CARDS:
            self._known.clear()
        # The card is kept with its pieces, so that its identity stays its own.
        self._known[id(card), is_pick] = (card, pieces)
        return pieces


class _Frame:
    """All of a digest but its papers, cut where the personal parts go."""

    def __init__(self, context: dict[str, Any]) -> None:
        manage, unsubscribe = LinkMaker(Purpose.MANAGE), LinkMaker(Purpose.UNSUBSCRIBE)
        self._marks = {
            "why": placeholder("why"),
            "count": placeholder("count"),
            "preheader": placeholder("preheader"),
            # As long as the real ones, so that lines break where they will.
            "manage": placeholder("manage", length=manage.length),
            "unsubscribe": placeholder("unsubscribe", length=unsubscribe.length),
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
        self._html_before = _cut_lines(before, self._marks, fold=True)
        self._html_after = _cut_lines(after, self._marks, fold=True)
        before, after = render_part("text", "digest", "body.txt", shared).split(_HERE)
        self._text_before = Piece(wrap_text(before).strip("\n"))
        self._text_after = _cut_lines(fold_blanks(wrap_text(after)).lstrip("\n"), self._marks, fold=False)

    def html(self, cards: list[Piece], personal: Personal, *, count: int, titles: list[str]) -> list[Piece]:
        """The HTML part, `cards` in its middle."""
        values = {
            "why": escape_text(personal.why),
            "manage": escape_attribute(personal.manage_url),
            "unsubscribe": escape_attribute(personal.unsubscribe_url),
            "count": papers_for_you(count),
            "preheader": preheader(count, titles),
        }
        return [*_filled(self._html_before, values), *cards, *_filled(self._html_after, values)]

    def text(self, cards: list[Piece], personal: Personal) -> list[Piece]:
        """The text part, `cards` in its middle."""
        values = {"why": personal.why, "manage": personal.manage_url, "unsubscribe": personal.unsubscribe_url}
        return [self._text_before, *cards, _GAP, *_filled(self._text_after, values, is_text=True)]


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
    html_pieces = tuple(map(Piece, html.split(_REASON)))
    text_pieces = tuple(map(Piece, text.split(f"    [{_REASON}]")))
    return _CardPieces(
        html=html_pieces,
        text=text_pieces,
        title=escape_text(card.title),
        longest=max(_longest(html_pieces), _longest(text_pieces)),
    )


def _longest(pieces: Sequence[Piece]) -> int:
    joint = pieces[0].last + pieces[1].first if len(pieces) > 1 else 0
    return max(joint, *[piece.longest for piece in pieces], 0)


def _styled(piece: str) -> str:
    """A piece of HTML with its styles inlined, and its lines folded, as they would be inside the whole mail."""
    # S308: the piece was rendered, and escaped, by Django's own engine.
    whole = render_part("html", "digest", "body.html", {"pieces": mark_safe(f"{_HERE}\n{piece}\n{_HERE}")})  # noqa: S308
    return fold_html(inline_styles(whole).split(_HERE)[1][1:-1])


def _cut_lines(text: str, marks: dict[str, str], *, fold: bool) -> "list[Piece | list[str]]":
    """`text` as runs of whole lines that are the same for all, and lines that are not, cut where something goes in."""
    found: list[Piece | list[str]] = []
    run: list[str] = []
    lines = text.split("\n")
    for index, line in enumerate(lines):
        parts = cut(line, marks)
        ending = "\n" if index < len(lines) - 1 else ""
        if len(parts) == 1:
            run.append(f"{fold_html(line) if fold else line}{ending}")
            continue
        found += [Piece("".join(run)), parts]
        run = [ending]
    return [*found, Piece("".join(run))]


def _filled(parts: "list[Piece | list[str]]", values: dict[str, str], *, is_text: bool = False) -> list[Piece]:
    filled: list[Piece] = []
    for part in parts:
        if isinstance(part, Piece):
            filled.append(part)
            continue
        line = "".join([values[item] if place % 2 else item for place, item in enumerate(part)])
        if not is_text:
            line = fold_html(line)
        elif part[1] == "why":
            line = wrap_line(line)
        filled.append(Piece(line))
    return filled

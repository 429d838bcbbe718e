"""Digests joined from pieces: what is the same for everybody is rendered once, what is personal is filled in.

Every piece comes out of the very templates that `digest.render_plainly` fills as a whole, with its styles inlined by
the same inliner; a test holds both to the same octets. A paper's card is made once per paper, revision and edition
note, as HTML and as text; the frame around the cards once per edition and revision.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from django.utils.safestring import mark_safe
from django.utils.translation import gettext, gettext_lazy, ngettext

from digests.cards import Card
from digests.reasons import in_words
from digests.selection import Section
from mailer.languages import language_context, speaking
from mailer.links import site_context
from mailer.messages import Parts, check_budget, inline_styles, render_part
from mailer.pieces import Filled, Joined, Piece, Template, cut, escape_attribute, escape_text, make_mark
from mailer.wrapping import LONGEST_LINE, fold_blanks, fold_html, wrap_line, wrap_text
from subscriptions.tokens import LinkMaker, Purpose

HEADINGS = {
    Section.PICKS: gettext_lazy("Editor’s picks"),
    Section.PERSONAL: gettext_lazy("For you"),
    Section.TRENDING: gettext_lazy("Trending"),
}
MOST_CARDS = 4000
MOST_FRAMES = 50

_REASON = make_mark("reason")
_NUMBER = make_mark("number")
_HERE = make_mark("here")
# The personal parts whose length differs from reader to reader.
_MOVING = frozenset({"why", "count", "preheader", "view"})
_GAP = Piece("\n\n")


class Line(NamedTuple):
    """One paper in a digest, with the words that say why it is there."""

    card: Card
    section: Section
    reason: str
    # Whether other readers may have it for the same reason, so that it is worth keeping.
    is_shared: bool = True


@dataclass(frozen=True, slots=True)
class Personal:
    """What in a digest is this reader's alone, besides the papers."""

    why: str
    manage_url: str
    unsubscribe_url: str
    # This very digest as a page; before there is one, the edition's.
    view_url: str
    # What `more/<paper>/` and `less/<paper>/` are added to; nothing where the site has no such pages.
    signal_url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class _CardPieces:
    """A card rendered, with marks where the reason and, in the text, its number go."""

    html: str
    text: str


class _Entry(NamedTuple):
    """A card with its reason, ready to be joined."""

    html: Piece
    # By the number that the card has in the digest.
    texts: dict[int, Piece]
    raw_text: str
    # The title as it stands in HTML, for the preheader.
    title: str

    def text(self, number: int) -> Piece:
        """The card as text, with this number."""
        if number not in self.texts:
            lines = f"{number:>2}. {self.raw_text.replace(_NUMBER, str(number))}".splitlines()
            whole = fold_blanks("\n".join([wrap_line(line.rstrip()) for line in lines])).rstrip("\n")
            # With the blank line before the card.
            self.texts[number] = Piece(f"\n\n{whole}")
        return self.texts[number]


class Press:
    """Joins digests. Keep one for many readers; it is as good as the templates, so as long as the process lives."""

    def __init__(self) -> None:
        self._cards: OrderedDict[tuple[Card, bool, str, int], _CardPieces] = OrderedDict()
        self._frames: dict[tuple[Any, ...], _Frame] = {}
        self._headings: dict[tuple[Section, str], tuple[Piece, Piece]] = {}
        # For each language and length of the links that are the reader's own, by the identity of lines, which are kept
        # with them: finding one so costs no comparing of texts.
        self._entries: dict[tuple[str, int], dict[int, tuple[Line, _Entry]]] = {}

    def join(self, lines: Sequence[Line], personal: Personal, *, frame_context: dict[str, Any]) -> Parts:
        """One digest. `frame_context` is what the templates need besides: the same for all readers of an edition.

        Raises OverBudgetError where the HTML would be cut off in the inbox.
        """
        frame = self._frame(frame_context, personal.language)
        entries = self._entries.setdefault((personal.language, len(personal.signal_url)), {})
        html: list[Piece] = []
        text: list[Piece] = []
        titles: list[str] = []
        section: Section | None = None
        for number, line in enumerate(lines, start=1):
            if line.section is not section:
                section = line.section
                heading_html, heading_text = self._heading(section, personal.language)
                html.append(heading_html)
                text.append(heading_text)
            known = entries.get(id(line))
            entry = known[1] if known else self._entry(line, personal, entries)
            html.append(entry.html)
            text.append(entry.texts.get(number) or entry.text(number))
            titles.append(entry.title)
        whole_html = frame.html(html, personal, count=len(lines), titles=titles)
        whole_text = frame.text(text, personal)
        # Every piece ends its lines.
        longest = max([piece.longest for piece in whole_html] + [piece.longest for piece in whole_text])
        at_most = longest if longest <= LONGEST_LINE else None
        # The cards hold a mark where the reader's own link goes, which is as long.
        swap = (_signal_mark(personal), personal.signal_url) if personal.signal_url else None
        parts = Parts(
            subject=subject_of([line.card.title for line in lines], frame_context, personal.language),
            text=Joined(whole_text, at_most=at_most, swap=swap),
            html=Joined(whole_html, at_most=at_most, swap=swap),
        )
        check_budget("digest", parts.html.size)
        return parts

    def forget_lines(self) -> None:
        """The lines joined so far will not be seen again; what was rendered for their cards stays."""
        self._entries.clear()

    def _frame(self, context: dict[str, Any], language: str) -> "_Frame":
        edition = context["edition"]
        kind = (context["is_sample"], context["is_weekly"], context["is_first"], language)
        key = (edition.pk, edition.revision, edition.title, edition.intro, context["day"], *kind)
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) > MOST_FRAMES:
                self._frames.clear()
            with speaking(language):
                frame = self._frames[key] = _Frame(context)
        return frame

    def _heading(self, section: Section, language: str) -> tuple[Piece, Piece]:
        key = (section, language)
        if key not in self._headings:
            with speaking(language):
                context = {"heading": HEADINGS[section]}
                html = fold_html(_styled(render_part("html", "digest", "heading.html", context)))
                text = wrap_text(render_part("text", "digest", "heading.txt", context)).strip("\n")
            self._headings[key] = (Piece(html), Piece(f"\n\n{text}"))
        return self._headings[key]

    def _entry(self, line: Line, personal: Personal, entries: dict[int, tuple[Line, _Entry]]) -> _Entry:
        with speaking(personal.language):
            card = self._card(line.card, personal, is_pick=line.section is Section.PICKS)
            reason = in_words(line.reason)
        entry = _Entry(
            html=Piece(fold_html(card.html.replace(_REASON, escape_text(reason)))),
            texts={},
            raw_text=card.text.replace(_REASON, reason),
            title=escape_text(line.card.title),
        )
        if line.is_shared:
            if len(entries) > MOST_CARDS:
                entries.clear()
            entries[id(line)] = (line, entry)
        return entry

    def _card(self, card: Card, personal: Personal, *, is_pick: bool) -> _CardPieces:
        key = (card, is_pick, personal.language, len(personal.signal_url))
        pieces = self._cards.get(key)
        if pieces is None:
            pieces = self._cards[key] = _card_pieces(card, is_pick=is_pick, signal_url=_signal_mark(personal))
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
            "view": make_mark("view"),
            # As long as the real ones, so that lines break where they will.
            "manage": make_mark("manage", length=manage.length),
            "unsubscribe": make_mark("unsubscribe", length=unsubscribe.length),
        }
        shared = {
            **site_context(),
            **language_context(),
            **context,
            "sections": [],
            "why": self._marks["why"],
            "papers_for_you": self._marks["count"],
            "preheader": self._marks["preheader"],
            "manage_url": self._marks["manage"],
            "unsubscribe_url": self._marks["unsubscribe"],
            "view_url": self._marks["view"],
            "pieces": _HERE,
        }
        before, after = inline_styles(render_part("html", "digest", "body.html", shared)).split(_HERE)
        self._html_before = _Gaps(before, self._marks, is_html=True)
        self._html_after = _Gaps(after, self._marks, is_html=True)
        before, after = render_part("text", "digest", "body.txt", shared).split(_HERE)
        self._text_before = Piece(wrap_text(before).strip("\n"))
        self._text_after = _Gaps(fold_blanks(wrap_text(after)).lstrip("\n"), self._marks, is_html=False)

    def html(
        self, cards: Sequence[Piece], personal: Personal, *, count: int, titles: list[str]
    ) -> list[Piece | Filled]:
        """The HTML part, `cards` in its middle."""
        values = {
            "why": escape_text(personal.why),
            "manage": escape_attribute(personal.manage_url),
            "unsubscribe": escape_attribute(personal.unsubscribe_url),
            "view": escape_attribute(personal.view_url),
            "count": papers_for_you(count, personal.language),
            "preheader": preheader(count, titles, personal.language),
        }
        return [self._html_before.fill(values), *cards, self._html_after.fill(values)]

    def text(self, cards: Sequence[Piece], personal: Personal) -> list[Piece | Filled]:
        """The text part, `cards` in its middle."""
        values = {
            "why": personal.why,
            "manage": personal.manage_url,
            "unsubscribe": personal.unsubscribe_url,
            "view": personal.view_url,
        }
        return [self._text_before, *cards, _GAP, self._text_after.fill(values)]


def subject_of(titles: Sequence[str], context: dict[str, Any], language: str) -> str:
    """The subject: the editor's own line, or the day or the week, the first paper, and how many more there are."""
    words = _subject_words(language, context["is_weekly"], context["is_sample"], len(titles) - 1)
    if context["subject_line"]:
        # The editor's own words, which stand for one day and not for a week.
        sample = _sample_word(language) if context["is_sample"] else ""
        return f"{sample} {context['subject_line']}".strip()
    lead = titles[0] if titles else ""
    return " ".join((words % {"when": context["short_day"], "lead": lead, "count": len(titles) - 1}).split())


def papers_for_you(count: int, language: str) -> str:
    """How many, in words."""
    return _count_words(language, count)[0]


def preheader(count: int, titles: Sequence[str], language: str) -> str:
    """What an inbox shows beside the subject, which names the first paper: what else is in it."""
    papers, also = _count_words(language, count)
    return also % {"papers": papers, "titles": "; ".join(titles[1:3])} if len(titles) > 1 else f"{papers}."


# What each digest needs of gettext is asked for once: whoever speaks a language must be found out each time.
@lru_cache(maxsize=512)
def _count_words(language: str, count: int) -> tuple[str, str]:
    with speaking(language):
        papers = ngettext("%(count)d paper for you", "%(count)d papers for you", count) % {"count": count}
        return papers, gettext("%(papers)s. Also: %(titles)s.")


@lru_cache(maxsize=512)
def _sample_word(language: str) -> str:
    with speaking(language):
        return gettext("[Sample]")


@lru_cache(maxsize=512)
def _subject_words(language: str, is_weekly: bool, is_sample: bool, more: int) -> str:
    with speaking(language):
        sample = _sample_word(language) if is_sample else ""
        if more <= 0:
            words = gettext("Your week, %(when)s: %(lead)s") if is_weekly else gettext("%(when)s: %(lead)s")
        elif is_weekly:
            words = ngettext(
                "Your week, %(when)s: %(lead)s and %(count)d more",
                "Your week, %(when)s: %(lead)s and %(count)d more",
                more,
            )
        else:
            words = ngettext("%(when)s: %(lead)s and %(count)d more", "%(when)s: %(lead)s and %(count)d more", more)
        return f"{sample} {words}"


def _card_pieces(card: Card, *, is_pick: bool, signal_url: str) -> _CardPieces:
    context = {
        **language_context(),
        "card": card,
        "reason": _REASON,
        "number": _NUMBER,
        "slug": Section.PICKS.value if is_pick else "",
        "signal_url": signal_url,
    }
    html = _styled(render_part("html", "digest", "card.html", context))
    return _CardPieces(html=html, text=render_part("text", "digest", "card.txt", context))


def _signal_mark(personal: Personal) -> str:
    """As long as the real link, so that lines break where they will; nothing where there is none."""
    return make_mark("signal", length=len(personal.signal_url)) if personal.signal_url else ""


def _styled(piece: str) -> str:
    """A piece of HTML with its styles inlined as they would be inside the whole mail. Its lines are not folded yet."""
    # S308: the piece was rendered, and escaped, by Django's own engine.
    context = {**language_context(), "pieces": mark_safe(f"{_HERE}\n{piece}\n{_HERE}")}  # noqa: S308
    return inline_styles(render_part("html", "digest", "body.html", context)).split(_HERE)[1][1:-1]


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

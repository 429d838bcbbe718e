"""Pictures of pages, for wherever somebody shares a link: one for each paper and edition, drawn by Pillow (Open Graph,
https://ogp.me). They say what the page says first: title, authors, day.

A picture is drawn when it is first asked for, one at a time in each process, and kept like the pages are. Whoever asks
for so many that the turn does not come is told to come back: no picture keeps the threads that pages are made by.
"""

import datetime as dt
import io
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from threading import BoundedSemaphore

import fontpkg
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from PIL import Image, ImageDraw, ImageFont

from digests.api.listing import newest_entry_of
from digests.cards import split_authors
from digests.models import Choice, Edition, EditionPaper
from digests.pages.caching import PICTURES, public_page
from digests.pages.days import long_date, read_day
from papers.paper_ids import find_paper, public_id

WIDTH, HEIGHT, MARGIN = 1200, 630, 72
MOST_LINES = 5
# A title longer than this is cut before anything is measured.
LONGEST_TITLE = 400
_PAPER, _INK, _SOFT, _ACCENT = "#fbfaf7", "#1d1f24", "#595e68", "#8a3412"
_REGULAR, _BOLD = 400, 650
# What Noto Serif has no sign for is drawn from these where the machine has them, and else left out.
_MORE_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc",
    "/usr/share/fonts/truetype/noto/NotoSansSymbols2-Regular.ttf",
)
# A title of which less than this can be drawn says nothing.
_LEAST_DRAWN = 0.7
# Where a title cannot be drawn.
WITHOUT_TITLE = "A new research paper"
# Accents heaped on one letter.
_PILED = re.compile(r"([\u0300-\u036f]{2})[\u0300-\u036f]+")
# Drawing takes a core for some hundredths of a second: whoever asks for very many at once waits.
_turns = BoundedSemaphore(1)
_PATIENCE = 2.0  # seconds
_COME_BACK = 5  # seconds


class BusyError(Exception):
    """More pictures are asked for than can be drawn."""


@public_page(shelf=PICTURES)
def paper_card(request: HttpRequest, paper_id: str) -> HttpResponse:
    """The picture of a paper."""
    found = find_paper(paper_id)
    entry = newest_entry_of(found) if found else None
    if found is None or entry is None or public_id(found.key) != paper_id:
        raise Http404("There is no such paper.")
    names, more = split_authors([str(name) for name in found.authors])
    authors = f"{names} and {more} other{'s' if more > 1 else ''}" if more else names
    return _png(title=found.title, below=authors, day=entry.edition.date)


@public_page(shelf=PICTURES)
def day_card(request: HttpRequest, date: str) -> HttpResponse:
    """The picture of an edition: its first picks, or how many papers it has."""
    edition = Edition.objects.shown().filter(date=read_day(date)).first()
    if edition is None:
        raise Http404("There is no edition of this day.")
    entries = EditionPaper.objects.filter(edition=edition).shown()
    count = entries.count()
    first = entries.filter(choice=Choice.PICK).order_by("position", "id").values_list("paper__title", flat=True).first()
    title = edition.title or first or "The day’s research papers"
    return _png(title=title, below=f"{count} paper{'s' if count != 1 else ''}", day=edition.date)


@public_page(shelf=PICTURES)
def site_card(request: HttpRequest) -> HttpResponse:
    """The picture of every page that has none of its own."""
    return _png(title="The day’s research papers, in your inbox", below="", day=None)


def draw_card(*, title: str, below: str, day: dt.date | None) -> bytes:
    """A PNG of 1200 by 630 pixels, some 10 to 40 KB. Raises BusyError where too many are drawn just now."""
    if not _turns.acquire(timeout=_PATIENCE):
        raise BusyError
    try:
        picture = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
        pen = ImageDraw.Draw(picture)
        pen.rectangle((0, 0, WIDTH, 14), fill=_ACCENT)
        _line(pen, settings.SITE_NAME, at=(MARGIN, 60), size=36, weight=_BOLD, colour=_ACCENT)
        if day:
            said = long_date(day)
            width = _width(said, size=30, weight=_REGULAR)
            _line(pen, said, at=(WIDTH - MARGIN - int(width), 64), size=30, weight=_REGULAR, colour=_SOFT)
        _title(pen, title)
        below = _fitting(_drawable(below).replace(", and ", " and "), size=32, weight=_REGULAR)
        _line(pen, below, at=(MARGIN, HEIGHT - 96), size=32, weight=_REGULAR, colour=_SOFT)
        octets = io.BytesIO()
        # Few colours suffice for letters on paper, and make a quarter of the octets.
        picture.quantize(64).save(octets, "PNG", optimize=True)
        return octets.getvalue()
    finally:
        _turns.release()


def _title(pen: ImageDraw.ImageDraw, title: str) -> None:
    text = _drawable(" ".join(title[:LONGEST_TITLE].split())) or WITHOUT_TITLE
    for size in (80, 68, 58, 50, 44):
        lines = list(_wrapped(text, size=size))
        if len(lines) * size * 1.22 <= HEIGHT - 290:
            break
    else:
        lines = [*lines[: MOST_LINES - 1], _fitting(f"{lines[MOST_LINES - 1]} …", size=size, weight=_BOLD)]
    for number, line in enumerate(lines):
        _line(pen, line, at=(MARGIN, 150 + int(number * size * 1.22)), size=size, weight=_BOLD, colour=_INK)


def _wrapped(text: str, *, size: int) -> Iterator[str]:
    line = ""
    for word in text.split():
        for piece in _broken(word, size=size):
            longer = f"{line} {piece}".strip()
            if line and _width(longer, size=size, weight=_BOLD) > WIDTH - 2 * MARGIN:
                yield line
                line = piece
            else:
                line = longer
    if line:
        yield line


def _broken(word: str, *, size: int) -> list[str]:
    """A word in pieces that fit a line: what has no spaces (Chinese, formulae) is parted anywhere."""
    width = _width(word, size=size, weight=_BOLD)
    if width <= WIDTH - 2 * MARGIN:
        return [word]
    half = len(word) // 2
    return [*_broken(word[:half], size=size), *_broken(word[half:], size=size)] if half else [word]


def _fitting(text: str, *, size: int, weight: int) -> str:
    while text and _width(text, size=size, weight=weight) > WIDTH - 2 * MARGIN:
        text = f"{text.removesuffix(' …').rpartition(' ')[0]} …" if " " in text.removesuffix(" …") else text[:-2]
    return text


def _drawable(text: str) -> str:
    """The text without signs that no font here has; nothing where too little would be left, or where letters would have
    to be joined from right to left."""
    text = _PILED.sub(r"\1", unicodedata.normalize("NFC", text))
    kept = " ".join("".join(map(_drawn_as, text)).split())
    is_leftward = any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in text)
    return "" if is_leftward or len(kept) < _LEAST_DRAWN * len(text) else kept


def _drawn_as(sign: str) -> str:
    """The sign, or the plain one that a mathematical letter stands for, or nothing: whatever a font has."""
    for form in (sign, unicodedata.normalize("NFKC", sign)):
        if all(letter == " " or _font_for(letter) is not None for letter in form):
            return form
    return ""


def _line(pen: ImageDraw.ImageDraw, text: str, *, at: tuple[int, int], size: int, weight: int, colour: str) -> None:
    x: float = at[0]
    for run, number in _runs(text):
        font = _font(number, size, weight)
        pen.text((x, at[1] + size), run, font=font, fill=colour, anchor="ls")
        x += font.getlength(run)


def _width(text: str, *, size: int, weight: int) -> float:
    return sum(_font(number, size, weight).getlength(run) for run, number in _runs(text))


def _runs(text: str) -> Iterator[tuple[str, int]]:
    """The text in pieces that one font each can draw."""
    run, current = "", 0
    for sign in text:
        number = _font_for(sign) or 0
        if number != current and run:
            yield run, current
            run = ""
        run, current = run + sign, number
    if run:
        yield run, current


@lru_cache(maxsize=20_000)
def _font_for(sign: str) -> int | None:
    """The number of the first font that has this sign."""
    for number in range(len(_paths())):
        if _has(_font(number, 40, _REGULAR), sign):
            return number
    return None


def _has(font: ImageFont.FreeTypeFont, sign: str) -> bool:
    # The sign that stands for what is missing looks the same for every missing one.
    return sign.isspace() or bytes(font.getmask(sign)) != bytes(font.getmask("\U0010fffe"))


@lru_cache(maxsize=64)
def _font(number: int, size: int, weight: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(_paths()[number], size, layout_engine=ImageFont.Layout.BASIC)
    if number == 0:
        font.set_variation_by_axes([weight if axis["name"] == b"Weight" else 100 for axis in font.get_variation_axes()])
    return font


@lru_cache(maxsize=1)
def _paths() -> tuple[str, ...]:
    return (str(fontpkg.path("Noto Serif")), *(path for path in _MORE_FONTS if Path(path).exists()))


def _png(*, title: str, below: str, day: dt.date | None) -> HttpResponse:
    try:
        return HttpResponse(draw_card(title=title, below=below, day=day), content_type="image/png")
    except BusyError:
        return HttpResponse(status=503, headers={"Retry-After": f"{_COME_BACK}", "Cache-Control": "no-store"})

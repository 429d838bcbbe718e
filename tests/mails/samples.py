"""Mails to look at and to judge: the bundled sample as digests of every kind, and all notices. No database needed.

python -m tests.mails.samples FOLDER     writes each as HTML, text and message
"""

import datetime as dt
import os
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()

from django.conf import settings

import papers.sample
from digests.cards import Card, split_authors
from digests.digest import Digest, compose_digest, join_digest
from digests.letters import render_letter
from digests.markdown import to_inline_html, to_text
from digests.models import Edition, Letter
from digests.press import Line
from digests.readers import Recipient
from digests.selection import Section
from digests.sentences import excerpt
from digests.shelf import Shelf
from mailer.messages import ListHeaders, Message, Rendered, compose, render
from papers.feeds import parse_feed
from papers.feeds.kinds import SourceKind
from subscriptions.models import NoticeKind
from subscriptions.own_links import OWN_LINKS
from subscriptions.schedule import Cadence, Schedule
from subscriptions.tokens import Purpose, link

NOW = dt.datetime(2026, 11, 23, 7, 5, tzinfo=dt.UTC)
DAY = NOW.date()
INTRO = (
    "A day of careful measuring: three of today’s papers ask whether a benchmark says what we think it says."
    " **Begin with the clocks.**\n\nYour editor"
)
NOTE = "Short, and it will change how you read *every* table after it."
SITE = "https://papers.example.org"


@lru_cache(maxsize=1)
def cards() -> tuple[Card, ...]:
    """The papers of the bundled sample, as cards."""
    document = (Path(papers.sample.__file__).parent / "daily_papers.json").read_bytes()
    found = []
    for number, entry in enumerate(parse_feed(body=document, kind=SourceKind.HF).entries, start=1):
        authors, more = split_authors(list(entry.authors))
        found.append(
            Card(
                paper_id=number,
                key=entry.key,
                title=entry.title,
                authors=authors,
                more_authors=more,
                excerpt=excerpt(entry.abstract),
                abstract=entry.abstract,
                topics=("Language models", "Agents")[: 1 + number % 2],
                link=f"https://arxiv.org/abs/{entry.key.removeprefix('arxiv:')}",
                pdf_link=f"https://arxiv.org/pdf/{entry.key.removeprefix('arxiv:')}",
                code_link=entry.code_link,
                project_link=entry.project_link,
                upvotes=entry.signals.upvotes,
            )
        )
    return tuple(found)


def sample_lines(count: int) -> tuple[Line, ...]:
    """So many papers: a pick or two with the editor's note, some of the reader's topics, the rest trending."""
    lines = []
    for number in range(count):
        card = replace(cards()[number % len(cards())], paper_id=number + 1)
        if number < min(2, count):
            note = NOTE if number == 0 else ""
            card = replace(card, is_pick=True, note_html=to_inline_html(note), note_text=to_text(note))
            lines.append(Line(card, Section.PICKS, "Picked by the editor"))
        elif number < 2 + count // 2:
            lines.append(Line(card, Section.PERSONAL, f"In your topic {card.topics[0]}"))
        else:
            lines.append(Line(card, Section.TRENDING, f"Trending: {card.upvotes or 1} upvotes on Hugging Face"))
    return tuple(lines)


def recipient(**values: Any) -> Recipient:
    """A reader who has had digests before."""
    cadence = Cadence.WEEKLY if values.pop("is_weekly", False) else Cadence.DAILY
    defaults: dict[str, Any] = {
        "id": 1,
        "public_id": "0123456789abcdef0123456789abcdef",
        "email": "ada@reader.example.net",
        "address_hash": "",
        "state": "active",
        "max_papers": 10,
        "wants_replacements": False,
        "schedule": Schedule(cadence=cadence, hour=8, zone="Europe/Berlin", weekday=0),
        "seen_since": NOW,
        "last_date": DAY - dt.timedelta(days=1),
        "topic_names": ("Language models", "Agents"),
    }
    return Recipient(**{**defaults, **values})


def digest_message(*, count: int = 8, has_summaries: bool = False, now: dt.datetime = NOW, **reader: Any) -> Message:
    """One reader's digest of `count` papers, as it would be handed over."""
    lines = sample_lines(count)
    if has_summaries:
        lines = tuple(
            line._replace(card=replace(line.card, summary="Says the gist of it, and nothing more.")) for line in lines
        )
    edition = Edition(pk=1, date=DAY, title="What do benchmarks measure?", intro=INTRO)
    whom, shelf = recipient(**reader), Shelf(now=now)
    digest = Digest(edition, lines, now, frozenset(), DAY - dt.timedelta(days=6))
    return compose_digest(join_digest(digest, whom, shelf=shelf), whom, public_id="f" * 32, now=now)


def notice(kind: str, *, language: str = "") -> Rendered:
    """A notice of this kind with details as the program would give."""
    context = {
        **{
            f"{name}_url": f"{SITE}/{name}/1{'x' * 60}/"
            for name in ("confirm", "manage", "unsubscribe", "own", "keep", "new_address", "sign_in", "paper")
        },
        "subscribe_url": f"{SITE}/subscribe/",
        "privacy_url": f"{SITE}/privacy/",
        "what_for": OWN_LINKS[Purpose.EXPORT],
        "is_accepted": "yes",
        "title": "What Clocks Measure: Time in Models of Language",
        "admin_url": f"{SITE}/admin/",
        "source": "arXiv: computation and language",
        "reason": "no new papers for 3 days",
        "since": "Monday, 23 November, 08:10 (UTC)",
        "last_error": "The host answered 503.",
        "days": "Thursday, 19 November, Friday, 20 November",
        "is_made_good": "yes",
        "edition": "2026-11-23",
        "provider": "postmark",
        "about": "unknown",
        "date": "2026-11-23",
        "number": "12",
        "detail": "550 5.7.1 blocked, see the postmaster page",
    }
    return render(kind, context, language=language)


def notice_message(kind: str, *, language: str = "", now: dt.datetime = NOW) -> Message:
    """The same as a message."""
    return compose(notice(kind, language=language), to="ada@reader.example.net", public_id="e" * 32, now=now)


_DIGESTS: dict[str, dict[str, Any]] = {
    "digest": {},
    "digest_20": {"count": 20},
    "digest_first": {"count": 3, "last_date": None},
    "digest_weekly": {"count": 10, "is_weekly": True},
    "digest_de": {"language": "de"},
    "digest_rtl": {"language": "ar"},
    "digest_summaries": {"has_summaries": True},
}
LETTER = (
    "We move to another morning hour.\n\n- **Nothing** else changes.\n- Tell us: [write back](https://example.org/w)."
)


def letter_message(*, now: dt.datetime = NOW) -> Message:
    """The owner's own words to all readers, as one of them gets it."""
    letter = Letter(subject="A word about the hour", body=LETTER)
    rendered = render_letter(letter, public_id="d" * 32, language="")
    headers = ListHeaders(unsubscribe_url=link(Purpose.UNSUBSCRIBE, "d" * 32))
    return compose(rendered, to="ada@reader.example.net", public_id="e" * 32, now=now, list_headers=headers)


NOTICES = [*(kind.value for kind in NoticeKind), "confirmation_de"]
NAMES = [*_DIGESTS, "letter", *NOTICES]


def make_mail(name: str, *, now: dt.datetime = NOW) -> Message:
    """The mail of this name, one of NAMES."""
    if name in _DIGESTS:
        return digest_message(**_DIGESTS[name], now=now)
    if name == "letter":
        return letter_message(now=now)
    return notice_message(name.removesuffix("_de"), language="de" if name.endswith("_de") else "", now=now)


def main(folder: Path) -> None:
    """Write all mails there."""
    folder.mkdir(parents=True, exist_ok=True)
    settings.POSTAL_ADDRESS = settings.POSTAL_ADDRESS or "1 Example Street, 12345 Example Town"
    for name in NAMES:
        message = make_mail(name)
        (folder / f"{name}.html").write_text(str(message.alternatives[0].content))
        (folder / f"{name}.txt").write_text(message.body)
        (folder / f"{name}.eml").write_bytes(message.wire(eightbit=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

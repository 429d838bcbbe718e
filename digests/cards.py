"""How a paper is shown, on the page and in the mail: the same facts, shortened the same way."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet

from digests.markdown import to_inline_html, to_text
from digests.models import EditionPaper
from papers.models import Announcement, Paper
from subscriptions.journal import one_of

SHOWN_AUTHORS = 4
EXCERPT_LENGTH = 420
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"'(])")
# A full stop behind one of these ends no sentence.
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|et al|cf|vs|etc|Fig|Eq|Sec|resp|approx|w\.r\.t)|\b[A-Z])\.$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One paper, ready for a template."""

    paper_id: int
    key: str
    title: str
    authors: str
    excerpt: str
    abstract: str
    topics: tuple[str, ...]
    link: str
    pdf_link: str
    code_link: str
    project_link: str
    upvotes: int | None
    is_pick: bool = False
    note_html: str = ""
    note_text: str = ""
    is_sample: bool = False
    is_withdrawn: bool = False


def cards_for(paper_ids: Iterable[int], *, entries: Mapping[int, EditionPaper] | None = None) -> dict[int, Card]:
    """Cards of these papers, by id, in a fixed number of queries. `entries` tells which were picked, and why."""
    ids = list(paper_ids)
    entries = entries or {}
    samples = sample_ids(ids)
    papers = Paper.objects.filter(id__in=ids).prefetch_related("topics")
    return {paper.pk: make_card(paper, entry=entries.get(paper.pk), is_sample=paper.pk in samples) for paper in papers}


def sample_ids(paper_ids: Iterable[int]) -> set[int]:
    """Those of these papers that only the sample ever showed."""
    return set(sample_sightings().filter(paper_id__in=one_of(paper_ids)).values_list("paper_id", flat=True))


def sample_sightings() -> QuerySet[Announcement]:
    """Where the sample showed papers that no other source ever did: what a real source showed, too, is real."""
    elsewhere = Announcement.objects.filter(paper=OuterRef("paper"), source__is_sample=False)
    return Announcement.objects.filter(~Exists(elsewhere), source__is_sample=True)


def make_card(paper: Paper, *, entry: EditionPaper | None = None, is_sample: bool = False) -> Card:
    """One paper as a card. Topics must be prefetched where many are made."""
    return Card(
        paper_id=paper.pk,
        key=paper.key,
        title=paper.title,
        authors=short_authors(paper.authors),
        excerpt=excerpt(paper.abstract),
        abstract=paper.abstract,
        topics=tuple(topic.name for topic in paper.topics.all() if topic.is_active),
        link=paper.link,
        pdf_link=paper.pdf_link or _arxiv_pdf(paper.key),
        code_link=paper.code_link,
        project_link=paper.project_link,
        upvotes=paper.upvotes,
        is_pick=entry is not None and entry.choice == "pick",
        note_html=to_inline_html(entry.note) if entry else "",
        note_text=to_text(entry.note) if entry else "",
        is_sample=is_sample,
        is_withdrawn=paper.withdrawn_at is not None,
    )


def _arxiv_pdf(key: str) -> str:
    # arXiv asks that its PDFs be linked to, never served by others.
    scheme, _, arxiv_id = key.partition(":")
    return f"https://arxiv.org/pdf/{arxiv_id}" if scheme == "arxiv" else ""


def short_authors(authors: list[str]) -> str:
    """The first few names, and how many more there are."""
    if len(authors) <= SHOWN_AUTHORS:
        return ", ".join(authors)
    return f"{', '.join(authors[: SHOWN_AUTHORS - 1])} and {len(authors) - SHOWN_AUTHORS + 1} others"


def excerpt(abstract: str) -> str:
    """The first two or three sentences, verbatim; a single long one is cut at a word and says so."""
    taken = ""
    for number, sentence in enumerate(split_sentences(abstract)):
        longer = f"{taken} {sentence}".strip()
        if number and (number >= 3 or len(longer) > EXCERPT_LENGTH):
            break
        taken = longer
    if len(taken) <= EXCERPT_LENGTH * 1.5:
        return taken
    return f"{taken[:EXCERPT_LENGTH].rpartition(' ')[0]} …"


def split_sentences(text: str) -> list[str]:
    """Sentences, verbatim, in order. Abbreviations and initials do not end one."""
    sentences: list[str] = []
    for piece in _SENTENCE_END.split(text.strip()):
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] = f"{sentences[-1]} {piece}"
        elif piece:
            sentences.append(piece)
    return sentences

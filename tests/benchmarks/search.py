"""Searching 200,000 papers, all of them shown in editions, on both databases: from what is typed to the entries of the
first page, without HTML. The papers are made up of 40,000 words whose frequencies fall as they do in language (Zipf),
so that the commonest stand in most abstracts; 240 questions of eight kinds are drawn from the papers themselves: a rare
word, a common one, two and four words, a phrase, the beginning of a word, an author, words within a category. The old
way, LIKE over title and abstract for each word, is asked a part of the same questions in the same run.
"""

import random
import time
from collections.abc import Generator, Iterator

from tests.benchmarks.bench import Bench

NAME = "search"
FIGURES = {
    "search_p50_sqlite_ms": "half of all searches, SQLite",
    "search_p95_sqlite_ms": "95 of 100 searches, SQLite (goal: under 100)",
    "search_most_sqlite_ms": "the slowest search, SQLite",
    "search_like_sqlite": "LIKE against it, median by median, SQLite, times",
    "search_p50_postgres_ms": "half of all searches, PostgreSQL",
    "search_p95_postgres_ms": "95 of 100 searches, PostgreSQL",
    "search_most_postgres_ms": "the slowest search, PostgreSQL",
    "search_like_postgres": "LIKE against it, median by median, PostgreSQL, times",
}
PAPERS, OF_A_DAY, CHUNK = 200_000, 500, 5000
VOCABULARY, TITLE, ABSTRACT = 40_000, 10, 150
OF_A_KIND, OLD_WAY = 30, 16
CATEGORIES = ("cs.CL", "cs.LG", "cs.CV", "stat.ML", "q-bio.NC", "math.OC")


def run(bench: Bench) -> dict[str, float]:
    """Both databases, one after the other."""
    found: dict[str, float] = {}
    for make in (bench.sqlite, bench.postgres):
        with make() as database:
            bench.say(f"{NAME}: {database.name}, making {PAPERS} papers")
            made = bench.ask("make_papers", env=database.env)
            bench.say(f"{NAME}: {database.name}, {made['seconds']:.0f} s; searching")
            figures = bench.ask("ask_questions", env=database.env)
            bench.note(f"{database.name}: " + ", ".join(f"{n} {ms:.0f} ms" for n, ms in figures.items() if " " in n))
            bench.say(f"{NAME}: {database.name} {figures}")
            for name in ("p50", "p95", "most"):
                found[f"search_{name}_{database.name}_ms"] = figures[name]
            found[f"search_like_{database.name}"] = figures["old"] / figures["p50"]
    return found


def make_papers() -> Generator[None, None, dict[str, float]]:
    """The papers, each in the edition of its day."""
    import datetime as dt

    from django.db import connection
    from django.utils import timezone

    from digests.models import Edition, EditionPaper, EditionState
    from papers.models import Paper

    yield
    started = time.perf_counter()
    now = timezone.now()
    days = PAPERS // OF_A_DAY
    editions = Edition.objects.bulk_create(
        Edition(date=now.date() - dt.timedelta(days=days - n), state=EditionState.CLOSED, cutoff_at=now)
        for n in range(days)
    )
    writer = _Writer()
    for start in range(0, PAPERS, CHUNK):
        made = Paper.objects.bulk_create(writer.paper(number, editions, now) for number in range(start, start + CHUNK))
        EditionPaper.objects.bulk_create(
            EditionPaper(edition=editions[(start + place) // OF_A_DAY], paper=paper) for place, paper in enumerate(made)
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {"seconds": time.perf_counter() - started}


def ask_questions() -> Generator[None, None, dict[str, float]]:
    """Milliseconds: of all searches, of each kind, and of the old way."""
    from digests.finding import Order, entries_of, find_shown
    from papers.search_query import read_query

    questions = list(_questions())
    yield
    times: dict[str, list[float]] = {}
    for kind, question in questions:
        started = time.perf_counter()
        query = read_query(question, is_being_typed=kind == "a beginning")
        found = find_shown(query, order=Order.RELEVANCE, said=question)
        entries_of(found, found.ids[:20])
        times.setdefault(kind, []).append(1000 * (time.perf_counter() - started))
    every = sorted(ms for each in times.values() for ms in each)
    simple = [q for kind, q in questions if kind in {"a rare word", "two words", "a common word", "four words"}]
    old = sorted(_old_way(question) for question in simple[:: max(1, len(simple) // OLD_WAY)])
    figures = {"p50": every[len(every) // 2], "p95": every[int(0.95 * len(every))], "most": every[-1]}
    by_kind = {f"{kind} at most": max(each) for kind, each in times.items()}
    return {**figures, "old": old[len(old) // 2], **by_kind}


def _old_way(question: str) -> float:
    from digests.models import EditionPaper
    from papers.models import Paper

    started = time.perf_counter()
    entries = EditionPaper.objects.public()
    for word in question.split():
        entries = entries.filter(paper__in=Paper.objects.filter(title__icontains=word).values("pk")) | entries.filter(
            paper__in=Paper.objects.filter(abstract__icontains=word).values("pk")
        )
    list(entries.select_related("edition", "paper").order_by("-edition__date", "id")[:20])
    return 1000 * (time.perf_counter() - started)


def _questions() -> Iterator[tuple[str, str]]:
    from papers.models import Paper

    dice = random.Random(7)  # noqa: S311 - no secret
    ids = list(Paper.objects.values_list("id", flat=True))
    for _ in range(OF_A_KIND):
        paper = Paper.objects.get(pk=dice.choice(ids))
        words = paper.abstract.split()
        start = dice.randrange(len(words) - 4)
        by_rarity = sorted(set(words), key=lambda word: int(word[1:], 36))
        yield "a rare word", by_rarity[-1]
        yield "a common word", dice.choice(by_rarity[:5])
        yield "two words", " ".join(dice.sample(by_rarity, 2))
        yield "four words", " ".join(dice.sample(by_rarity, 4))
        yield "a phrase", f'"{" ".join(words[start : start + 3])}"'
        yield "a beginning", f"{by_rarity[3]} {by_rarity[-1][:3]}"
        yield "an author", f'author:"{paper.authors[0]}"'
        yield "within a category", f"{by_rarity[0]} {by_rarity[2]} category:{dice.choice(CATEGORIES)}"


class _Writer:
    """Papers of made-up words: `w1` stands for the commonest."""

    def __init__(self) -> None:
        self._dice = random.Random(1)  # noqa: S311 - no secret
        self._words = [f"w{_in_letters(rank)}" for rank in range(1, VOCABULARY + 1)]
        total, self._heights = 0.0, []
        for rank in range(1, VOCABULARY + 1):
            total += 1 / rank
            self._heights.append(total)

    def paper(self, number: int, editions: list[object], now: object) -> object:
        from papers.models import Paper

        dice = self._dice
        return Paper(
            key=f"arxiv:search.{number:06}",
            title=self._text(TITLE),
            abstract=self._text(ABSTRACT),
            authors=[f"Ann Author{dice.randrange(60_000)}", f"Bob Name{dice.randrange(3000)}"],
            categories=[dice.choice(CATEGORIES)],
            announced_date=editions[number // OF_A_DAY].date,  # type: ignore[attr-defined]
            first_seen_at=now,
        )

    def _text(self, length: int) -> str:
        return " ".join(self._dice.choices(self._words, cum_weights=self._heights, k=length))


def _in_letters(number: int) -> str:
    signs = "0123456789abcdefghijklmnopqrstuvwxyz"
    found = ""
    while number:
        number, rest = divmod(number, 36)
        found = signs[rest] + found
    return found

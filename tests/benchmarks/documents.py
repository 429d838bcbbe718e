"""Documents to take in: a day's feed of arXiv, and its OAI-PMH records, of any length.

The texts are those of real papers where the corpus lies beside the project, else made up of common words with the share
of TeX that real abstracts have. Each paper is told from all others by its id and a number in its title.
"""

import datetime as dt
import gzip
import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

REPOSITORY = Path(__file__).resolve().parents[2]
CORPUS = REPOSITORY.parent / "shared" / "data" / "corpora" / "arxiv_daily.jsonl.gz"
WORDS = (
    "the of a and to in we that is for with on this our by as are which from model models data method results show"
    " large language learning training propose approach performance tasks based using can between these however new"
    " framework evaluation reasoning state art analysis problem different while study experiments knowledge information"
).split()
TEX = (r"$\alpha$", r"40\%", r"\textit{unique}", r"$O(n \log n)$", r"Erd\H{o}s", r"``quoted''", r"\emph{not}")


def papers() -> Iterator[dict[str, object]]:
    """Papers without end: title, abstract, categories and authors."""
    real = _read_corpus() if CORPUS.exists() else _make_up()
    for number, paper in enumerate(itertools.cycle(real)):
        yield {**paper, "title": f"{paper['title']} ({number})"}


def feed(count: int, *, day: dt.date, first: int = 0) -> bytes:
    """A day's RSS feed of so many new papers."""
    items = [_item(paper, first + number) for number, paper in enumerate(itertools.islice(papers(), count))]
    head = (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0" xmlns:arxiv="http://arxiv.org/schemas/atom"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
        "<title>cs updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs</link>"
        f"<pubDate>{day:%a, %d %b %Y} 00:00:00 -0400</pubDate>"
    )
    return f"{head}{''.join(items)}</channel></rss>".encode()


def records(count: int, *, since: dt.date, days: int, page: int) -> Iterator[bytes]:
    """Pages of OAI-PMH records, spread evenly over so many days."""
    numbered = enumerate(itertools.islice(papers(), count))
    while batch := list(itertools.islice(numbered, page)):
        inner = "".join(
            _record(paper, number, since + dt.timedelta(days=number * days // count)) for number, paper in batch
        )
        token = f'<resumptionToken completeListSize="{count}">next</resumptionToken>' if len(batch) == page else ""
        yield (
            '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"<responseDate>2025-04-09T05:00:00Z</responseDate><ListRecords>{inner}{token}</ListRecords></OAI-PMH>"
        ).encode()


def paper_id(number: int) -> str:
    """An arXiv id for each number up to 300,000."""
    return f"25{number // 90_000 + 1:02}.{number % 90_000 + 10_000:05}"


def _item(paper: dict[str, object], number: int) -> str:
    key = paper_id(number)
    categories = "".join(f"<category>{name}</category>" for name in _names(paper["categories"]))
    # As arXiv writes them: the text of a description is escaped once more than XML asks for.
    abstract = escape(escape(str(paper["abstract"])))
    return (
        f"<item><title>{escape(escape(str(paper['title'])))}</title><link>https://arxiv.org/abs/{key}</link>"
        f"<description>arXiv:{key}v1 Announce Type: new \nAbstract: {abstract}</description>"
        f'<guid isPermaLink="false">oai:arXiv.org:{key}v1</guid>{categories}<arxiv:announce_type>new'
        f"</arxiv:announce_type><dc:rights>http://creativecommons.org/licenses/by/4.0/</dc:rights>"
        f"<dc:creator>{escape(', '.join(_names(paper['authors'])))}</dc:creator></item>"
    )


def _record(paper: dict[str, object], number: int, day: dt.date) -> str:
    key = paper_id(number)
    authors = "".join(
        f"<author><keyname>{escape(name.split()[-1])}</keyname><forenames>{escape(' '.join(name.split()[:-1]))}"
        "</forenames></author>"
        for name in _names(paper["authors"])
        if name.split()
    )
    return (
        f"<record><header><identifier>oai:arXiv.org:{key}</identifier><datestamp>{day}</datestamp>"
        f'<setSpec>cs:cs:CL</setSpec></header><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{key}</id>'
        f"<created>{day - dt.timedelta(days=1)}</created><authors>{authors}</authors>"
        f"<title>{escape(str(paper['title']))}</title><categories>{' '.join(_names(paper['categories']))}</categories>"
        f"<abstract>{escape(str(paper['abstract']))}</abstract></arXiv></metadata></record>"
    )


def _names(found: object) -> list[str]:
    return [str(name) for name in found] if isinstance(found, list) else str(found).split(", ")


def _read_corpus() -> list[dict[str, object]]:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _make_up(count: int = 5_000) -> list[dict[str, object]]:
    dice = random.Random(1)  # noqa: S311 - the same texts every time
    return [
        {
            "title": " ".join(dice.choices(WORDS, k=9)).capitalize(),
            "abstract": ". ".join(_sentence(dice) for _ in range(8)) + ".",
            "categories": dice.sample(["cs.CL", "cs.LG", "cs.AI", "cs.CV", "stat.ML"], k=2),
            "authors": [f"{dice.choice(WORDS).title()} {dice.choice(WORDS).title()}" for _ in range(5)],
        }
        for _ in range(count)
    ]


def _sentence(dice: random.Random) -> str:
    words = dice.choices(WORDS, k=20)
    return " ".join([*words, dice.choice(TEX)] if dice.random() < 0.03 else words).capitalize()

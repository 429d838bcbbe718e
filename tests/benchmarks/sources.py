"""Taking papers in: a feed of arXiv with 2,000 new papers from its bytes to stored rows (parsed, identified, cleaned,
matched with topics, written in one transaction with their sightings), and 30 days of OAI-PMH records, about 40,000. The
measure is feedparser's own parse of a feed of as many papers, alone, in the same round. Times are of the processor, one
process each; memory is that of the whole process at its most. Every round begins with an empty database.
"""

from tests.benchmarks.bench import Bench, Database, median

NAME = "sources"
FIGURES = {
    "feedparser_2000_s": "feedparser alone over a feed of 2,000 papers",
    "feed_2000_sqlite_s": "the same feed from bytes to stored, on SQLite",
    "feed_2000_postgres_s": "the same on PostgreSQL",
    "feed_tex_share": "the part of that in which TeX becomes Unicode",
    "feed_over_feedparser": "all of it over feedparser's parse, on SQLite (the goal is at most 4)",
    "feed_over_feedparser_postgres": "the same on PostgreSQL",
    "feed_without_tex_over_feedparser": "all but the TeX over feedparser's parse, on SQLite (the goal is at most 1)",
    "feed_without_tex_over_feedparser_postgres": "the same on PostgreSQL",
    "feed_again_over_feedparser": "the same feed once more, when all is known",
    "feed_peak_mb": "the most memory it took (the goal is below 200)",
    "backfill_papers": "papers of the back-fill",
    "backfill_s": "30 days of back-fill from bytes to stored, on SQLite",
    "backfill_over_feedparser": "that over feedparser's parse of as many",
    "backfill_without_tex_over_feedparser": "all but the TeX over it",
    "backfill_peak_mb": "the most memory it took",
}
FEED, BACKFILL = 2_000, 40_000


def run(bench: Bench) -> dict[str, float]:
    """Both databases, and feedparser in every round."""
    figures: dict[str, float] = {}
    for kind in ("sqlite", "postgres"):
        with bench.sqlite() if kind == "sqlite" else bench.postgres() as database:
            bench.say(f"{NAME}: {kind}")
            figures |= _feeds(bench, database)
            if kind == "sqlite":
                figures |= _backfill(bench, database)
    return figures


def _feeds(bench: Bench, database: Database) -> dict[str, float]:
    alone, whole, tex, again, peak = [], [], [], [], 0.0
    for _ in range(bench.rounds):
        alone.append(bench.ask("feedparser_alone", env=database.env, count=FEED)["seconds"])
        bench.ask("forget_papers", env=database.env)
        result = bench.ask("store_feed", env=database.env, count=FEED)
        assert result["new"] == FEED, result
        whole.append(result["seconds"])
        tex.append(result["tex_seconds"])
        again.append(result["again_seconds"])
        peak = max(peak, result["peak_mb"])
    plain = [one - part for one, part in zip(whole, tex, strict=True)]
    tail = "" if database.name == "sqlite" else "_postgres"
    figures = {
        f"feed_2000_{database.name}_s": median(whole),
        f"feed_over_feedparser{tail}": _ratio(whole, alone),
        f"feed_without_tex_over_feedparser{tail}": _ratio(plain, alone),
    }
    if database.name == "sqlite":
        figures |= {
            "feedparser_2000_s": median(alone),
            "feed_tex_share": _ratio(tex, whole),
            "feed_again_over_feedparser": _ratio(again, alone),
            "feed_peak_mb": peak,
        }
    return figures


def _backfill(bench: Bench, database: Database) -> dict[str, float]:
    bench.say(f"{NAME}: back-fill of {BACKFILL} papers")
    alone = bench.ask("feedparser_alone", env=database.env, count=FEED)["seconds"] * BACKFILL / FEED
    bench.ask("forget_papers", env=database.env)
    result = bench.ask("store_records", env=database.env, count=BACKFILL)
    assert result["new"] == BACKFILL, result
    return {
        "backfill_papers": BACKFILL,
        "backfill_s": result["seconds"],
        "backfill_over_feedparser": result["seconds"] / alone,
        "backfill_without_tex_over_feedparser": (result["seconds"] - result["tex_seconds"]) / alone,
        "backfill_peak_mb": result["peak_mb"],
    }


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """Round by round, since each had its own share of the machine."""
    return median([one / other for one, other in zip(ours, theirs, strict=True)])

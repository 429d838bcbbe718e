"""Pruning: deliveries older than ninety days leave the table, their papers and sums go into the archives. One
process, on PostgreSQL; each of the deliveries has twelve papers.
"""

from tests.benchmarks.bench import Bench, median

NAME = "pruning"
FIGURES = {"pruned_per_s": "deliveries archived and deleted a second", "pruning_peak_mb": "the most memory it took"}
MOST = 20_000


def run(bench: Bench) -> dict[str, float]:
    """Deliveries made old, and pruned."""
    count = min(bench.n * 2, MOST)
    rates, peaks = [], []
    with bench.postgres() as database:
        bench.ask("make_crowd", env=database.env, readers=count, papers=24, max_papers=12)
        for _ in range(bench.rounds):
            bench.ask("forget_deliveries", env=database.env)
            bench.ask("plan", env=database.env)
            result = bench.ask("prune", env=database.env)
            assert result["pruned"] == count
            rates.append(count / result["seconds"])
            peaks.append(result["peak_mb"])
    return {"pruned_per_s": median(rates), "pruning_peak_mb": max(peaks)}

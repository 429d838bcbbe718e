"""Planning: every due reader found and given a delivery row, on PostgreSQL, in one process. The memory is that of the
whole process at its most; that it is the same for ten times as many readers is what «constant» means.
"""

from tests.benchmarks.bench import Bench, median

NAME = "planning"
FIGURES = {
    "planning_100k_s": "100,000 due readers planned",
    "planning_per_s": "readers planned a second",
    "planning_100k_peak_mb": "the most memory it took",
    "planning_10k_peak_mb": "the most memory a tenth of them takes",
}
MANY, FEW = 100_000, 10_000


def run(bench: Bench) -> dict[str, float]:
    """The tenth first, then all."""
    peaks: dict[int, float] = {}
    seconds: list[float] = []
    for readers in (FEW, MANY):
        with bench.postgres() as database:
            bench.say(f"{NAME}: {readers} readers")
            bench.ask("make_crowd", env=database.env, readers=readers, papers=24, max_papers=5)
            for _ in range(bench.rounds if readers == MANY else 1):
                bench.ask("forget_deliveries", env=database.env)
                result = bench.ask("plan", env=database.env)
                assert result["planned"] == readers
                peaks[readers] = max(peaks.get(readers, 0.0), result["peak_mb"])
                if readers == MANY:
                    seconds.append(result["seconds"])
    return {
        "planning_100k_s": median(seconds),
        "planning_per_s": MANY / median(seconds),
        "planning_100k_peak_mb": peaks[MANY],
        "planning_10k_peak_mb": peaks[FEW],
    }

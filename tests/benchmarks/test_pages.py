"""What the benchmarks write, with figures made up."""

from pathlib import Path

from tests.benchmarks import report, scale
from tests.benchmarks.__main__ import find_benchmarks

FIGURES = {
    "pipeline_postgres_per_s": 2000.0,
    "commits_per_digest": 0.1,
    "wal_per_digest_kb": 2.4,
    "delivery_row_bytes": 900.0,
    "rung_a_minute": 10_000.0,
    "planning_per_s": 20_000.0,
    "pruned_per_s": 5_000.0,
    "worker_peak_mb": 80.0,
    "message_kb": 38.0,
}


def test_each_benchmark_says_what_it_measures():
    found = find_benchmarks()
    assert {"delivery", "planning", "providers"} <= set(found)
    assert all((module.__doc__ or "").strip() for module in found.values())


def test_ten_times_the_readers_need_ten_times_the_digests_a_second(tmp_path: Path):
    scale.write(tmp_path / "scale.md", FIGURES)
    page = (tmp_path / "scale.md").read_text()
    assert "| digests a second in the busiest hour | 69 | 694 | 6,944 |" in page
    assert "which is enough for 2,400,000 daily readers" in page


def test_the_page_of_figures_names_the_machine_and_each_figure(tmp_path: Path):
    section = report.Section("delivery", "2026-11-25", "All of it.", FIGURES, {"message_kb": "the message"}, ["60 % x"])
    report.write(tmp_path / "performance.md", [section], names=["delivery"])
    page = (tmp_path / "performance.md").read_text()
    assert "Machine: " in page
    assert "| `message_kb` | 38.0 | the message |" in page
    assert "| `pipeline_postgres_per_s` | 2,000 |" in page


def test_what_was_not_measured_this_time_stays_on_the_page(tmp_path: Path):
    path = tmp_path / "performance.md"
    names = ["delivery", "pages", "search"]
    for name, value in (("pages", 1.0), ("search", 2.0), ("delivery", 3.0), ("pages", 4.0)):
        report.write(
            path, [report.Section(name, "today", f"About {name}.", {f"{name}_ms": value}, {}, [])], names=names
        )
    page = path.read_text()
    assert [line for line in page.splitlines() if line.startswith("| `")] == [
        "| `delivery_ms` | 3.00 |  |",
        "| `pages_ms` | 4.00 |  |",
        "| `search_ms` | 2.00 |  |",
    ]
    report.write(path, [], names=["delivery"])
    assert "Pages" not in path.read_text()

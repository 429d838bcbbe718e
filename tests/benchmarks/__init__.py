"""How fast it is, measured: `make bench`, or `make bench ONLY=delivery BENCH_N=2000`.

To add a benchmark, drop a module into this folder. It defines

    NAME = "delivery"  # what ONLY= chooses

    def run(bench: Bench) -> dict[str, float]:
        '''Measure, and return named figures.'''

and its docstring says what is measured: it is printed above the figures in docs/performance.md. The names of figures
end in their unit (`_per_s`, `_s`, `_mb`, `_ms`, `_pct`), or are ratios. `FIGURES`, a dict from such a name to a few
words, is optional, as is `bench.note(text)`, for what a number cannot say. What runs in a process of its own is a
function in `children.py`; `bench.start` starts it.
"""

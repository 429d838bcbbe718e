"""Measures and writes down: python -m tests.benchmarks [NAME ...]

Figures go into `var/bench.json`, one flat object; those of benchmarks that did not run this time stay. The pages
docs/performance.md and docs/scale.md are written anew from all of them. BENCH_N sets the number of readers,
BENCH_ROUNDS how many rounds a median is taken of.
"""

import importlib
import json
import os
import pkgutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from tests import benchmarks
from tests.benchmarks import report, scale
from tests.benchmarks.bench import REPOSITORY, Bench

# A machine at rest shows less than this.
BUSY = 0.5
BUSY_WORDS = "the machine was busy with other work: a load of {load:.1f} on {cores} cores when this began"


def find_benchmarks() -> dict[str, ModuleType]:
    """Every module of this folder that has a NAME and a `run`, by name."""
    found = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name != "__main__":
            loaded = importlib.import_module(f"tests.benchmarks.{module.name}")
            if hasattr(loaded, "NAME") and hasattr(loaded, "run"):
                found[loaded.NAME] = loaded
    return found


def measure(module: ModuleType, *, var_dir: Path) -> dict[str, Any]:
    """Run one benchmark; what it found, as it is kept in bench-pages.json."""
    with tempfile.TemporaryDirectory(prefix="papers-bench-") as folder:
        bench = Bench(
            n=int(os.environ.get("BENCH_N") or 10_000),
            rounds=int(os.environ.get("BENCH_ROUNDS") or 3),
            folder=Path(folder),
            cache=var_dir / "bench",
            say=say,
        )
        load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
        if load > BUSY:
            bench.note(BUSY_WORDS.format(load=load, cores=cores))
        try:
            figures = module.run(bench)
        finally:
            bench.close()
    return {"date": report.today(), "figures": figures, "notes": bench.notes, "readers": bench.n}


def say(text: str) -> None:
    """A line about what happens now."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run what the command line asks for, and write everything down."""
    modules = find_benchmarks()
    wanted = sys.argv[1:] or list(modules)
    if unknown := [name for name in wanted if name not in modules]:
        say(f"there is no benchmark {unknown[0]}; there are {', '.join(modules)}")
        return 2
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    var_dir = Path(os.environ.get("VAR_DIR") or REPOSITORY / "var").resolve()
    var_dir.mkdir(parents=True, exist_ok=True)
    kept = _read(var_dir / "bench-pages.json")
    figures = _read(var_dir / "bench.json")
    for name in wanted:
        kept[name] = measure(modules[name], var_dir=var_dir)
        figures |= {figure: round(value, 4) for figure, value in kept[name]["figures"].items()}
        # After each, so that a later one that fails takes nothing with it.
        (var_dir / "bench-pages.json").write_text(json.dumps(kept, indent=1) + "\n")
        (var_dir / "bench.json").write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
        write_pages(modules, kept=kept, figures=figures)
        for figure, value in sorted(kept[name]["figures"].items()):
            say(f"  {figure} = {report.show(value)}")
    return 0


def write_pages(modules: dict[str, ModuleType], *, kept: dict[str, Any], figures: dict[str, float]) -> None:
    """Both pages of docs/, from all that was ever measured here, and what was measured elsewhere before."""
    sections = [
        report.Section(
            name=name,
            date=f"{kept[name]['date']} with {kept[name]['readers']:,} readers",
            about=modules[name].__doc__ or "",
            figures=kept[name]["figures"],
            meanings=getattr(modules[name], "FIGURES", {}),
            notes=kept[name]["notes"],
        )
        for name in modules
        if name in kept
    ]
    report.write(REPOSITORY / "docs" / "performance.md", sections, names=list(modules))
    if set(figures) >= scale.NEEDED:
        scale.write(REPOSITORY / "docs" / "scale.md", figures)


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


if __name__ == "__main__":
    sys.exit(main())

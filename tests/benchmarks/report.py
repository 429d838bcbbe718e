"""Writes docs/performance.md out of the figures: machine, date, numbers, remarks."""

import datetime as dt
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HEAD = """# Performance

This page is written by `make bench`; change the benchmark, not the page. {machine}

Numbers of a shared machine move by a tenth from run to run; ratios taken in the same rounds move less. Each figure is
also in `var/bench.json`, under the name in the first column.
"""
TRIED = Path(__file__).with_name("tried.md")


@dataclass(frozen=True, slots=True)
class Section:
    """What one benchmark has to say."""

    name: str
    date: str
    about: str
    figures: Mapping[str, float]
    meanings: Mapping[str, str]
    notes: Sequence[str]


def write(path: Path, sections: Sequence[Section], *, names: Sequence[str]) -> None:
    """The whole page: these sections, and of the other benchmarks in `names` what stands there from another time."""
    before = _read(path)
    measured = {section.name: _write_section(section) for section in sections}
    found = {name: measured.get(name) or before.get(name.capitalize(), "") for name in names}
    parts = [HEAD.format(machine=describe_machine()), *filter(None, found.values()), TRIED.read_text(encoding="utf-8")]
    path.write_text("\n".join(parts), encoding="utf-8")


def _write_section(section: Section) -> str:
    rows = [
        f"| `{name}` | {show(value)} | {section.meanings.get(name, '')} |"
        for name, value in sorted(section.figures.items())
    ]
    table = ["| figure | value | what it is |", "|---|---:|---|", *rows]
    head = f"## {section.name.capitalize()}\n\n{section.about.strip()}\n\nMeasured on {section.date}.\n"
    notes = ["```\n" + "\n".join(section.notes) + "\n```\n"] if section.notes else []
    return "\n".join([head, "\n".join(table) + "\n", *notes])


def _read(path: Path) -> dict[str, str]:
    """The sections that stand on the page, by their headings."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    _, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return {part.partition("\n")[0]: f"## {part}".rstrip("\n") + "\n" for part in parts}


def show(value: float) -> str:
    """A number as people read it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def describe_machine() -> str:
    """One sentence about what it was measured on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"model name\s*:\s*(.+)", info)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return (
        f"Machine: {model[1].strip() if model else platform.machine()}, {cores} cores, {memory:.0f} GB of memory, "
        f"{platform.system()} {platform.release().split('-')[0]}, Python {platform.python_version()}, {_postgres()}."
    )


def today() -> str:
    """The day of a measurement."""
    return dt.datetime.now(dt.UTC).date().isoformat()


def _postgres() -> str:
    from tests.with_postgres import find_servers

    server = next(find_servers(), None)
    if server is None:
        return "no PostgreSQL"
    done = subprocess.run([server.bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"[\d.]+", done.stdout)
    return f"PostgreSQL {found[0] if found else '?'}"

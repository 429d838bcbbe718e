"""On which days arXiv announces nothing: a dated data file, and how long it is good for."""

import csv
import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PATH = Path(__file__).parent / "data" / "announcement_holidays.csv"
_COVERED = re.compile(r"#\s*covered until:\s*(\d{4}-\d\d-\d\d)\s*")


@dataclass(frozen=True, slots=True)
class Holidays:
    """The days without announcement (US Eastern), and the last day of which the file knows whether it is one."""

    dates: frozenset[dt.date]
    covered_until: dt.date


@cache
def announcement_holidays(path: Path = PATH) -> Holidays:
    """Read the file. Raises ValueError where it is not what it should be."""
    lines = path.read_text(encoding="utf-8").splitlines()
    covered = next((match[1] for line in lines if (match := _COVERED.fullmatch(line))), None)
    if covered is None:
        message = f"{path.name} does not say «# covered until: YYYY-MM-DD»."
        raise ValueError(message)
    rows = csv.DictReader(line for line in lines if line.strip() and not line.startswith("#"))
    dates = frozenset(dt.date.fromisoformat(row["date"]) for row in rows)
    return Holidays(dates, dt.date.fromisoformat(covered))

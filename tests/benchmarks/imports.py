"""A list of a hundred thousand people in and out again, by the commands, on SQLite and PostgreSQL with real commits.

The list is one of Mailchimp's; one row in fifty holds no address and one in fifty stands in it twice. In: read, judged,
and written as readers with three topics each and a consent event. Out: everybody with their topics. Memory is the most
that the whole process held, beside that of a list a tenth as long: the same, within what Python itself moves by.
"""

import contextlib
import csv
import io
import os
import time
from collections.abc import Generator
from pathlib import Path

from tests.benchmarks.bench import Bench

NAME = "imports"
FIGURES = {
    "export_per_s": "readers written into CSV a second, on PostgreSQL",
    "export_s": "seconds for all of them",
    "import_again_s": "seconds for the same list once more, when everybody is here",
    "import_memory_ratio": "the most memory, against that of a list a tenth as long",
    "import_peak_mb": "the most memory the import took",
    "export_peak_mb": "the most memory the export took",
    "import_per_s": "rows of a list that became readers a second, on PostgreSQL",
    "import_s": "seconds for all of them",
}
Measured = Generator[None, None, dict[str, float]]
PEOPLE = 100_000
_HEAD = (
    "Email Address,First Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,TIMEZONE,LEID,EUID,TAGS".split(
        ","
    )
)


def run(bench: Bench) -> dict[str, float]:
    """In, in again, out, on both databases."""
    people = int(os.environ.get("BENCH_PEOPLE") or PEOPLE)
    found: dict[str, float] = {}
    for open_database in (bench.sqlite, bench.postgres):
        path, small = bench.folder / "list.csv", bench.folder / "small.csv"
        write_list(path, people)
        write_list(small, people // 10, domain="small.example")
        with open_database() as database:
            little = bench.ask("import_list", env=database.env, path=str(small))
            first = bench.ask("import_list", env=database.env, path=str(path))
            again = bench.ask("import_list", env=database.env, path=str(path))
            out = bench.ask("export_list", env=database.env, path=str(bench.folder / "out.csv"))
        assert first["new"] == again["known"]
        assert first["new"] > people * 0.95
        assert out["subscribers"] == first["new"] + little["new"]
        found = {
            "import_s": first["seconds"],
            "import_per_s": people / first["seconds"],
            "import_again_s": again["seconds"],
            "import_peak_mb": first["peak_mb"],
            "import_memory_ratio": first["peak_mb"] / little["peak_mb"],
            "export_s": out["seconds"],
            "export_per_s": out["subscribers"] / out["seconds"],
            "export_peak_mb": out["peak_mb"],
        }
        words = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
        bench.note(f"{database.name}, {people:,} rows: {words}.")
    return found


def write_list(path: Path, people: int, *, domain: str = "people.example") -> None:
    """Such an export of Mailchimp's."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_HEAD)
        for number in range(people):
            email = f"Reader.{number}@{domain}"
            if number % 50 == 1:
                email = f"no address {number}"
            elif number % 50 == 2:
                email = f"reader.{number - 2}@{domain}"
            when = f"2024-0{1 + number % 9}-11 12:{number % 60:02}:00"
            zone = ("Europe/Berlin", "America/New_York", "", "Asia/Tokyo")[number % 4]
            writer.writerow(
                [email, f"Name {number}", 2, when, "192.0.2.1", when, "192.0.2.1", zone, number, number, ""]
            )


def import_list(*, path: str) -> Measured:
    """In a process of its own: `manage.py import_subscribers`."""
    import json

    from django.core.management import CommandError, call_command

    from tests.benchmarks.children import peak_mb

    out = io.StringIO()
    yield
    words = ["--consent", "Made up.", "--topics=language,vision,agents", "--json"]
    started = time.perf_counter()
    # Some rows hold no address, and it ends with a word about that.
    with contextlib.suppress(CommandError):
        call_command("import_subscribers", path, *words, stdout=out)
    seconds = time.perf_counter() - started
    counts = json.loads(out.getvalue())
    return {"seconds": seconds, "peak_mb": peak_mb(), "new": counts["new"], "known": counts["known"]}


def export_list(*, path: str) -> Measured:
    """In a process of its own: `manage.py export_subscribers`."""
    import json

    from django.core.management import call_command

    from tests.benchmarks.children import peak_mb

    out = io.StringIO()
    yield
    started = time.perf_counter()
    call_command("export_subscribers", path, "--json", stdout=out)
    return {"seconds": time.perf_counter() - started, "peak_mb": peak_mb(), **json.loads(out.getvalue())}

"""A backup that is killed, or finds no room, at any moment: what has its name is whole, and the next one works."""

import contextlib
import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from config.backups import make_backup, read_backup
from tests.chaos.processes import wait_for
from tests.config.killable import frozen, load_ballast, programs_at_work, run, start, sweep
from tests.config.test_backups import own_folder as own_folder
from tests.factories import NOW, make_paper

pytestmark = [pytest.mark.db, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def folder(own_folder: Path) -> Path:
    """Where there is one backup already, of long ago; and what is to be backed up takes a moment."""
    load_ballast(6)
    folder = own_folder / "kept"
    make_backup(folder, now=NOW)
    return folder


def backups(folder: Path) -> list[Path]:
    """All that have the name of a backup, each read through."""
    found = sorted(folder.glob("*.tar"))
    for path in found:
        assert read_backup(path).rows["django_session"] == 6
    return found


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".tar"]


def dumped(folder: Path) -> int:
    """How many octets of the database are there by now, finished or not."""
    with contextlib.suppress(FileNotFoundError):
        return sum(path.stat().st_size for path in folder.glob(".at-work-*/database"))
    return 0


# Given the folder, and how many backups were there before.
MOMENTS: dict[str, Callable[[Path, int], Any]] = {
    "begun": lambda folder, before: list(folder.glob(".at-work-*")),
    "while the database is read": lambda folder, before: dumped(folder),
    "while it is packed": lambda folder, before: list(folder.glob(".at-work-*/*.tar")),
    "named": lambda folder, before: len(list(folder.glob("*.tar"))) > before,
}


def test_killed_at_each_step(folder: Path):
    first = backups(folder)[0].read_bytes()
    for name, moment in MOMENTS.items():
        before = len(backups(folder))
        command = start("backup", "--to", folder).reach(lambda moment=moment, before=before: moment(folder, before))
        assert command.kill() or name == "named"
        assert len(backups(folder)) == before + (name == "named"), name
        assert backups(folder)[0].read_bytes() == first
    run("backup", "--to", folder)
    assert left_over(folder) == []


def test_killed_at_any_moment(folder: Path):
    started = time.monotonic()
    run("backup", "--to", folder, "--keep", 2)
    seconds = time.monotonic() - started
    killed = 0
    for was_at_work in sweep("backup", "--to", folder, "--keep", 2, moments=10, seconds=seconds):
        killed += was_at_work
        assert len(backups(folder)) >= 2
        # Nobody holds the database any more.
        make_paper()
        assert wait_for(lambda: not programs_at_work("pg_dump"), seconds=5)
    assert killed >= 4
    run("backup", "--to", folder, "--keep", 2)
    assert len(backups(folder)) == 2
    assert left_over(folder) == []


def test_what_a_running_one_works_on_stays(folder: Path):
    command = start("backup", "--to", folder).reach(lambda: dumped(folder))
    with frozen(command.pid):
        (place,) = folder.glob(".at-work-*")
        run("backup", "--to", folder)
        assert left_over(folder) == [place]
    assert command.end() == 0, command.said()
    assert left_over(folder) == []
    assert len(backups(folder)) == 3


def test_one_of_the_very_same_second_takes_nobodys_place(folder: Path):
    assert make_backup(folder, now=NOW) != backups(folder)[0]
    assert len(backups(folder)) == 2


def test_postgresqls_own_program_does_not_go_on_without_us(folder: Path):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite is copied by ourselves")
    command = start("backup", "--to", folder).reach(lambda: dumped(folder))
    (dumping,) = children_of(command.pid)
    with frozen(dumping):
        command.kill()
        before = dumped(folder)
    assert wait_for(lambda: not programs_at_work("pg_dump"), seconds=5)
    assert dumped(folder) == before


def children_of(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_disk_that_is_full_costs_nothing(folder: Path):
    before = backups(folder)
    said = run("backup", "--to", folder, "--keep", 1, code=1, most_octets=2_000_000)
    assert any(word in said for word in ("File too large", "full", "disk I/O error")), said
    assert "Traceback" not in said
    assert backups(folder) == before
    assert left_over(folder) == []
    assert not programs_at_work("pg_dump")


def test_a_folder_that_cannot_be_written_is_told_in_a_line(folder: Path):
    said = run("backup", "--to", backups(folder)[0] / "deeper", code=1)
    assert "Not a directory" in said
    assert "Traceback" not in said


def test_a_damaged_one_costs_no_good_one_its_place(folder: Path):
    good = backups(folder)[0]
    octets = bytearray(good.read_bytes())
    octets[len(octets) // 2] ^= 0xFF
    bad = [NOW + dt.timedelta(days=day) for day in (1, 2, 3)]
    for at, damaged in zip(bad, (octets[: len(octets) // 3], octets, b""), strict=True):
        make_backup(folder, now=at).write_bytes(damaged)
    said = run("backup", "--to", folder, "--keep", 2)
    assert said.count("is damaged, and was not counted") == 3
    assert good.exists()
    run("backup", "--to", folder, "--keep", 1)
    assert len(backups(folder)) == 1

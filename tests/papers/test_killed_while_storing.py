"""A process that is killed while it stores a document changes nothing less: all of it is there afterwards, or nothing.

On SQLite, in a file of the test's own, with the very command an owner types.
"""

import contextlib
import datetime as dt
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COUNT = 1000
DAY = dt.date(2026, 5, 5)
pytestmark = pytest.mark.slow


def feed() -> str:
    items = "".join(
        f"<item><title>Paper number {number} of a long day</title><link>https://arxiv.org/abs/2605.{number:05}</link>"
        f"<description>arXiv:2605.{number:05}v1 Announce Type: new\n"
        f"Abstract: It holds $\\alpha$ and 40\\%.</description>"
        f"<guid>oai:arXiv.org:2605.{number:05}v1</guid><category>cs.CL</category>"
        f"<arxiv:announce_type>new</arxiv:announce_type><dc:creator>Ada Lovelace, Alan Turing</dc:creator></item>"
        for number in range(COUNT)
    )
    return (
        '<rss version="2.0" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<channel><title>cs.CL updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.CL</link>"
        f"<pubDate>{DAY:%a, %d %b %Y} 00:00:00 -0400</pubDate>{items}</channel></rss>"
    )


def counts(var_dir: Path) -> tuple[int, int, int]:
    """Papers, sightings, and papers counted for their day."""
    with contextlib.closing(sqlite3.connect(var_dir / "db.sqlite3")) as database:
        tables = (
            "count(*) FROM papers_paper",
            "count(*) FROM papers_announcement",
            "sum(unseen) FROM papers_sourceday",
        )
        found = [database.execute(f"SELECT {what}").fetchone()[0] or 0 for what in tables]
    return (found[0], found[1], found[2])


def manage(var_dir: Path, *words: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}}
    return subprocess.Popen(
        [sys.executable, "manage.py", *words],
        cwd=REPOSITORY,
        env={**kept, "VAR_DIR": str(var_dir), "OFFLINE": "1", "LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def begun_writing(var_dir: Path, process: subprocess.Popen[str]) -> bool:
    """Wait until the process is about to write, by what it adds to SQLite's log; False where it ended first."""
    log = var_dir / "db.sqlite3-wal"
    before = log.stat().st_size if log.exists() else 0
    while process.poll() is None:
        if log.exists() and log.stat().st_size > before:
            return True
        time.sleep(0.001)
    return False


def test_it_is_killed_at_many_moments_and_nothing_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(feed())
    migrating = manage(tmp_path, "migrate", "--verbosity", "0")
    migrating.communicate(timeout=120)
    assert migrating.returncode == 0
    words = ("fetch_papers", "--from-file", str(path), "--kind", "arxiv", "--json")
    killed = 0
    for delay in (0.0, 0.1, 0.4):
        process = manage(tmp_path, *words)
        if begun_writing(tmp_path, process):
            time.sleep(delay)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.communicate(timeout=60)
        assert counts(tmp_path) in {(0, 0, 0), (COUNT, COUNT, COUNT)}
    assert killed
    told = json.loads(manage(tmp_path, *words).communicate(timeout=120)[0])
    assert (told["entries"], told["new"] + told["known"], told["rejected"]) == (COUNT, COUNT, 0)
    assert counts(tmp_path) == (COUNT, COUNT, COUNT)

"""The site as deployed, with two processes that keep pages for themselves: what one curator does, all of them show."""

import datetime as dt
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.bench import REPOSITORY, Bench, Database
from tests.benchmarks.pages import serving

pytestmark = pytest.mark.slow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    bench = Bench(n=0, rounds=1, folder=tmp_path, cache=tmp_path, say=lambda text: None)
    with bench.sqlite() as made:
        bench.ask("make_crowd", env=made.env, readers=0, papers=6, max_papers=1)
        yield made
    bench.close()


def read(address: str, **headers: str) -> tuple[str, str]:
    """The page over a connection of its own, so that either process may answer; and its ETag."""
    request = urllib.request.Request(address, headers={"Connection": "close", **headers})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return answer.read().decode(), answer.headers["ETag"]


def read_often(address: str, times: int = 40) -> set[str]:
    """How many papers the pages say are picked, and their ETags, asked for by several at once."""
    found: set[str] = set()

    def ask() -> None:
        for _ in range(times // 4):
            page, etag = read(address)
            found.add(f"{page.split(' picked')[0].split()[-1]} {etag}")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_a_pick_is_on_every_page_that_any_process_serves_from_the_next_request_on(database: Database):
    with serving("config.wsgi", env={**database.env, "PAGE_CACHE_SECONDS": "3600"}) as port:
        address = f"http://127.0.0.1:{port}/"
        before = read_often(address)
        assert {one.split()[0] for one in before} == {"2"}
        # Both processes made the page for themselves, and call it the same.
        assert len(before) == 1
        command = [
            sys.executable,
            "manage.py",
            "edition",
            f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
            "pick",
            "arxiv:2611.00003",
        ]
        subprocess.run(command, cwd=REPOSITORY, env=dict(database.env), check=True, capture_output=True)
        after = read_often(address)
        assert {one.split()[0] for one in after} == {"3"}
        assert not before & after

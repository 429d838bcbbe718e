"""The page of the day, with fifty papers, read through gunicorn as it is deployed (two processes of 16 threads), by
wrk with 16 connections on the same two cores: kept in memory, pressed as browsers ask for it, answered 304, and made
anew each time. Beside it the least that this gunicorn can do: a WSGI program that says «hello». And one paper's page.
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.benchmarks.bench import REPOSITORY, Bench

NAME = "pages"
FIGURES = {
    "pages_hello_per_s": "«hello» from a bare WSGI program, requests a second",
    "pages_day_per_s": "the page of the day, PostgreSQL, requests a second (goal: 300)",
    "pages_day_p50_ms": "half of these take less than",
    "pages_day_p95_ms": "95 of 100 of these take less than",
    "pages_day_gzip_per_s": "the same, pressed",
    "pages_day_304_per_s": "the same, answered 304",
    "pages_day_anew_per_s": "the same, made anew for each request",
    "pages_day_of_hello": "the page of the day, of «hello»",
    "pages_paper_per_s": "the page of a paper, PostgreSQL",
    "pages_day_sqlite_per_s": "the page of the day, SQLite",
    "pages_day_sqlite_p95_ms": "95 of 100 of these take less than",
    "pages_day_of_anew": "the page of the day kept in memory, of the same made anew",
    "pages_web_mb": "memory of the web processes together (proportional set), MB",
}
PAPERS, SECONDS, CONNECTIONS = 50, 8, 16
# wrk tells no 95th percentile of its own accord. Its times are microseconds.
_SCRIPT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("\\nfound %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(95), errors.status + errors.connect + errors.read + errors.timeout))
end
"""
HELLO = """
def application(environ, start_response):
    body = b"hello"
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [body]
"""


def run(bench: Bench) -> dict[str, float]:
    """Hello first, then both databases."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark asks with wrk: apt install wrk")
    found = {"pages_hello_per_s": _hello(bench)}
    for make in (bench.postgres, bench.sqlite):
        with make(PAGE_CACHE_SECONDS="60") as database:
            bench.ask("make_day", env=database.env)
            collect_static(database.env)
            with serving("config.wsgi", env=database.env) as port:
                day = ask(port, "/")
                if database.name == "sqlite":
                    found |= {"pages_day_sqlite_per_s": day["rate"], "pages_day_sqlite_p95_ms": day["p95"]}
                    continue
                found |= {
                    "pages_day_per_s": day["rate"],
                    "pages_day_p95_ms": day["p95"],
                    "pages_day_p50_ms": day["p50"],
                }
                found["pages_day_gzip_per_s"] = ask(port, "/", "Accept-Encoding: gzip")["rate"]
                found["pages_day_304_per_s"] = ask(port, "/", f"If-None-Match: {etag(port)}")["rate"]
                found["pages_paper_per_s"] = ask(port, "/papers/2611.00001")["rate"]
                found["pages_web_mb"] = _memory(port)
            with serving("config.wsgi", env={**database.env, "PAGE_CACHE_SECONDS": "0"}) as port:
                found["pages_day_anew_per_s"] = ask(port, "/")["rate"]
    found["pages_day_of_anew"] = found["pages_day_per_s"] / found["pages_day_anew_per_s"]
    found["pages_day_of_hello"] = found["pages_day_per_s"] / found["pages_hello_per_s"]
    return found


def collect_static(env: Mapping[str, str]) -> None:
    """As the image is built: pages of production name their files by what is in them."""
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity", "0"]
    subprocess.run(command, cwd=REPOSITORY, env=dict(env), check=True)


def make_day() -> Generator[None, None, dict[str, float]]:
    """An edition of today."""
    from django.utils import timezone

    from tests import crowd

    yield
    crowd.make_edition(papers=PAPERS, now=timezone.now())
    return {}


def ask(port: int, path: str, *headers: str) -> dict[str, float]:
    """Requests a second, the median and the 95th of a hundred in ms. Raises where an answer is no success."""
    url = f"http://127.0.0.1:{port}{path}"
    more = [part for header in headers for part in ("-H", header)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT)
        script.flush()
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", "-s", script.name, "-H", "Host: 127.0.0.1", *more]
        subprocess.run([*command, "-d2s", url], capture_output=True, check=True)
        said = subprocess.run([*command, f"-d{SECONDS}s", url], capture_output=True, text=True, check=True).stdout
    line = next(line for line in said.splitlines() if line.startswith("found "))
    requests, microseconds, p50, p95, errors = map(int, line.split()[1:])
    assert requests > errors == 0, said
    return {"rate": 1_000_000 * requests / microseconds, "p50": p50 / 1000, "p95": p95 / 1000}


def etag(port: int) -> str:
    """What the page of the day is known by."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "127.0.0.1"})
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - our own address
        return str(answer.headers["ETag"])


@contextmanager
def serving(program: str, *, env: Mapping[str, str]) -> Iterator[int]:
    """Gunicorn as it is deployed; the port it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", program, "--config", "python:config.gunicorn"]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**env, "BIND": f"127.0.0.1:{port}", "PYTHONPATH": f"{REPOSITORY}:{env.get('VAR_DIR', '')}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_up(port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)


def wait_until_up(port: int) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert time.monotonic() < until, "gunicorn did not come up"
            time.sleep(0.1)


def _hello(bench: Bench) -> float:
    (bench.folder / "bench_hello.py").write_text(HELLO, encoding="utf-8")
    env = {**bench.env(), "VAR_DIR": str(bench.folder)}
    with serving("bench_hello", env=env) as port:
        return ask(port, "/")["rate"]


def _memory(port: int) -> float:
    """Of whoever listens there and of its children."""
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"BIND=127.0.0.1:{port}".encode() in (process / "environ").read_bytes().split(b"\0"):
                processes.append(int(process.name))
    return memory_of(processes)


def memory_of(processes: Iterable[int]) -> float:
    """Proportional set size of these processes together, in MB."""
    found = 0.0
    for process in processes:
        # Some end while we look.
        with suppress(OSError):
            lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
            found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return found

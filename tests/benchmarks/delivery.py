"""The whole way of a digest: due readers found, papers chosen, rendered, MIME built, journalled, handed over by SMTP,
recorded. Two plain processes (no Celery between) on two cores, each given every second batch of ids as a bell would,
into postfix's smtp-sink. Beside it, in the same rounds: *raw*, bare smtplib handing over one of these very messages,
ready made, again and again (two and four processes, one connection each; the better counts), and *plain*, Django
templates and `EmailMultiAlternatives.send()` in two processes with one connection each and nothing written down.
Medians of the rounds. PostgreSQL runs with fsync and synchronous_commit on, SQLite in WAL mode with synchronous=FULL.
"""

import pstats
import re
from collections import Counter, defaultdict
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from tests.benchmarks.bench import PROCESSES, Bench, Database, median
from tests.benchmarks.fast_sink import FALLBACK, fast_sink
from tests.smtp import smtp_server

NAME = "delivery"
PAPERS, MAX_PAPERS = 120, 12
# What two processes may open together at a postfix as it comes (50); the default of the setting is kinder.
CONNECTIONS = "24"
DEFAULT_CONNECTIONS = "8"
SLOW_SINK_PER_S = 2000
# The plain way takes its time, and its rate does not hang on how long one watches.
PLAIN_MOST, PROFILED = 4000, 1000
FIGURES = {
    "handoff_raw_per_s": "bare smtplib, one ready message, the better of two and four processes",
    "pipeline_postgres_per_s": "the whole pipeline on PostgreSQL, planning included",
    "pipeline_sqlite_per_s": "the same on SQLite",
    "pipeline_k1_per_s": "on PostgreSQL with one SMTP connection a process",
    "pipeline_k8_per_s": "and with eight, the default of SEND_CONNECTIONS",
    "plain_per_s": "the plain way",
    "pipeline_over_raw": "pipeline on PostgreSQL / raw (the goal is at least 1.0)",
    "pipeline_over_plain": "pipeline on PostgreSQL / plain (the goal is at least 4)",
    "pipeline_sqlite_over_raw": "pipeline on SQLite / raw",
    "worker_start_mb": "the memory of a sending process before its first digest",
    "handoff_raw_two_per_s": "raw with two processes",
    "handoff_raw_four_per_s": "raw with four",
    "worker_peak_mb": "the most memory a sending process held",
    "connections_k": "SMTP connections a process; the default of SEND_CONNECTIONS is 8",
    "commits_per_s": "transactions PostgreSQL committed",
    "commits_per_digest": "and for each digest",
    "wal_per_digest_kb": "what PostgreSQL wrote into its log for each digest, planning included",
    "delivery_row_bytes": "a delivery on disk once it is sent, indexes and dead rows included",
    "rung_a_minute": "digests that the bells of one minute cover",
    "html_kb": "HTML part of the message",
    "message_kb": "the whole message",
}
# Where a digest's time goes: the first pattern that a function's file (and name) shows counts.
AREAS = {
    "waiting for the mail server": r"socket|select|ssl\.py|smtplib",
    "database driver": r"psycopg|sqlite3|libpq",
    "Django's ORM": r"django/db/",
    "templates": r"django/template/|django/utils/(html|safestring)|templates",
    "style sheets into the HTML": r"css_inline",
    "MIME and encoding": r"/email/|django/core/mail|quopri|base64|binascii|encode",
    "signed links": r"django/core/signing|hmac|hashlib|tokens\.py",
    "our own code": r"/(digests|mailer|subscriptions|limits|papers)/",
}

REST = "builtins and the rest of Python"


def run(bench: Bench) -> dict[str, float]:
    """All rounds, then one short run under a profiler."""
    with (
        fast_sink(bench.cache) as (port, is_postfix),
        bench.postgres(EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(port)) as postgres,
        bench.sqlite(EMAIL_HOST="127.0.0.1", EMAIL_PORT=str(port)) as sqlite,
    ):
        if not is_postfix:
            bench.note(FALLBACK)
        for database in (postgres, sqlite):
            bench.say(f"{NAME}: {bench.n} readers into {database.name}")
            bench.ask("make_crowd", env=database.env, readers=bench.n, papers=PAPERS, max_papers=MAX_PAPERS)
        message = _take_message(bench, postgres)
        rounds: dict[str, list[float]] = defaultdict(list)
        for number in range(bench.rounds):
            bench.say(f"{NAME}: round {number + 1} of {bench.rounds}")
            for name, value in _round(bench, postgres, sqlite, message=message, port=port).items():
                rounds[name].append(value)
        figures = {name: median(values) for name, values in rounds.items()}
        _profile(bench, postgres)
    figures["worker_peak_mb"] = max(rounds["worker_peak_mb"])
    figures["message_kb"] = round(message.stat().st_size / 1024, 1)
    figures["html_kb"] = round(_html_bytes(message) / 1024, 1)
    return figures | _ratios(bench, figures)


def _round(bench: Bench, postgres: Database, sqlite: Database, *, message: Path, port: int) -> dict[str, float]:
    two, four = (_raw(bench, message, port=port, processes=processes) for processes in (2, 4))
    pipeline = _pipeline(bench, postgres, SEND_CONNECTIONS=CONNECTIONS)
    usual = _pipeline(bench, postgres, SEND_CONNECTIONS=DEFAULT_CONNECTIONS)
    plain = _plain(bench, postgres, port=port)
    single = _pipeline(bench, postgres, SEND_CONNECTIONS="1")
    small = _pipeline(bench, sqlite, SEND_CONNECTIONS=CONNECTIONS)
    return {
        "handoff_raw_two_per_s": two,
        "handoff_raw_four_per_s": four,
        "handoff_raw_per_s": max(two, four),
        "plain_per_s": plain,
        "pipeline_k1_per_s": single["per_s"],
        "pipeline_k8_per_s": usual["per_s"],
        "pipeline_sqlite_per_s": small["per_s"],
        "pipeline_postgres_per_s": pipeline["per_s"],
        "connections_k": pipeline["connections"],
        "commits_per_s": pipeline["commits_per_s"],
        "commits_per_digest": pipeline["commits_per_s"] / pipeline["per_s"],
        "worker_peak_mb": max(pipeline["peak_mb"], small["peak_mb"]),
        "worker_start_mb": pipeline["before_mb"],
        "wal_per_digest_kb": pipeline["wal_kb"],
        "delivery_row_bytes": pipeline["row_bytes"],
        "rung_a_minute": pipeline["rung_a_minute"],
    }


def _pipeline(bench: Bench, database: Database, **values: str) -> dict[str, float]:
    """One send to everybody. The figures are void, and the run ends, where not every digest was accepted."""
    env = {**database.env, **values}
    bench.ask("forget_deliveries", env=env)
    planning = bench.start("plan", env=env)
    before = bench.ask("look", env=env)
    planned, _ = bench.race([planning])
    seconds, results = bench.race(
        [bench.start("send", env=env, number=number, of=PROCESSES) for number in range(PROCESSES)]
    )
    after = bench.ask("look", env=env)
    assert after["accepted"] == bench.n, f"{after['accepted']} of {bench.n} were accepted"
    return {
        "per_s": bench.n / (planned + seconds),
        "connections": after["connections"],
        "commits_per_s": (after["commits"] - before["commits"]) / (planned + seconds),
        "wal_kb": (after["wal_bytes"] - before["wal_bytes"]) / bench.n / 1024,
        "row_bytes": after["table_bytes"] / bench.n,
        "rung_a_minute": after["rung_a_minute"],
        "peak_mb": max(result["peak_mb"] for result in results),
        "before_mb": max(result["before_mb"] for result in results),
    }


def _raw(bench: Bench, message: Path, *, port: int, processes: int) -> float:
    each = bench.n // processes
    children = [
        bench.start("hand_over_raw", env={"PATH": bench.env()["PATH"]}, path=str(message), port=port, count=each)
        for _ in range(processes)
    ]
    seconds, _ = bench.race(children)
    return each * processes / seconds


def _plain(bench: Bench, database: Database, *, port: int) -> float:
    count = min(bench.n, PLAIN_MOST)
    children = [
        bench.start("send_plainly", env=database.env, number=number, of=PROCESSES, count=count, port=port)
        for number in range(PROCESSES)
    ]
    seconds, _ = bench.race(children)
    return count / seconds


def _take_message(bench: Bench, database: Database) -> Path:
    """One real digest as it came over the wire."""
    path = bench.folder / "message.eml"
    with smtp_server() as server:
        assert bench.ask("send_one_to", env=database.env, port=server.port)["sent"] == 1
        path.write_bytes(server.mails[0].source)
    return path


def _html_bytes(path: Path) -> int:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    part = message.get_body(("html",))
    assert part
    return len(part.get_content().encode())


def _ratios(bench: Bench, figures: dict[str, float]) -> dict[str, float]:
    if figures["handoff_raw_per_s"] < SLOW_SINK_PER_S:
        bench.note("sink too slow, ratios void")
        bench.say("sink too slow, ratios void")
    return {
        "pipeline_over_raw": figures["pipeline_postgres_per_s"] / figures["handoff_raw_per_s"],
        "pipeline_sqlite_over_raw": figures["pipeline_sqlite_per_s"] / figures["handoff_raw_per_s"],
        "pipeline_over_plain": figures["pipeline_postgres_per_s"] / figures["plain_per_s"],
    }


def _profile(bench: Bench, database: Database) -> None:
    """Where the time of one process goes, as shares of its own time; only the thread that sends is seen."""
    bench.ask("forget_deliveries", env=database.env)
    bench.ask("plan", env=database.env)
    path = str(bench.folder / "profile")
    # Every so-manieth batch: enough to be steady, not so much that it takes long under the profiler.
    bench.ask("send", env=database.env, number=0, of=max(bench.n // PROFILED, 1), profile=path)
    shares: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(path).stats.items():  # type: ignore[attr-defined]
        shares[_area(f"{file} {name}")] += own
    total = sum(shares.values())
    for area, seconds in shares.most_common():
        bench.note(f"{100 * seconds / total:3.0f} %  {area}")


def _area(function: str) -> str:
    return next((area for area, pattern in AREAS.items() if re.search(pattern, function)), REST)

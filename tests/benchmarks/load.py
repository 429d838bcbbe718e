"""Everything at once on two cores, for five minutes: 300 page reads, 50 sign-ups and 200 webhook events a second.

The site, a worker and beat run as they are deployed, on PostgreSQL (fsync on) and Valkey (append-only file), and share
the two cores with both, with the mail service (Postmark's API, a stand-in that keeps a log) and with wrk, which asks at
a fixed rate however long an answer takes. A sign-up waits out the 100 ms before which no address is answered, and each
comes from a network of its own. One webhook of twenty came before, as services repeat themselves. Afterwards everything
is counted: each sign-up that was taken is a row and one mail, each event is stored once and applied, and nobody was
answered with an error. The site has been read for a few seconds when it begins. `LOAD_SECONDS` says how long.
"""

import base64
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.valkey import find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from tests.benchmarks.bench import Bench
from tests.benchmarks.pages import collect_static, memory_of, wait_until_up
from tests.chaos.faults import Faults
from tests.chaos.processes import Processes, members_of, wait_for
from tests.chaos.sink_process import SinkProcess

NAME = "load"
PORT = 8911
SECRET = "made-up-user:made-up-password-3f9c1d7e5a"
PAPERS, READERS_TOPICS = 50, 24
# So that no request waits for a connection while others are under way.
CONNECTIONS = {"reads": 32, "signups": 48, "webhooks": 32}
RATES = {"reads": 300, "signups": 50, "webhooks": 200}
REPEATED = 20
WARM_UP_SECONDS = 5
# After the load; what is left by then is a failure.
DRAIN_SECONDS = 240.0
SCRIPT = Path(__file__).with_name("at_a_rate.lua")
FIGURES = {
    "load_seconds": "how long it lasted",
    **{
        f"load_{what}_{figure}": f"{words}: {meaning}"
        for what, words in (("reads", "page reads"), ("signups", "sign-ups"), ("webhooks", "webhooks"))
        for figure, meaning in (
            ("per_s", f"answered a second (asked: {RATES[what]})"),
            ("p50_ms", "half of them take less than"),
            ("p95_ms", "95 of 100 take less than"),
            ("p99_ms", "99 of 100 take less than"),
            ("late_ms", "the longest that one was asked later than it was due"),
        )
    },
    "load_web_mb": "most memory of the web processes together (proportional set), MB",
    "load_worker_mb": "most memory of the worker's processes together, MB",
    "load_lost": "sign-ups without a row or a mail, events not stored or not applied, readers mailed twice",
    "load_errors": "answers that were errors, and connections that broke",
    "load_drained_s": "seconds after the end until the last confirmation had left and the last event was applied",
}
Measured = Generator[None, None, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What one wrk did and saw; times in ms."""

    asked: int
    succeeded: int
    failed: int
    broken: int
    p50: float
    p95: float
    p99: float
    most: float
    latest: float


@dataclass
class Memory:
    """The most that each part held, looked at every few seconds."""

    parts: Mapping[str, int]
    most: dict[str, float] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._over.wait(3.0):
            for name, group in self.parts.items():
                self.most[name] = max(self.most.get(name, 0.0), memory_of(members_of(group)))

    def stop(self) -> None:
        self._over.set()


def run(bench: Bench) -> dict[str, float]:
    """Prepare, ask, wait, count."""
    if shutil.which("wrk") is None:
        raise SystemExit("This benchmark asks with wrk: apt install wrk")
    seconds = int(os.environ.get("LOAD_SECONDS") or 300)
    with ExitStack() as stack:
        folder = stack.enter_context(socket_folder())
        processes = stack.enter_context(Processes(log_dir=bench.folder))
        sink = SinkProcess("http", folder=folder / "sink", processes=processes, faults=Faults())
        stack.enter_context(closing(sink))
        database = stack.enter_context(bench.postgres(**_settings(folder, sink=sink)))
        bench.say(f"{NAME}: preparing {RATES['webhooks'] * seconds} mails that webhooks will be about")
        bench.ask("prepare_load", env=database.env, folder=str(bench.folder), seconds=seconds)
        memory = stack.enter_context(_deployed(processes, env=dict(database.env), folder=folder))
        # A site that was just started makes each page for the first time: that is not what is measured.
        _ask_all(bench.folder, seconds=WARM_UP_SECONDS, only="reads")
        bench.say(f"{NAME}: {seconds} seconds of load")
        asked = _ask_all(bench.folder, seconds=seconds)
        started = time.monotonic()
        wait_for(lambda: not _left(bench, env=database.env), seconds=DRAIN_SECONDS, pause=1.0)
        drained = time.monotonic() - started
        told = bench.ask("count_load", env=database.env)
        arrived = sink.arrivals().arrived
        return _figures(bench, asked=asked, told=told, arrived=arrived, seconds=seconds, drained=drained) | {
            f"load_{part}_mb": most for part, most in memory.most.items()
        }


def _settings(folder: Path, *, sink: SinkProcess) -> dict[str, str]:
    """As an owner sets it who expects such a crowd: the limits over all sign-ups are theirs to choose."""
    return {
        "REDIS_URL": valkey_url(folder),
        "SITE_URL": f"http://127.0.0.1:{PORT}",
        "TRUSTED_PROXIES": "127.0.0.1/32",
        "EMAIL_PROVIDER": "postmark",
        "ANYMAIL_POSTMARK_SERVER_TOKEN": "made-up-token",
        "ANYMAIL_POSTMARK_API_URL": f"http://{sink.host}:{sink.port}/",
        "WEBHOOK_SECRET": SECRET,
        "SIGNUPS_CALM": str(RATES["signups"] * 120),
        "CONFIRMATIONS_PER_HOUR": str(RATES["signups"] * 7200),
    }


@contextmanager
def _deployed(processes: Processes, *, env: dict[str, str], folder: Path) -> Iterator[Memory]:
    """Queue, site, worker and beat, each as the compose file starts it."""
    queue = (*valkey_command(find_valkey(), folder=folder), "--appendonly", "yes")
    processes.start("valkey", queue, env=env)
    assert wait_for(lambda: is_valkey_up(folder), seconds=15), "Valkey does not start"
    collect_static(env)
    env["BIND"] = f"127.0.0.1:{PORT}"
    web = processes.start(
        "web", (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn"), env=env
    )
    celery = (sys.executable, "-m", "celery", "-A", "config")
    worker = processes.start("worker", (*celery, "worker", "-c", "2", "-Q", "celery,notices"), env=env)
    schedule = ("--pidfile", "", "--schedule", str(folder / "beat"))
    processes.start("beat", (*celery, "beat", *schedule), env=env)
    wait_until_up(PORT)
    memory = Memory({"web": web.pid, "worker": worker.pid})
    watcher = threading.Thread(target=memory.watch, daemon=True)
    watcher.start()
    try:
        yield memory
    finally:
        memory.stop()
        watcher.join()


def _ask_all(folder: Path, *, seconds: int, only: str = "") -> dict[str, Asked]:
    """All three at once, or one alone."""
    started = {
        what: subprocess.Popen(_wrk(what, folder=folder, seconds=seconds), stdout=subprocess.PIPE, text=True)
        for what in RATES
        if only in {"", what}
    }
    found = {}
    for what, process in started.items():
        said = process.communicate(timeout=seconds + 120)[0]
        assert process.returncode == 0, said
        numbers = [int(word) for word in said.partition("\nfound ")[2].split()]
        counts, times = numbers[:4], [number / 1000 for number in numbers[4:8]]
        found[what] = Asked(*counts, *times, latest=numbers[8])
    return found


def _wrk(what: str, *, folder: Path, seconds: int) -> list[str]:
    rate = RATES[what]
    login = base64.b64encode(SECRET.encode()).decode()
    # A few seconds more than it asks, for the last answers.
    options = ["-t1", f"-c{CONNECTIONS[what]}", f"-d{seconds + 5}s", "--timeout", "30s", "-s", str(SCRIPT)]
    headers = ["-H", f"Host: 127.0.0.1:{PORT}", "-H", f"Authorization: Basic {login}"]
    url = f"http://127.0.0.1:{PORT}"
    return ["wrk", *options, *headers, url, "--", str(rate), str(rate * seconds), str(folder / f"{what}.tsv")]


def _left(bench: Bench, *, env: Mapping[str, str]) -> bool:
    told = bench.ask("count_load", env=env)
    return bool(told["open_notices"] or told["events_open"])


def _figures(
    bench: Bench,
    *,
    asked: Mapping[str, Asked],
    told: Mapping[str, float],
    arrived: Mapping[str, int],
    seconds: int,
    drained: float,
) -> dict[str, float]:
    taken = asked["signups"].succeeded
    mailed = {address: count for address, count in arrived.items() if address.startswith("crowd")}
    came = asked["webhooks"].succeeded
    stored = came - came // REPEATED
    lost = {
        "sign-ups without a row": max(0, taken - int(told["signed_up"])),
        "sign-ups without a mail": max(0, taken - len(mailed)),
        "readers mailed twice": sum(count > 1 for count in mailed.values()),
        "events not stored": max(0, stored - int(told["events"])),
        "events not applied": int(told["events_open"]),
        "events applied with an error": int(told["event_errors"]),
    }
    for what, count in lost.items():
        if count:
            bench.note(f"{what}: {count}")
    bench.note(
        f"taken: {taken:,} sign-ups, {told['signed_up']:,.0f} rows, {len(mailed):,} readers mailed;"
        f" {asked['webhooks'].succeeded:,} webhooks, {told['events']:,.0f} events,"
        f" {told['delivered']:,.0f} delivered, {told['bounced']:,.0f} bounced, {told['complained']:,.0f} complaints."
    )
    found = {
        "load_seconds": float(seconds),
        "load_lost": float(sum(lost.values())),
        "load_errors": float(sum(one.failed + one.broken for one in asked.values())),
        "load_drained_s": drained,
    }
    for what, one in asked.items():
        bench.note(f"{what}: {dataclasses.asdict(one)}")
        found |= {
            f"load_{what}_per_s": one.succeeded / seconds,
            f"load_{what}_p50_ms": one.p50,
            f"load_{what}_p95_ms": one.p95,
            f"load_{what}_p99_ms": one.p99,
            f"load_{what}_late_ms": one.latest,
        }
    return found


def prepare_load(*, folder: str, seconds: int) -> Measured:
    """In a process of its own: a day, mails that were accepted, and the requests of each kind as files."""
    from django.utils import timezone

    from digests.models import Delivery
    from subscriptions.models import Subscriber
    from tests import crowd
    from tests.bombing import stamp_of_a_while_ago

    yield
    now, count = timezone.now(), RATES["webhooks"] * seconds
    edition = crowd.make_edition(papers=PAPERS, now=now)
    crowd.make_readers(count, max_papers=5, now=now)
    Subscriber.objects.update(next_due_at=None)
    events = []
    for start in range(0, count, crowd.CHUNK):
        readers = Subscriber.objects.order_by("pk")[start : start + crowd.CHUNK]
        sent = Delivery.objects.bulk_create(
            Delivery(edition=edition, subscriber=reader, due_at=now, state="accepted", settled_at=now)
            for reader in readers
        )
        events += [
            _event(start + number, outgoing_id=delivery.public_id, to=reader.email, at=now.isoformat())
            for number, (delivery, reader) in enumerate(zip(sent, readers, strict=True))
        ]
    # The one before it once more.
    for number in range(REPEATED - 1, count, REPEATED):
        events[number] = events[number - 1]
    stamp = stamp_of_a_while_ago()
    _write(
        Path(folder) / "webhooks.tsv", [f"POST\t/anymail/postmark/tracking/\tapplication/json\t\t{e}" for e in events]
    )
    _write(
        Path(folder) / "signups.tsv", [_sign_up(number, stamp=stamp) for number in range(RATES["signups"] * seconds)]
    )
    _write(Path(folder) / "reads.tsv", [f"GET\t{path}\t\t\t" for path in _paths(edition.date.isoformat())])
    return {}


def _event(number: int, *, outgoing_id: str, to: str, at: str) -> str:
    """Of a hundred mails 97 are delivered, two bounce, and one is called spam."""
    about = {"MessageID": f"made-up-{number}", "Metadata": {"outgoing_id": outgoing_id}, "MessageStream": "broadcast"}
    if number % 100 > 2:
        return json.dumps({**about, "RecordType": "Delivery", "Recipient": to, "DeliveredAt": at, "Details": "250 OK"})
    kind = "SpamComplaint" if number % 100 == 2 else "Bounce"
    what = "SpamComplaint" if kind == "SpamComplaint" else "HardBounce"
    details = {"ID": number, "Type": what, "Email": to, "BouncedAt": at, "Details": "smtp;550 5.1.1 unknown user"}
    return json.dumps({**about, "RecordType": kind, **details})


def _sign_up(number: int, *, stamp: str) -> str:
    # Each from a network of their own.
    visitor = f"{31 + number // 65536}.{number // 256 % 256}.{number % 256}.9"
    body = f"email=crowd{number}%40example.net&topics=crowd-{number % READERS_TOPICS}&stamp={stamp}"
    return f"POST\t/subscribe/\tapplication/x-www-form-urlencoded\t{visitor}\t{body}"


def _paths(day: str) -> list[str]:
    """What people open: mostly the day, often a paper, then the rest."""
    papers = [f"/papers/2611.{number:05}" for number in range(PAPERS)]
    lists = [f"/papers/date/{day}", "/papers/trending", "/topics/crowd-3", "/archive", "/search?q=large+models"]
    rest = [*lists, "/subscribe/", "/about/", "/feeds/today.atom", "/api/daily_papers"]
    found = []
    for number in range(PAPERS * 9):
        found += ["/", "/", papers[number % PAPERS], rest[number % len(rest)]]
    return found


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def count_load() -> Measured:
    """In a process of its own: what the database knows of it."""
    from django.db.models import Count

    from digests.models import Delivery
    from subscriptions.models import MailEvent, Notice, Subscriber

    yield
    states: dict[Any, int] = dict(Delivery.objects.order_by().values_list("state").annotate(Count("id")))
    return {
        "signed_up": Subscriber.objects.filter(email__startswith="crowd").count(),
        "open_notices": Notice.objects.filter(state__in=("queued", "claimed", "handing_over")).count(),
        "events": MailEvent.objects.count(),
        "events_open": MailEvent.objects.filter(applied_at__isnull=True).count(),
        "event_errors": MailEvent.objects.exclude(error="").count(),
        "delivered": states.get("delivered", 0),
        "bounced": states.get("bounced", 0),
        "complained": states.get("complained", 0),
    }

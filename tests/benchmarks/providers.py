"""The same digests through Anymail to a provider's API, played by a local server that takes 50 ms for every answer. Two
processes with eight connections each; beside it, sixteen bare `requests` sessions in two processes, posting the body of
one of these very messages. PostgreSQL, planning not counted. Mailgun and SES are reported for comparison: their client
libraries take milliseconds of their own for a message.
"""

from collections import defaultdict
from importlib.util import find_spec

from tests.benchmarks.bench import PROCESSES, Bench, Database, median
from tests.benchmarks.provider_stub import ask_stub, provider_stub
from tests.servers import Reply, serve

NAME = "providers"
LATENCY_MS, CONNECTIONS = 50, 16
MOST = 3000
# A rate that the machine could easily go beyond, and how many messages it is watched for.
RATE, PACED = 100, 1000
SECRET = "made-up-user:made-up-password-3f9c1d7e5a"
FIGURES = {
    "postmark_per_s": "through Anymail's Postmark backend",
    "mailgun_per_s": "through Anymail's Mailgun backend",
    "ses_per_s": "through Anymail's SES backend",
    "http_raw_per_s": "as many bare HTTP sessions, the same body",
    "postmark_over_raw": "Postmark / bare",
    "paced_per_s": "Postmark again with SEND_RATE=100, all in all",
    "paced_busiest_second": "and the messages in its busiest second",
    "postmark_peak_mb": "the most memory a sending process held",
}


def run(bench: Bench) -> dict[str, float]:
    """Bare and Postmark in turn, then the others once."""
    count = min(bench.n, MOST)
    rounds: dict[str, list[float]] = defaultdict(list)
    with provider_stub(latency_ms=LATENCY_MS) as address, bench.postgres(EMAIL_HOST="127.0.0.1") as database:
        bench.ask("make_crowd", env=database.env, readers=count, papers=120, max_papers=12)
        environments = _environments(bench, database, address=address)
        path, headers = _take_request(bench, environments["postmark"])
        for number in range(bench.rounds):
            bench.say(f"{NAME}: round {number + 1} of {bench.rounds}")
            rounds["http_raw_per_s"].append(
                _bare(bench, path=path, headers=headers, url=f"{address}email", count=count)
            )
            for name, env in environments.items():
                if name == "postmark" or number == 0:
                    per_s, peak = _send(bench, env, count=count)
                    rounds[f"{name}_per_s"].append(per_s)
                    rounds[f"{name}_peak_mb"].append(peak)
        bench.note(f"the busiest second of the stub saw {ask_stub(address)['busiest_second']} messages")
        paced = _paced(bench, environments["postmark"], count=count)
    figures = {name: median(values) for name, values in rounds.items()} | paced
    return figures | {"postmark_over_raw": figures["postmark_per_s"] / figures["http_raw_per_s"]}


def _paced(bench: Bench, env: dict[str, str], *, count: int) -> dict[str, float]:
    """Whether all processes together keep a rate. Nothing, where this version has no such setting."""
    if not bench.ask("look", env=env)["has_rate"]:
        bench.note("no SEND_RATE here, so no rate was held against the stub")
        return {}
    bench.say(f"{NAME}: at most {RATE} a second")
    with provider_stub(latency_ms=LATENCY_MS) as address:
        env = {**env, "ANYMAIL_POSTMARK_API_URL": address, "SEND_RATE": str(RATE)}
        bench.ask("forget_deliveries", env=env, keep=PACED)
        per_s, _ = _send(bench, env, count=min(count, PACED), everybody=False)
        return {"paced_per_s": per_s, "paced_busiest_second": ask_stub(address)["busiest_second"]}


def _environments(bench: Bench, database: Database, *, address: str) -> dict[str, dict[str, str]]:
    common = {
        **database.env,
        "SEND_CONNECTIONS": str(CONNECTIONS // PROCESSES),
        "WEBHOOK_SECRET": SECRET,
        "DJANGO_SETTINGS_MODULE": "tests.benchmarks.settings",
    }
    postmark = {"ANYMAIL_POSTMARK_SERVER_TOKEN": "made-up", "ANYMAIL_POSTMARK_API_URL": address}
    mailgun = {"ANYMAIL_MAILGUN_API_KEY": "made-up", "ANYMAIL_MAILGUN_API_URL": f"{address}v3"}
    found = {
        "postmark": {**common, "EMAIL_PROVIDER": "postmark", **postmark},
        "mailgun": {**common, "EMAIL_PROVIDER": "mailgun", **mailgun},
    }
    if find_spec("boto3"):
        found["ses"] = {**common, "EMAIL_PROVIDER": "ses", "BENCH_SES": address}
    else:
        bench.note("SES was not measured: boto3 is not installed (pip install '.[ses]')")
    return found


def _take_request(bench: Bench, env: dict[str, str]) -> tuple[str, dict[str, str]]:
    """The body of one digest as Anymail posts it, and its headers."""
    path = bench.folder / "request"
    with serve({"POST /email": Reply(status=500)}) as server:
        bench.ask("send_one_to", env={**env, "ANYMAIL_POSTMARK_API_URL": server.url("/")}, port=0)
        request = server.requests[0]
    path.write_bytes(request.body)
    kept = ("Content-Type", "Accept", "X-Postmark-Server-Token")
    return str(path), {name: request.headers[name] for name in kept if request.headers[name]}


def _bare(bench: Bench, *, path: str, headers: dict[str, str], url: str, count: int) -> float:
    env = {"PATH": bench.env()["PATH"]}
    sessions = CONNECTIONS // PROCESSES
    each = count // PROCESSES
    children = [
        bench.start("post_raw", env=env, path=path, url=url, headers=headers, count=each, sessions=sessions)
        for _ in range(PROCESSES)
    ]
    seconds, results = bench.race(children)
    return sum(result["sent"] for result in results) / seconds


def _send(bench: Bench, env: dict[str, str], *, count: int, everybody: bool = True) -> tuple[float, float]:
    if everybody:
        bench.ask("forget_deliveries", env=env)
    bench.ask("plan", env=env)
    children = [bench.start("send", env=env, number=number, of=PROCESSES) for number in range(PROCESSES)]
    seconds, results = bench.race(children)
    accepted = bench.ask("look", env=env)["accepted"]
    assert accepted == count, f"{accepted} of {count} were accepted"
    return count / seconds, max(result["peak_mb"] for result in results)

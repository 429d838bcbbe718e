"""No log of any process names a reader, whatever goes wrong: real flows, with every line of output read afterwards."""

import gzip
import json
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.leaky import BEYOND
from tests.journeys.machine import Machine, machine_with_queue, running, wait_for
from tests.servers import LocalServer, json_reply, serve
from tests.smtp import SmtpServer, smtp_server
from tests.subscriptions.test_reports import letter

pytestmark = pytest.mark.worker
RING = """
from config.celery import app
app.send_task({name!r}, args={args!r})
"""
ENVELOPES = "/api/7/envelope/"
TAKEN, REFUSED, BUSY, CRASHED, BEYOND_IT = (
    f"{name}.reader@mail.example.com" for name in ("taken", "refused", "busy", "crash", "beyond")
)
LOST, AGAIN, UNKNOWN, BROKEN = (
    f"{name}.reader@mail.example.com" for name in ("lost", "again", "unknown", "broken-line")
)


@dataclass(frozen=True)
class Running:
    """The product, whose logs are those of production."""

    machine: Machine
    port: int
    smtp: SmtpServer
    sentry: LocalServer

    def told(self) -> str:
        """What Sentry was told."""
        return "".join(gzip.decompress(request.body).decode() for request in self.sentry.requests_to(ENVELOPES))

    def log(self) -> str:
        return self.machine.log()

    def lines(self, name: str) -> list[dict[str, str]]:
        """What one process logged; every line is JSON."""
        text = (self.machine.var_dir / f"{name}.log").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def sign_up(self, address: str) -> int:
        """Fill in the form."""
        body = urllib.parse.urlencode({"email": address, "zone": "UTC"}).encode()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/subscribe/", data=body, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def say(self, octets: bytes) -> bytes:
        """Whatever octets, to the web server."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as line:
            line.sendall(octets)
            return line.recv(200)


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    refusals = {REFUSED: f"550 5.1.1 <{REFUSED}>: no such user here", BUSY: f"451 4.2.0 <{BUSY}> is busy"}
    (tmp_path / "bounces" / "cur").mkdir(parents=True)
    for name in ("new", "tmp"):
        (tmp_path / "bounces" / name).mkdir()
    with smtp_server(refused_recipients=refusals) as smtp, serve({ENVELOPES: json_reply({})}) as sentry:
        env = {
            "LOG_FORMAT": "json",
            "SENTRY_DSN": f"http://public-key@{sentry.pair}/7",
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_PORT": str(smtp.port),
            "DEFAULT_FROM_EMAIL": "papers@papers.example.org",
            "BOUNCE_ADDRESS": "bounce@papers.example.org",
            "BOUNCE_MAILBOX": f"maildir:{tmp_path / 'bounces'}",
            "BIND": f"127.0.0.1:{port}",
        }
        python = (sys.executable, "-m")
        web = (*python, "gunicorn", "tests.journeys.leaky:site", "--config", "python:config.gunicorn")
        worker = (*python, "celery", "-A", "tests.journeys.leaky", "worker", "-c", "2", "--loglevel", "INFO")
        with (
            machine_with_queue(tmp_path, **env) as machine,
            running("web", web, machine=machine),
            running("worker", worker, machine=machine),
        ):
            wait_for(lambda: is_listening(port), machine)
            yield Running(machine, port, smtp, sentry)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_whatever_goes_wrong_no_process_logs_an_address_and_a_task_names_its_request(product: Running):
    machine = product.machine
    # Readers sign up: one mail is taken, one refused for good and one for now, in words that name the reader.
    for address in (TAKEN, REFUSED, BUSY):
        assert product.sign_up(address) == 200
    wait_for(lambda: product.smtp.mails, machine)
    wait_for(
        lambda: len(machine.ask("SELECT 1 FROM subscriptions_notice WHERE state = 'accepted' OR reason <> ''")) == 3,
        machine,
    )
    # The first comes back.
    ((public_id,),) = machine.ask("SELECT public_id FROM subscriptions_notice WHERE state = 'accepted'")
    bounce = letter("failed", outgoing_id=public_id, words=f"550 5.1.1 <{TAKEN}>: gone")
    (machine.var_dir / "bounces" / "new" / f"{time.time():.0f}.1.here").write_bytes(bounce)
    machine.do(RING.format(name="subscriptions.tasks.read_bounces", args=[]))
    wait_for(lambda: machine.ask("SELECT 1 FROM subscriptions_mailevent"), machine)
    # A view fails over what was posted, the server over what it was asked, and a request makes no sense.
    assert product.sign_up(CRASHED) == 500
    assert b" 500 " in product.say(f"GET {BEYOND}?email={BEYOND_IT} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert b" 400 " in product.say(f"GET /?email={BROKEN} HTTP/banana\r\nHost: 127.0.0.1\r\n\r\n".encode())
    # Tasks fail over one, and one is rung for that nobody knows.
    for name, address in (("leaky.fail", LOST), ("leaky.retry", AGAIN), ("leaky.nobody", UNKNOWN)):
        machine.do(RING.format(name=name, args=[address]))
    for words in ("nobody knows", "is away", "leaky.nobody"):
        wait_for(lambda words=words: words in product.log(), machine)

    # What went wrong is in the logs, as each fault was meant to be.
    said = product.log()
    assert "cannot store" in said
    assert "cannot go to" in said
    for address in (TAKEN, REFUSED, BUSY, CRASHED, BEYOND_IT, BROKEN, LOST, AGAIN, UNKNOWN):
        local, _, domain = address.partition("@")
        assert local not in said, f"{address} is in a log"
        assert domain not in said
    assert "address-" in said
    # Sentry was told of the view and the task that failed, and of no reader.
    wait_for(lambda: "cannot store" in product.told() and "nobody knows" in product.told(), machine)
    told = product.told()
    assert "RuntimeError" in told
    assert "subscriptions.pages.signup" in told
    assert "address-" in told
    assert ".reader" not in told
    assert "mail.example.com" not in told
    assert '"request_id"' in told
    assert '"task": "leaky.fail"' in told or '"task":"leaky.fail"' in told
    # One line a request, and none says from where it came.
    assert not [line for line in product.lines("web") if line["logger"] == "gunicorn.access"]
    assert "127.0.0.1 - -" not in said
    requests = {line["request"] for line in product.lines("web") if line.get("route") == "subscriptions:subscribe"}
    rung = {line["request"] for line in product.lines("worker") if line.get("request")}
    assert rung
    assert rung <= requests


def test_every_line_of_web_and_worker_is_json(product: Running):
    product.sign_up(TAKEN)
    wait_for(lambda: product.smtp.mails, product.machine)
    for name in ("web", "worker"):
        text = (product.machine.var_dir / f"{name}.log").read_text(encoding="utf-8")
        assert product.lines(name)
        # Celery greets with a picture, which no logger writes; whatever else has an instant in front is a logger's.
        others = [line for line in text.splitlines() if re.match(r"\[?20\d\d-|Traceback", line)]
        assert others == []

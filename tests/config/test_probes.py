"""What orchestrators, monitors and Prometheus are told."""

import datetime as dt
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from config import probes
from digests.models import Delivery
from subscriptions.heartbeat import BEAT, beat
from subscriptions.models import Heartbeat
from subscriptions.outgoing import OutgoingState
from tests.factories import make_delivery, make_edition, make_paper, make_source, make_subscriber
from tests.with_postgres import production_env

pytestmark = [pytest.mark.db, pytest.mark.django_db]
REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"


@pytest.fixture(autouse=True)
def all_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "queue_lengths", lambda: {"celery": 0})
    monkeypatch.setattr("config.metrics.queue_lengths", lambda: {"celery": 3})
    beat(BEAT)
    beat()


def parts(client: Client, path: str = "/readyz") -> tuple[int, dict[str, str]]:
    answer = client.get(path)
    return answer.status_code, answer.json()["parts"]


def test_where_all_is_well_every_part_says_ok(client: Client):
    status, said = parts(client, "/readyz?all=1")
    assert status == 200
    assert set(said.values()) == {"ok"}
    assert set(said) == {"database", "migrations", "queue", "beat", "worker", "sending"}


def test_without_the_queue_pages_go_on_and_a_monitor_hears_of_it(client: Client, monkeypatch: pytest.MonkeyPatch):
    def away() -> None:
        raise redis.ConnectionError("redis://:password@10.0.0.7")

    monkeypatch.setattr(probes, "queue_lengths", away)
    assert parts(client)[0] == 200
    status, said = parts(client, "/readyz?all=1")
    assert (status, said["queue"]) == (503, "cannot be reached (ConnectionError)")


def test_without_the_database_it_is_not_ready_and_says_nothing_more(client: Client, monkeypatch: pytest.MonkeyPatch):
    def away() -> str:
        raise OperationalError("could not connect to 10.0.0.8")

    monkeypatch.setattr(probes, "_database", away)
    status, said = parts(client)
    assert status == 503
    assert "10.0.0.8" not in json.dumps(said)
    assert said["sending"] == "not known without the database"


def test_a_database_that_is_not_migrated_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probes, "_migrated", False)
    monkeypatch.setattr(probes.MigrationExecutor, "migration_plan", lambda *args: [1, 2])
    assert parts(client) == (503, parts(client)[1])
    assert "2 are not applied" in parts(client)[1]["migrations"]


def test_a_silent_beat_and_a_silent_worker_are_told(client: Client):
    Heartbeat.objects.update(at=timezone.now() - dt.timedelta(minutes=9))
    status, said = parts(client, "/readyz?all=1")
    assert status == 503
    assert re.fullmatch(r"silent for 5\d\d seconds", said["beat"])
    assert said["worker"].startswith("silent for")


def test_mail_that_waits_while_none_leaves_is_told(client: Client):
    edition = make_edition([make_paper()])
    waiting = make_delivery(
        edition=edition, subscriber=make_subscriber(), due_at=timezone.now() - dt.timedelta(hours=1)
    )
    assert parts(client)[1]["sending"] == "mail waits for longer than 15 minutes"
    other = make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState.ACCEPTED)
    Delivery.objects.filter(pk=other.pk).update(settled_at=timezone.now())
    assert parts(client)[1]["sending"] == "ok"
    Delivery.objects.filter(pk=other.pk).delete()
    Delivery.objects.filter(pk=waiting.pk).update(not_before=timezone.now() + dt.timedelta(hours=1))
    assert parts(client)[1]["sending"] == "ok"


ASK = """
import json, time
import django; django.setup()
import config.wsgi
from django.test import Client
said = {}
for path in ("/healthz", "/readyz", "/readyz?all=1"):
    started = time.monotonic()
    answer = Client(SERVER_NAME="127.0.0.1").get(path)
    said[path] = [answer.status_code, time.monotonic() - started, answer.content.decode()]
print(json.dumps(said))
"""


@pytest.fixture
def hanging() -> Iterator[int]:
    """The port of something that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as silent:
        yield silent.getsockname()[1]


def ask(env: dict[str, str]) -> dict[str, tuple[int, float, str]]:
    whole = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings", "LOG_LEVEL": "CRITICAL", **env}
    done = subprocess.run(
        [sys.executable, "-c", ASK], cwd=REPOSITORY, env=whole, capture_output=True, text=True, check=True, timeout=90
    )
    found: dict[str, tuple[int, float, str]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_a_queue_that_hangs_keeps_nobody_waiting(hanging: int, tmp_path: Path):
    env = {"VAR_DIR": str(tmp_path), "REDIS_URL": f"redis://127.0.0.1:{hanging}/0", "OFFLINE": "1"}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=REPOSITORY, env={"PATH": os.environ["PATH"], **env}, check=True)
    said = ask(env)
    assert said["/healthz"][0] == 200
    assert said["/readyz"][0] == 200
    status, seconds, words = said["/readyz?all=1"]
    assert status == 503
    assert "cannot be reached (TimeoutError)" in words
    assert max(said["/readyz"][1], seconds) < 2.5


@pytest.mark.slow
def test_a_database_that_hangs_keeps_nobody_waiting(hanging: int, tmp_path: Path):
    env = {"VAR_DIR": str(tmp_path), "REDIS_URL": f"redis://127.0.0.1:{hanging}/0"}
    said = ask(production_env(env=env, database_url=f"postgresql://nobody@127.0.0.1:{hanging}/none"))
    assert said["/healthz"][0] == 200
    assert said["/healthz"][1] < 1
    status, seconds, words = said["/readyz"]
    assert status == 503
    assert json.loads(words)["parts"]["database"] == "cannot be reached (TimeoutError)"
    assert seconds < 4


# --- /metrics ---------------------------------------------------------------------------------------------------------


def test_metrics_are_for_whoever_has_the_token(client: Client, settings: Settings):
    assert client.get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "made-up"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer made-up"}).status_code == 200


def measured(client: Client, settings: Settings) -> str:
    settings.METRICS_TOKEN = "made-up"
    return client.get("/metrics", headers={"Authorization": "Bearer made-up"}).content.decode()


def test_metrics_say_how_the_send_the_queue_and_the_sources_are(client: Client, settings: Settings):
    edition = make_edition([make_paper()], published_at=timezone.now())
    make_delivery(edition=edition, subscriber=make_subscriber())
    sent = make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState.ACCEPTED)
    now = timezone.now()
    Delivery.objects.filter(pk=sent.pk).update(begun_at=now - dt.timedelta(seconds=2), settled_at=now)
    make_source(slug="arxiv-cl", last_new_at=now - dt.timedelta(hours=1))
    client.get("/about/")
    text = measured(client, settings)
    for line in (
        'papers_deliveries{state="queued"} 1.0',
        'papers_deliveries{state="accepted"} 1.0',
        "papers_handed_over 1.0",
        "papers_handoff_seconds_most 2.0",
        'papers_handoff_seconds_bucket{le="1.0"} 0.0',
        'papers_handoff_seconds_bucket{le="2.5"} 1.0',
        'papers_handoff_seconds_bucket{le="+Inf"} 1.0',
        'papers_queue_length{queue="celery"} 3.0',
        'papers_readers{state="active"} 2.0',
        'papers_source_state{source="arxiv-cl",state="waiting"} 1.0',
        "papers_queue_up 1.0",
    ):
        assert line in text
    assert re.search(r'papers_source_age_seconds\{source="arxiv-cl"\} 36\d\d', text)
    assert re.search(r'papers_web_request_seconds_count\{route="site:about",status="2xx"\} [1-9]', text)
    assert "@" not in text


def test_what_is_asked_does_not_grow_with_the_readers(client: Client, settings: Settings):
    edition = make_edition([make_paper()], published_at=timezone.now())
    asked = []
    for _ in range(2):
        for _ in range(5):
            make_delivery(edition=edition, subscriber=make_subscriber(), state=OutgoingState.ACCEPTED)
        Delivery.objects.update(begun_at=timezone.now(), settled_at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            measured(client, settings)
        asked.append(len(queries))
    assert asked[0] == asked[1] < 15


def test_every_metric_that_dashboard_and_alerts_ask_for_is_there(client: Client, settings: Settings):
    make_edition([make_paper()], published_at=timezone.now())
    make_source(last_new_at=timezone.now())
    make_subscriber()
    text = measured(client, settings)
    known = set(re.findall(r"^(papers_\w+)", text, flags=re.MULTILINE))
    dashboard: dict[str, Any] = json.loads((DOCS / "observe" / "grafana.json").read_text())
    asked = " ".join(target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", []))
    asked += (DOCS / "observe" / "alerts.yml").read_text()
    names = set(re.findall(r"\bpapers_[a-z_]+", asked))
    assert len(names) > 8
    assert names <= known

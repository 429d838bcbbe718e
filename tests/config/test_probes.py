"""What orchestrators, monitors and Prometheus are told."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config import probes
from digests.models import Delivery
from subscriptions.heartbeat import BEAT, beat
from subscriptions.models import Heartbeat
from subscriptions.outgoing import OutgoingState
from tests.factories import make_delivery, make_edition, make_paper, make_source, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db]
DOCS = Path(__file__).resolve().parents[2] / "docs"


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
        'papers_queue_length{queue="celery"} 3.0',
        'papers_readers{state="active"} 2.0',
        'papers_source_state{source="arxiv-cl",state="waiting"} 1.0',
        "papers_queue_up 1.0",
    ):
        assert line in text
    assert re.search(r'papers_source_age_seconds\{source="arxiv-cl"\} 36\d\d', text)
    assert re.search(r'papers_web_request_seconds_count\{route="site:about",status="2xx"\} [1-9]', text)
    assert "@" not in text


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

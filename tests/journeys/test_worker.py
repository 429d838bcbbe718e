"""Unattended: a real worker and beat over a real Valkey and a database in a file, from a source to a digest."""

import datetime as dt
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from config.local import worker_program
from mailer.outbox import StoredMail
from papers.sample.server import serve_sample
from tests.journeys.machine import Machine, machine_with_queue, running, wait_for

pytestmark = pytest.mark.worker
PREPARE = """
from config.bootstrap import point_sample_at
point_sample_at({sample!r})
"""
SIGN_UP = """
from subscriptions.preferences import Preferences
from subscriptions.signup import request_subscription
from django.utils import timezone
chosen = Preferences(topics=("vision",), zone="Europe/Berlin")
request_subscription(address="ada@example.org", preferences=chosen, how="form", now=timezone.now())
"""
PRESS = """
from django.test import Client
reply = Client(SERVER_NAME="127.0.0.1").post({path!r}, {data!r})
assert reply.status_code == 200, reply
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    beat = ("-m", "celery", "-A", "tests.journeys.hurried", "beat", "--pidfile", "", "--schedule")
    with (
        serve_sample() as sample,
        machine_with_queue(tmp_path, FETCH_ALLOW=urlsplit(sample).netloc) as found,
    ):
        found.do(PREPARE.format(sample=sample) + SIGN_UP)
        with (
            running("worker", worker_program(log_level="INFO").command, machine=found),
            running("beat", (sys.executable, *beat, str(tmp_path / "beat-schedule")), machine=found),
        ):
            yield found


def link_in(mail: StoredMail, page: str) -> str:
    found = re.search(rf"https?://[^/\s]+(/{page}/\S+?/)(?:\s|$)", mail.text)
    assert found, mail.text
    return found[1]


def test_nobody_does_anything_and_the_reader_gets_a_digest_and_then_no_more(machine: Machine):
    # The sign-up rang no bell that anybody heard; the sweeper finds the row.
    (confirmation,) = wait_for(machine.mails, machine)
    assert confirmation.to == "ada@example.org"

    # The sources were due, so their papers stand in the draft of the day.
    draft = (
        "select count(*) from digests_editionpaper join digests_edition e on e.id = edition_id where state = 'draft'"
    )
    wait_for(lambda: machine.ask(draft)[0][0] >= 20, machine)
    machine.do(PRESS.format(path=link_in(confirmation, "confirm"), data={}))
    assert len(machine.mails()) == 1

    # The hours until the cut-off pass at once.
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    machine.ask("update digests_edition set cutoff_at = ?", now.isoformat(" "))
    digest, _ = wait_for(lambda: machine.mails() if len(machine.mails()) == 2 else None, machine)
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in digest.source
    wait_for(lambda: machine.ask("select state from digests_delivery") == [("accepted",)], machine)

    # One click, and however often the reader were due, nothing comes any more.
    machine.do(PRESS.format(path=link_in(digest, "unsubscribe"), data={"List-Unsubscribe": "One-Click"}))
    assert machine.ask("select state, next_due_at from subscriptions_subscriber") == [("unsubscribed", None)]
    machine.ask("update subscriptions_subscriber set next_due_at = ?", now.isoformat(" "))
    machine.ask("delete from digests_delivery")
    # Whoever takes rows out by hand has a database that does not know what left here: sending would be held.
    (machine.var_dir / "last-begun").unlink()
    ticks = machine.log().count("digests.tasks.tick")
    wait_for(lambda: machine.log().count("digests.tasks.tick") >= ticks + 6, machine)
    assert machine.ask("select count(*) from digests_delivery") == [(0,)]
    assert len(machine.mails()) == 2
    assert "Traceback" not in machine.log()
    assert " ERROR" not in machine.log()

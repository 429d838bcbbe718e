"""A worker is killed, by SIGKILL, between any two steps of the hand-off: nobody is lost, nobody gets a mail twice."""

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django import Settings

from digests.books import read_books
from digests.delivering import send_deliveries
from digests.models import Delivery
from subscriptions.outgoing import due_ids, sweep
from tests.factories import NOW, make_delivery, make_edition, make_paper, make_subscriber
from tests.smtp import SmtpServer, smtp_server

pytestmark = [pytest.mark.db, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

REPOSITORY = Path(__file__).resolve().parents[2]
READERS = 5


def send_and_be_killed(step: str, server: SmtpServer, *, lines: int) -> None:
    database = {"NAME": connection.settings_dict["NAME"]}
    ids = map(str, Delivery.objects.values_list("id", flat=True))
    command = [sys.executable, "-m", "tests.digests.killed", step, json.dumps(database), str(server.port), str(lines)]
    done = subprocess.run([*command, *ids], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def be_swept_and_go_on(settings: Settings, server: SmtpServer) -> None:
    """The leases end, the sweeper comes by, another worker takes what waits."""
    Delivery.objects.filter(lease_until__isnull=False).update(lease_until=Now())
    sweep(Delivery)
    settings.EMAIL_BACKEND = "mailer.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", server.port, 5
    settings.SEND_CONNECTIONS = 1
    send_deliveries(due_ids(Delivery, limit=99), now=NOW)


# The step, how many became unknown with one line and with three, and whether those arrived.
STEPS = [
    ("claimed", 0, 0, False),
    ("chosen", 0, 0, False),
    ("about to commit the begin", 0, 0, False),
    ("begun", 1, 3, False),
    ("in the middle of the message", 1, None, False),
    ("handed over", 1, None, True),
    ("answered", 1, None, True),
    ("about to commit the record", 1, None, True),
    # The same commit began the next one.
    ("recorded", 1, None, False),
]


@pytest.mark.parametrize("lines", [1, 3])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[0])
def test_killed(settings: Settings, step: tuple[str, int | None, int | None, bool], lines: int):
    name, with_one, with_three, arrived = step
    edition = make_edition([make_paper() for _ in range(4)])
    for _ in range(READERS):
        make_delivery(edition=edition, subscriber=make_subscriber())
    with smtp_server() as server:
        send_and_be_killed(name, server, lines=lines)
        be_swept_and_go_on(settings, server)

    books = read_books(edition)
    assert books.balances
    unknown, accepted = books["unknown"], books["accepted"]
    assert unknown + accepted == READERS
    assert unknown <= lines
    expected = with_one if lines == 1 else with_three
    assert expected is None or unknown == expected
    mails = Counter(mail.recipients[0] for mail in server.mails)
    assert set(mails.values()) == {1}
    sent = set(Delivery.objects.filter(state="accepted").values_list("subscriber__email", flat=True))
    assert sent <= set(mails)
    if lines == 1:
        assert len(mails) == accepted + (unknown if arrived else 0)

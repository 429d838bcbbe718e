"""A deploy ends a worker in the middle of its work: every mail on its way is heard of, and the rest waits."""

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.local import worker_program
from tests.journeys.machine import Machine, machine_with_queue, running, wait_for
from tests.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.worker
READERS = 60
PREPARE = f"""
from django.utils import timezone
from digests.planning import plan_due
from tests import crowd
crowd.make_edition(papers=12, now=timezone.now())
crowd.make_readers({READERS}, max_papers=5, now=timezone.now())
assert plan_due(now=timezone.now()).planned == {READERS}
"""
RING = """
from digests.tasks import ring
ring()
"""


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with smtp_server() as found:
        found.seconds = 0.2
        yield found


@pytest.fixture
def machine(tmp_path: Path, server: SmtpServer) -> Iterator[Machine]:
    mail = {"EMAIL_PROVIDER": "smtp", "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(server.port)}
    with machine_with_queue(tmp_path, **mail, SEND_CONNECTIONS="2") as found:
        found.do(PREPARE)
        yield found


def test_a_worker_told_to_end_hears_of_every_mail_and_leaves_the_rest_for_the_next(
    machine: Machine, server: SmtpServer
):
    worker = worker_program(log_level="INFO").command
    with running("worker", worker, machine=machine) as process:
        wait_for(lambda: "ready" in machine.log(), machine)
        machine.do(RING)
        wait_for(lambda: len(server.mails) >= 4, machine)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=40)
    assert states(machine).keys() == {"accepted", "queued"}
    assert states(machine)["accepted"] == len(server.mails) < READERS

    server.seconds = 0.0
    with running("next-worker", worker, machine=machine):
        wait_for(lambda: machine.log().count("ready") >= 2, machine)
        machine.do(RING)
        wait_for(lambda: states(machine) == {"accepted": READERS}, machine)
    assert len({mail.recipients[0] for mail in server.mails}) == len(server.mails) == READERS


def states(machine: Machine) -> Counter[str]:
    """How many deliveries are in each state."""
    return Counter(state for (state,) in machine.ask("select state from digests_delivery"))

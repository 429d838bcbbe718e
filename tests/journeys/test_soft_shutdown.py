"""A deploy ends a worker in the middle of its work: every mail on its way is heard of, and the rest waits."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.local import worker_program
from config.valkey import NoValkeyError, find_valkey, is_valkey_up, socket_folder, valkey_command, valkey_url
from tests.journeys.test_worker import Machine, running, wait_for
from tests.smtp import SmtpServer, smtp_server

pytestmark = pytest.mark.worker
READERS = 60
PREPARE = f"""
from django.core.management import call_command
call_command("migrate", verbosity=0)
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
    try:
        program = find_valkey()
    except NoValkeyError as error:
        pytest.skip(str(error))
    with socket_folder() as folder:
        env = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "VAR_DIR": str(tmp_path),
            "OFFLINE": "1",
            "REDIS_URL": valkey_url(folder),
            "EMAIL_PROVIDER": "smtp",
            "EMAIL_HOST": "127.0.0.1",
            "EMAIL_PORT": str(server.port),
            "SEND_CONNECTIONS": "2",
        }
        found = Machine(tmp_path, env)
        with running("valkey", valkey_command(program, folder=folder), machine=found):
            wait_for(lambda: is_valkey_up(folder), found)
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

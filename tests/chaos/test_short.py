"""The chaos runs in short, as a part of every `make test`; the long form is `make chaos`."""

import sys

import pytest

from config.valkey import NoValkeyError, find_valkey
from tests.chaos.conductor import run_scenario
from tests.chaos.scenarios import SHORT, Scenario
from tests.with_postgres import NoPostgresError

pytestmark = [pytest.mark.worker, pytest.mark.slow]


@pytest.mark.parametrize("scenario", SHORT, ids=lambda scenario: scenario.name)
def test_whatever_is_killed_nobody_is_lost_and_nobody_gets_a_mail_twice(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
):
    # Few lines, so that so few mails are not all gone before anything could happen to them.
    monkeypatch.setenv("SEND_CONNECTIONS", "2")
    try:
        find_valkey()
        result = run_scenario(scenario, digests=200, say=lambda text: None)
    except (NoValkeyError, NoPostgresError) as error:
        pytest.skip(str(error))
    sys.stdout.write(f"{result}\n")
    assert not result.complaints, result
    assert (result.books.lost, result.books.duplicates, result.books.balanced) == (0, 0, True)

"""Several hosts: workers of which one is cut off, one sleeps, one dies and one has a thin line; then the whole product
on three, while everything it needs goes away in turn."""

from collections.abc import Callable

import pytest

from config.valkey import NoValkeyError, find_valkey
from tests.chaos.conductor import Result
from tests.chaos.deployed import run_deployed
from tests.chaos.hosts import run_hosts
from tests.chaos.network import NoNetworkError, check_network
from tests.with_postgres import find_servers

pytestmark = pytest.mark.slow
DIGESTS = 600


@pytest.mark.parametrize("run", [run_hosts, run_deployed])
def test_hosts_that_are_cut_off_asleep_or_dead_lose_nothing_and_send_nothing_twice(run: Callable[..., Result]):
    try:
        check_network()
        find_valkey()
    except (NoNetworkError, NoValkeyError) as error:
        pytest.skip(f"no hosts to make: {error}")
    if not any(find_servers()):
        pytest.skip("no PostgreSQL on this machine")
    result = run(digests=DIGESTS, say=lambda text: None)
    assert not result.complaints, result
    assert (result.books.lost, result.books.duplicates, result.books.balanced) == (0, 0, True)
    assert result.kills

"""A site that runs and a browser, shared by the journeys of a module."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.journeys.people import Site, running_browser, running_site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site of `make run`."""
    with running_site(tmp_path_factory.mktemp("var")) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    with running_browser() as chromium:
        yield chromium

"""What every test gets: an environment of its own, a mailbox of its own, and no way out to the network."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.app.task import Task
from django.test import Client
from pytest_django import Settings

from digests.pages import caching
from digests.shelf import clear_shelf
from mailer.kept_lines import close_kept_lines
from subscriptions.pages import signup

pytest_plugins = ["tests.factories"]


@pytest.fixture
def client() -> Client:
    """A browser on this machine, which calls it by its own name."""
    return Client(SERVER_NAME="127.0.0.1")


@pytest.fixture(autouse=True)
def own_mailbox(settings: Settings, tmp_path: Path) -> Path:
    """Mail goes into a directory of this test alone, through the very backend of the single-machine set-up."""
    settings.EMAIL_BACKEND = "mailer.outbox.OutboxBackend"
    settings.LOCAL_MAILBOX = True
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return tmp_path / "outbox"


@pytest.fixture(autouse=True)
def empty_shelf() -> None:
    """Nothing that an earlier test's digests were made of."""
    clear_shelf()
    caching.forget()
    signup.forget()


@pytest.fixture(autouse=True)
def fresh_pages(settings: Settings) -> None:
    """Pages are made anew for every request, but where their keeping is what is tried."""
    settings.PAGE_CACHE_SECONDS = 0


@pytest.fixture(autouse=True)
def no_kept_lines() -> Iterator[None]:
    """No connection to the mail server of another test."""
    yield
    close_kept_lines()


@pytest.fixture(autouse=True)
def silent_bell(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[tuple[str, tuple[Any, ...]]]:
    """Record what was rung instead of asking for a broker; the tests that run a real worker do without this."""
    rung: list[tuple[str, tuple[Any, ...]]] = []
    if request.node.get_closest_marker("worker") is None:

        def ring(task: Task, args: Any = None, kwargs: Any = None, **options: Any) -> None:
            rung.append((task.name, tuple(args or ())))

        monkeypatch.setattr(Task, "apply_async", ring)
    return rung


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as on a single machine: in memory, threads could not race each other for it."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(autouse=True)
def plain_static_files(settings: Settings) -> None:
    """Static files as they stand in the repository, looked up when asked for, with production's settings too."""
    settings.STATIC_ROOT = None
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that empty the tables stay together, behind all others: these find what the migrations put there."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        empties = marker is not None and marker.kwargs.get("transaction")
        if empties or {"transactional_db", "live_server"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.xdist_group("empties-the-tables"))

"""What every test gets: an environment of its own, a mailbox of its own, and no way out to the network."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before Django reads its settings: tests never touch the `var/` of the person who runs them.
os.environ.setdefault("VAR_DIR", tempfile.mkdtemp(prefix="daily-papers-tests-"))
os.environ["OFFLINE"] = "1"

pytest_plugins = ["tests.factories"]


@pytest.fixture(autouse=True)
def own_mailbox(settings, tmp_path: Path) -> Path:
    """Mail goes into a directory of this test alone, through the very backend of the single-machine set-up."""
    settings.EMAIL_BACKEND = "mailer.outbox.OutboxBackend"
    settings.LOCAL_MAILBOX = True
    settings.OUTBOX_DIR = tmp_path / "outbox"
    return settings.OUTBOX_DIR


@pytest.fixture(autouse=True)
def silent_bell(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[list[tuple[str, tuple]]]:
    """Record what was rung instead of asking for a broker; the tests that run a real worker do without this."""
    rung: list[tuple[str, tuple]] = []
    if request.node.get_closest_marker("worker") is None:
        from celery.app.task import Task

        def ring(task, args=None, kwargs=None, **options):
            rung.append((task.name, tuple(args or ())))

        monkeypatch.setattr(Task, "apply_async", ring)
    yield rung


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file, as on a single machine: in memory, threads could not race each other for it."""
    from django.conf import settings

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        database["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")

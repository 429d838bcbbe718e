"""A move to PostgreSQL that is killed at any moment: the source is as it was, the target is empty and says so."""

import hashlib
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config.moving import is_unfinished_move
from digests.models import Delivery
from mailer.outbox import list_mails
from papers.models import Topic
from subscriptions.holding import held
from subscriptions.models import Subscriber
from tests.config.killable import run, start, sweep
from tests.config.test_backups import own_folder as own_folder
from tests.config.test_backups import send_all
from tests.config.test_moving import filled as filled
from tests.config.test_moving import sqlite as sqlite
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
READERS = 40


def state_of(source: Path) -> tuple[list[str], str]:
    """What lies in its folder, and a sum over it."""
    names = sorted(path.name for path in source.parent.iterdir() if path.name.startswith(source.name))
    return names, hashlib.sha256(source.read_bytes()).hexdigest()


def is_moved() -> bool:
    """Whether everything is there; if not, nothing is, and whoever looks can see it."""
    hold, rows = held(), (Subscriber.objects.count(), Delivery.objects.count())
    assert (rows, hold is None) in {((READERS, READERS), True), ((0, 0), False)}
    assert hold is None or is_unfinished_move(hold)
    return hold is None


def told(table: str) -> str:
    return f"  {table}:"


def test_killed_at_any_moment(sqlite: Path, own_folder: Path):
    before = state_of(sqlite)
    tables = ["auth_user", "digests_delivery", "subscriptions_subscriber"]
    started = time.monotonic()
    for table in tables:
        command = start("move_database", sqlite)
        assert command.reach(lambda table=table, command=command: told(table) in command.said()).kill()
        assert not is_moved()
        assert state_of(sqlite) == before
    seconds = (time.monotonic() - started) / len(tables)
    killed = 0
    for was_at_work in sweep("move_database", sqlite, moments=6, seconds=seconds):
        killed += was_at_work
        assert state_of(sqlite) == before
        # Killed after its last word, or not in time.
        if is_moved():
            break
        assert was_at_work
    assert killed >= 2
    if not is_moved():
        run("move_database", sqlite)
    assert is_moved()
    assert state_of(sqlite) == before
    # Whoever was killed after the last word, and asks once more.
    assert "killed at its very end, everything is there" in run("move_database", sqlite, code=1)


def test_half_a_move_mails_nobody_and_is_not_taken_for_a_whole_one(sqlite: Path, own_folder: Path, client: Client):
    command = start("move_database", sqlite)
    assert command.reach(lambda: told("auth_user") in command.said()).kill()
    # Everything is started on it, and somebody signs up.
    assert not client.get("/readyz").json()["ready"]
    edition = make_edition([make_paper()])
    make_delivery(edition=edition, subscriber=make_subscriber())
    send_all()
    assert list_mails(directory=settings.OUTBOX_DIR) == []
    assert "run manage.py move_database again" in run("after_restore", "release", code=1)
    assert "take an empty database" in run("move_database", sqlite, code=1)
    Subscriber.objects.all().delete()
    assert "cannot be read: Is a directory" in run("move_database", sqlite.parent, code=1)
    # A machine that was killed as well leaves its last words in the log of the database.
    with closing(sqlite3.connect(sqlite)) as machine, machine:
        machine.execute("UPDATE papers_topic SET name = 'In the log'")
        machine.commit()
        run("move_database", sqlite)
    assert Topic.objects.filter(name="In the log").exists()
    assert is_moved()
    assert client.get("/readyz").json()["ready"]

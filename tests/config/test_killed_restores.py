"""A restore that is killed, or finds no room, at any moment, while a worker sends: all is as it was, or all is put back
and held. Nobody gets a mail of it before the owner has said so."""

import datetime as dt
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone

from config.backups import make_backup
from digests import delivering
from digests.models import Delivery
from mailer.outbox import list_mails
from papers.models import Paper
from subscriptions import ledger
from subscriptions.holding import held, hold_sending, release_sending
from subscriptions.models import Subscriber, SubscriberState
from subscriptions.outgoing import OutgoingState
from subscriptions.signup import unsubscribe
from tests.chaos.processes import wait_for
from tests.config.killable import PATIENCE_SECONDS, load_ballast, programs_at_work, run, sender, start, sweep
from tests.config.test_backups import a_morning, send_all, states
from tests.config.test_backups import own_folder as own_folder

pytestmark = [pytest.mark.db, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
READERS = 3


@pytest.fixture
def backup(own_folder: Path) -> Path:
    """Of a morning whose digests wait, which then went out."""
    load_ballast(6)
    a_morning(READERS)
    Paper.objects.update(title="Of then")
    path = make_backup(own_folder / "kept", now=timezone.now())
    send_all()
    Paper.objects.update(title="Of later")
    return path


def mails() -> int:
    return len(list_mails(directory=settings.OUTBOX_DIR))


def is_put_back() -> bool:
    """Whether all of it is put back, with the hold; if not, all has to be as it was."""
    assert wait_for(lambda: not programs_at_work("psql"), seconds=PATIENCE_SECONDS)
    is_held = held() is not None
    found = (Paper.objects.get().title, states(), Session.objects.count(), mails())
    expected = ("Of then", ["queued"] * READERS) if is_held else ("Of later", ["accepted"] * READERS)
    assert found == (*expected, 6, READERS)
    return is_held


def go_on_as_sent() -> None:
    """The next day, as if nothing had been."""
    Delivery.objects.update(state=OutgoingState.ACCEPTED)
    Paper.objects.update(title="Of later")
    release_sending()


def left_over() -> list[Path]:
    return list(settings.VAR_DIR.glob(".at-work-*"))


def test_killed_at_any_moment_while_a_worker_sends(backup: Path):
    killed, put_back = 0, 0
    with sender() as sending:
        started = time.monotonic()
        assert "not empty: --replace" in run("restore", backup, code=1)
        run("restore", backup, "--replace")
        seconds = time.monotonic() - started
        assert is_put_back()
        go_on_as_sent()
        for was_at_work in sweep("restore", backup, "--replace", moments=12, seconds=seconds):
            killed += was_at_work
            if is_put_back():
                put_back += 1
                go_on_as_sent()
        run("restore", backup, "--replace")
        assert not sending.is_over, sending.said()
    assert killed >= 4
    assert is_put_back()
    assert left_over() == []


@contextmanager
def somebody_reads_or_writes() -> Iterator[None]:
    """What keeps a restore waiting at the moment it would begin to write."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"LOCK TABLE {Paper._meta.db_table} IN ACCESS SHARE MODE")
        yield


def waits_to_write() -> bool:
    if connection.vendor == "postgresql":
        return bool(programs_at_work("psql", waiting_for="Lock"))
    return any(settings.VAR_DIR.glob(".at-work-*/*.made-ready"))


def test_killed_while_it_waits_to_write_it_does_not_write_any_more(backup: Path):
    with somebody_reads_or_writes():
        assert start("restore", backup, "--replace").reach(waits_to_write).kill()
        assert left_over()
    assert not is_put_back()
    # It is a whole database that lies there; it does not wait for another restore.
    run("backup", "--to", backup.parent)
    assert left_over() == []
    run("restore", backup, "--replace")
    assert is_put_back()


@contextmanager
def kept_from_the_ledger() -> Iterator[None]:
    """Whoever reads the ledger meanwhile waits for it."""
    kept = ledger.path().read_bytes()
    ledger.path().unlink()
    os.mkfifo(ledger.path())
    try:
        yield
    finally:
        ledger.path().unlink()
        ledger.path().write_bytes(kept)


@pytest.mark.parametrize("then", ["restore", "release"])
def test_killed_before_those_who_left_are_let_go(backup: Path, then: str):
    left = Subscriber.objects.order_by("pk")[0]
    unsubscribe(public_id=left.public_id, how="mail link", now=timezone.now())
    with kept_from_the_ledger():
        command = start("restore", backup, "--replace").reach(held)
        assert command.kill()
    left.refresh_from_db()
    assert (is_put_back(), left.state) == (True, SubscriberState.ACTIVE)
    # Whoever looks is told, and nothing leaves.
    assert "did not come to its end: who left since is not let go yet" in run("after_restore")
    send_all()
    assert mails() == READERS
    if then == "restore":
        assert "1 readers who had left since" in run("restore", backup, "--replace")
        assert "See manage.py after_restore" in run("after_restore")
    else:
        assert "1 readers who had left since" in run("after_restore", "release")
    left.refresh_from_db()
    assert left.state == SubscriberState.UNSUBSCRIBED
    release_sending()
    send_all()
    assert states() == ["accepted"] * (READERS - 1) + ["skipped"]


def test_what_a_worker_had_in_hand_does_not_leave_after_the_restore(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    a_morning(READERS)
    choose, path = delivering.choose_digest, own_folder / "kept"

    def meanwhile(*args: Any, **more: Any) -> Any:
        """Its claims are in the backup, and therefore in the database that is put back."""
        if not path.exists():
            run("backup", "--to", path)
            run("restore", *path.glob("*.tar"), "--replace")
        return choose(*args, **more)

    monkeypatch.setattr(delivering, "choose_digest", meanwhile)
    send_all()
    assert mails() == 0
    assert states() == ["queued"] * READERS
    assert set(Delivery.objects.values_list("reason", flat=True)) == {"Sending is held."}


def test_a_backup_of_a_time_when_sending_was_held_already(own_folder: Path):
    long_ago = timezone.now() - dt.timedelta(days=3)
    hold_sending(reason="test", since=long_ago)
    path = make_backup(own_folder / "kept", now=timezone.now())
    run("restore", path, "--replace")
    hold = held()
    assert hold is not None
    assert hold.since == long_ago
    assert "put back from a backup" in hold.reason


def test_a_disk_that_is_full_leaves_all_as_it_was(backup: Path):
    room = [1_000_000]
    if connection.vendor == "sqlite":
        # Enough to unpack it, and not for the log of what is written.
        room.append(Path(connection.settings_dict["NAME"]).stat().st_size + 4096)
    for octets in room:
        said = run("restore", backup, "--replace", code=1, most_octets=octets)
        assert any(word in said for word in ("File too large", "full", "disk I/O error")), said
        assert "Traceback" not in said
        assert not is_put_back()
        assert left_over() == []

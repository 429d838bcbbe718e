"""A backup made while everything runs, put back: whole, held, and with nobody mailed twice or after they left."""

import datetime as dt
import io
import json
import os
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from config import dumps
from config.backups import BadBackupError, make_backup, read_backup
from config.dumps import DumpError
from digests.delivering import due_deliveries, send_deliveries
from digests.models import Delivery, Edition, EditionState
from papers.models import Paper
from subscriptions import ledger
from subscriptions.holding import held, hold_if_behind, hold_sending
from subscriptions.models import Subscriber, SubscriberState, Suppression
from subscriptions.outgoing import OutgoingState
from subscriptions.own_data import erase_reader
from subscriptions.signup import unsubscribe
from tests.factories import make_delivery, make_edition, make_paper, make_subscriber

pytestmark = [pytest.mark.db, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path / "var"
    settings.VAR_DIR.mkdir()
    return tmp_path


def run(name: str, *args: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out)
    return json.loads(out.getvalue())  # type: ignore[no-any-return]


def a_morning(readers: int = 3) -> Edition:
    """An edition of now whose digests wait."""
    now = timezone.now()
    edition = make_edition([make_paper()], date=now.date(), cutoff_at=now, published_at=now)
    for _ in range(readers):
        make_delivery(edition=edition, subscriber=make_subscriber(), due_at=now - dt.timedelta(minutes=5))
    return edition


def send_all() -> None:
    send_deliveries(due_deliveries(limit=100), now=timezone.now())


def states() -> list[str]:
    return sorted(Delivery.objects.values_list("state", flat=True))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_a_backup_is_one_whole_file_for_its_owner_alone(own_folder: Path):
    make_paper(title="Of then")
    made = run("backup", "--to", str(own_folder / "kept"))
    path = Path(made["file"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    contents = read_backup(path)
    assert contents.rows["papers_paper"] == 1
    assert contents.vendor == connection.vendor
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with tarfile.open(path) as tar:
        keys = json.loads(tar.extractfile("keys.json").read())  # type: ignore[union-attr]
    assert set(keys) == {"SECRET_KEY", "LINK_KEY", "ADDRESS_KEY"}


def test_only_the_newest_are_kept_when_asked(own_folder: Path):
    for day in (1, 2, 3):
        make_backup(own_folder, now=dt.datetime(2026, 1, day, tzinfo=dt.UTC))
    gone = run("backup", "--to", str(own_folder), "--keep", "2")["deleted"]
    assert len(gone) == 2
    assert len(list(own_folder.glob("*.tar"))) == 2
    with pytest.raises(CommandError, match="1 or more"):
        run("backup", "--to", str(own_folder), "--keep", "0")


@pytest.mark.parametrize("damage", ["cut", "flipped", "other", "empty"])
def test_a_damaged_file_is_refused(own_folder: Path, damage: str):
    path = make_backup(own_folder, now=timezone.now())
    octets = bytearray(path.read_bytes())
    if damage == "cut":
        octets = octets[: len(octets) // 2]
    elif damage == "flipped":
        octets[len(octets) // 2] ^= 0xFF
    elif damage == "other":
        octets = bytearray(b"PK\x03\x04" * 1000)
    else:
        octets = bytearray()
    path.write_bytes(bytes(octets))
    with pytest.raises(BadBackupError):
        read_backup(path)
    with pytest.raises(CommandError) as refused:
        run("restore", str(path), "--replace")
    assert refused.value.returncode == 2


def test_where_it_cannot_be_written_nothing_is_left(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path) -> dict[str, int]:
        path.write_bytes(b"half")
        raise DumpError("No space left on device")

    monkeypatch.setattr(dumps, "dump", full)
    with pytest.raises(CommandError, match="No space left"):
        run("backup", "--to", str(own_folder / "kept"))
    assert list((own_folder / "kept").iterdir()) == []


# --- putting it back --------------------------------------------------------------------------------------------------


def test_what_was_there_then_is_there_again_and_sending_is_held(own_folder: Path):
    make_paper(title="Of then")
    path = make_backup(own_folder, now=timezone.now())
    Paper.objects.update(title="Of later")
    make_paper(title="Newer")
    make_subscriber()
    with pytest.raises(CommandError, match="not empty"):
        run("restore", str(path))
    assert run("restore", str(path), "--replace", "--dry-run")["rows"] > 0
    assert Paper.objects.count() == 2
    run("restore", str(path), "--replace")
    assert list(Paper.objects.values_list("title", flat=True)) == ["Of then"]
    hold = held()
    assert hold is not None
    assert hold.since is not None
    # The index of words came along, and is still kept.
    Paper.objects.update(title="Anew")
    from papers.search import find_papers
    from papers.search_query import read_query

    assert [len(window.ids) for window in find_papers(read_query("anew"))] == [1]


def test_other_keys_are_refused_by_name(own_folder: Path, settings: Settings):
    path = make_backup(own_folder, now=timezone.now())
    settings.LINK_KEY = "another"
    with pytest.raises(CommandError, match="LINK_KEY are others here") as refused:
        run("restore", str(path), "--replace")
    assert "another" not in str(refused.value)
    run("restore", str(path), "--replace", "--other-keys")


def test_a_backup_of_a_newer_version_is_refused(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    from config import backups

    applied = backups.applied_migrations() | {("papers", "0999_of_tomorrow")}
    monkeypatch.setattr(backups, "applied_migrations", lambda: applied)
    path = make_backup(own_folder, now=timezone.now())
    with pytest.raises(CommandError, match="newer version than this program"):
        run("restore", str(path), "--replace")


def test_a_restore_that_fails_leaves_all_as_it_was(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    path = make_backup(own_folder, now=timezone.now())
    make_paper(title="Of later")
    monkeypatch.setattr("config.restoring._HOLD", "INSERT INTO no_such_table VALUES ({now!r}, {since!r}, {reason!r})")
    with pytest.raises(CommandError):
        run("restore", str(path), "--replace")
    assert Paper.objects.filter(title="Of later").exists()
    assert held() is None


# --- nobody twice -----------------------------------------------------------------------------------------------------


def test_after_a_restore_nobody_is_mailed_until_the_owner_says_so(own_folder: Path):
    edition = a_morning()
    path = make_backup(own_folder, now=timezone.now())
    send_all()
    assert states() == ["accepted"] * 3
    run("restore", str(path), "--replace")
    send_all()
    assert states() == ["queued"] * 3
    listed = run("after_restore")["editions"]
    assert {"date": f"{edition.date}", "state": "published", "waiting": 3} in listed
    assert run("after_restore", "sent", f"{edition.date}")["skipped"] == 3
    run("after_restore", "release")
    send_all()
    assert states() == ["skipped"] * 3
    assert Edition.objects.get(pk=edition.pk).state == EditionState.CLOSED


def test_what_the_owner_releases_is_sent(own_folder: Path):
    a_morning()
    path = make_backup(own_folder, now=timezone.now())
    run("restore", str(path), "--replace")
    run("after_restore", "release")
    send_all()
    assert states() == ["accepted"] * 3
    with pytest.raises(CommandError, match="not held"):
        run("after_restore")


def test_an_edition_that_was_made_since_is_not_made_and_sent_again(own_folder: Path):
    yesterday = (timezone.now() - dt.timedelta(days=1)).date()
    path = make_backup(own_folder, now=timezone.now() - dt.timedelta(days=2))
    run("restore", str(path), "--replace")
    assert f"{yesterday}" in [one["date"] for one in run("after_restore")["editions"]]
    run("after_restore", "sent", f"{yesterday}")
    assert Edition.objects.get(date=yesterday).state == EditionState.CANCELLED


@pytest.mark.parametrize("day", ["", "yesterday", "2999-01-01", "2001-01-01"])
def test_a_day_there_is_not_is_refused(day: str):
    hold_sending(reason="test")
    with pytest.raises(CommandError) as refused:
        run("after_restore", "sent", *([day] if day else []))
    assert refused.value.returncode == 2


def test_who_left_since_is_gone_again(own_folder: Path):
    left, erased, stays, back = (make_subscriber() for _ in range(4))
    path = make_backup(own_folder, now=timezone.now())
    now = timezone.now()
    unsubscribe(public_id=left.public_id, how="mail link", now=now)
    erase_reader(public_id=erased.public_id, now=now)
    unsubscribe(public_id=back.public_id, how="mail link", now=now)
    ledger.note(ledger.CAME, address_hash=back.address_hash, at=now)
    assert run("restore", str(path), "--replace")["let_go"] == 2
    assert Subscriber.objects.get(pk=left.pk).state == SubscriberState.UNSUBSCRIBED
    assert not Subscriber.objects.filter(pk=erased.pk).exists()
    assert Suppression.objects.filter(address_hash=erased.address_hash, reason="erased").exists()
    assert {Subscriber.objects.get(pk=one.pk).state for one in (stays, back)} == {SubscriberState.ACTIVE}


def test_the_ledger_names_nobody_and_takes_a_line_that_was_cut_off(own_folder: Path):
    reader = make_subscriber(email="ada@example.org")
    now = timezone.now()
    unsubscribe(public_id=reader.public_id, how="mail link", now=now)
    text = ledger.path().read_text()
    assert "ada" not in text
    assert stat.S_IMODE(ledger.path().stat().st_mode) == 0o600
    ledger.path().write_text("2026-11-2" + text)
    assert ledger.who_left_since(now - dt.timedelta(seconds=1)) == {reader.address_hash: "left"}
    assert ledger.who_left_since(now + dt.timedelta(seconds=1)) == {}


# --- a database that somebody put back by hand ------------------------------------------------------------------------


def test_a_database_that_does_not_know_what_left_here_is_held(own_folder: Path, settings: Settings):
    a_morning()
    Delivery.objects.filter(pk=Delivery.objects.order_by("pk")[0].pk).update(
        state=OutgoingState.ACCEPTED, begun_at=timezone.now() - dt.timedelta(days=1)
    )
    send_all()
    assert not hold_if_behind()
    # As a dump of an hour ago would have it.
    Delivery.objects.filter(begun_at__gte=timezone.now() - dt.timedelta(hours=1)).update(
        state=OutgoingState.QUEUED, begun_at=None, settled_at=None, attempt=0
    )
    assert hold_if_behind()
    send_all()
    assert "queued" in states()
    hold = held()
    assert hold is not None
    assert "does not know of mail that left this host" in hold.reason
    assert not hold_if_behind()
    run("after_restore", "release")
    assert not hold_if_behind()
    send_all()
    assert "queued" not in states()


def test_a_new_installation_beside_an_old_mark_is_not_held(own_folder: Path):
    a_morning()
    send_all()
    Delivery.objects.all().delete()
    assert not hold_if_behind()


@pytest.mark.parametrize(
    "content", [b"", b"x", b"digests.Delivery 1", b"auth.User 1 2026-01-01T00:00:00+00:00", b"\xff" * 128]
)
def test_a_mark_that_makes_no_sense_holds_nothing(own_folder: Path, settings: Settings, content: bytes):
    (settings.VAR_DIR / "last-begun").write_bytes(content)
    assert not hold_if_behind()


def test_a_disk_that_is_full_keeps_no_mail_from_going(own_folder: Path, monkeypatch: pytest.MonkeyPatch):
    a_morning()

    def full(*args: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    send_all()
    assert states() == ["accepted"] * 3

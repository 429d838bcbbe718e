"""Putting a backup back: refused where it would break something, held afterwards, and nobody mailed who left since."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from config import dumps
from config.backups import Contents, keys_that_differ, read_backup, unpack_database
from config.workplaces import workplace
from digests.after_restore import stop_letters
from subscriptions import ledger
from subscriptions.models import SendingHold, Subscriber, SubscriberState, SuppressionReason
from subscriptions.own_data import erase_reader
from subscriptions.signup import unsubscribe
from subscriptions.suppression import suppress

_APPS = {"papers", "subscriptions", "digests", "mailer", "limits"}
# The words of a hold: while a restore is under way, and once it came to its end.
_UNFINISHED = (
    "The database was put back from a backup, but that did not come to its end: who left since is not let go yet. "
    "Run the same restore again, with --replace; or go on with manage.py after_restore, whose release does the rest."
)
_FINISHED = "The database was put back from a backup. See manage.py after_restore."
# It has to be SQL, as it runs where the database is put back. A backup of a time when sending was held has a row
# already: from then on nobody said what was sent.
_HOLD = (
    "INSERT INTO subscriptions_sendinghold AS kept (id, reason, at, since) "
    "VALUES (1, '{reason}', '{now}', '{since}') "
    "ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, since = COALESCE(kept.since, kept.at)"
)


class CannotRestoreError(RuntimeError):
    """It would break something; the message says what, and how to go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of it: rows by table, migrations that were applied afterwards, and who left since the backup and was
    let go again."""

    contents: Contents
    migrated: int
    let_go: int


def check_backup(path: Path, *, replace: bool, other_keys: bool) -> Contents:
    """Whether this backup may be put back here. Raises CannotRestoreError or BadBackupError."""
    contents = read_backup(path)
    if contents.vendor != connection.vendor:
        raise CannotRestoreError(
            f"The backup is of {contents.vendor}, and this database is {connection.vendor}. "
            "Restore it where it was made; manage.py move_database goes from SQLite to PostgreSQL."
        )
    unknown = contents.migrations - frozenset(MigrationLoader(None).disk_migrations)
    ours = sorted(f"{app}.{name}" for app, name in unknown if app in _APPS)
    if ours:
        names = ", ".join(ours[:3])
        raise CannotRestoreError(f"The backup is of a newer version than this program ({contents.version}): {names}.")
    differing = keys_that_differ(path)
    if differing and not other_keys:
        raise CannotRestoreError(
            f"{', '.join(differing)} are others here than in the backup: links in mails already sent, or the list of "
            "those not to mail, would break. Set those of the backup (keys.json in it), or say --other-keys."
        )
    if not replace and not _is_empty():
        raise CannotRestoreError("This database is not empty: --replace puts the backup in its place.")
    return contents


def restore(path: Path, *, now: dt.datetime) -> Restored:
    """Put it back, after `check_backup` found nothing against it. From the first instant on nothing leaves. Raises
    DumpError or OSError, with the database as it was."""
    contents = read_backup(path)
    hold = _HOLD.format(reason=_UNFINISHED, now=_sql(now), since=_sql(contents.made_at))
    has_holds = ("subscriptions", "0012_sending_hold") in contents.migrations
    if not has_holds:
        raise CannotRestoreError(
            "The backup is older than holding itself is: restore it with the version that made it."
        )
    # Not where temporary files lie, which may be memory: it takes as much room as the database.
    with workplace(settings.VAR_DIR) as folder:
        dumps.load(unpack_database(path, into=folder), then=hold)
    migrated, let_go = finish_restore(since=contents.made_at, now=now)
    return Restored(contents=contents, migrated=migrated, let_go=let_go)


def finish_restore(*, since: dt.datetime, now: dt.datetime) -> tuple[int, int]:
    """What is to be done in a database that was put back, while sending is held, as it was on this day: it is brought
    up to date, letters that were on their way stop, and who left is let go. Returns how many migrations were missing,
    and how many were let go. Safe twice, and to be killed anywhere."""
    missing = _missing_migrations()
    if missing:
        call_command("migrate", verbosity=0, interactive=False)
    stop_letters()
    let_go = let_go_again(since=since, now=now)
    SendingHold.objects.filter(reason=_UNFINISHED).update(reason=_FINISHED)
    return missing, let_go


def is_finished(hold: SendingHold) -> bool:
    """Whether that was done. Nobody did it where a database was put back by other means."""
    return hold.reason == _FINISHED


def let_go_again(*, since: dt.datetime, now: dt.datetime) -> int:
    """What readers had said since the backup: who left, leaves again, and who was erased is erased. Safe twice."""
    changed = 0
    for address_hash, kind in ledger.who_left_since(since).items():
        reader = Subscriber.objects.filter(address_hash=address_hash).first()
        if kind == ledger.ERASED:
            changed += bool(reader and erase_reader(public_id=reader.public_id, now=now))
            suppress(address_hash=address_hash, reason=SuppressionReason.ERASED, now=now)
        elif kind == ledger.SUPPRESSED:
            note = "Suppressed after the backup that was put back was made."
            changed += suppress(address_hash=address_hash, reason=SuppressionReason.MANUAL, now=now, note=note)
        elif reader and reader.state != SubscriberState.UNSUBSCRIBED:
            unsubscribe(public_id=reader.public_id, how="again, after a restore", now=now)
            changed += 1
    return changed


def _is_empty() -> bool:
    with connection.cursor() as cursor:
        if Subscriber._meta.db_table not in connection.introspection.table_names(cursor):
            return True
    return not Subscriber.objects.exists()


def _missing_migrations() -> int:
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def _sql(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ") + (
        "" if connection.vendor == "sqlite" else "+00"
    )

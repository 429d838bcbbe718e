"""A backup: one tar file with the database, the keys, and a list of what is in it, which is read again once written."""

import datetime as dt
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config import dumps
from config.env import KEY_NAMES
from config.workplaces import sweep_workplaces, workplace

FORMAT = 1
LIST, DATABASE, KEYS = "backup.json", "database", "keys.json"
NAME = "daily-papers-{at:%Y-%m-%dT%H-%M-%SZ}.tar"
_CHUNK = 1 << 20


class BadBackupError(ValueError):
    """It is no backup of ours, or a damaged one; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a backup says of itself: when it was made, of which kind of database with which migrations, and how many
    rows each table had."""

    made_at: dt.datetime
    version: str
    vendor: str
    migrations: frozenset[tuple[str, str]]
    rows: Mapping[str, int]
    sums: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What went, and what is there but damaged: that counts for nothing."""

    gone: list[Path]
    damaged: list[Path]


def make_backup(folder: Path, *, now: dt.datetime) -> Path:
    """Write a backup into this folder, under a name with the instant in it, readable by its owner alone. It is there
    whole or not at all. Raises DumpError, BadBackupError or OSError."""
    # What a killed restore left is a whole database, and there may never be another restore.
    sweep_workplaces(settings.VAR_DIR)
    with workplace(folder) as place:
        database, draft = place / DATABASE, place / "backup.tar"
        rows = dumps.dump(database)
        _pack(draft, database=database, rows=rows, now=now)
        read_backup(draft)
        path = _free_name(folder, at=now.astimezone(dt.UTC))
        draft.replace(path)
    _keep_names(folder)
    return path


def read_backup(path: Path) -> Contents:
    """What is in it, with every sum held against every octet. Raises BadBackupError."""
    try:
        with tarfile.open(path) as tar:
            said = json.loads(_member(tar, LIST).read())
            contents = _contents(said)
            for name, expected in contents.sums.items():
                if _sum(_member(tar, name)) != expected:
                    raise BadBackupError(f"{path.name} is damaged: {name} is not what was written.")
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, BadBackupError | FileNotFoundError | PermissionError):
            raise
        raise BadBackupError(f"{path.name} is no backup of Daily Papers, or a damaged one.") from error
    return contents


def keys_that_differ(path: Path) -> list[str]:
    """The names of the keys that are others here than in the backup."""
    with tarfile.open(path) as tar:
        kept: dict[str, str] = json.loads(_member(tar, KEYS).read())
    return [name for name in KEY_NAMES if kept.get(name) != getattr(settings, name)]


def unpack_database(path: Path, *, into: Path) -> Path:
    """The dump of the database as a file in this folder."""
    target = into / DATABASE
    with tarfile.open(path) as tar, target.open("wb") as written:
        source = _member(tar, DATABASE)
        while chunk := source.read(_CHUNK):
            written.write(chunk)
    return target


def applied_migrations() -> frozenset[tuple[str, str]]:
    """Those of this database."""
    return frozenset(MigrationRecorder(connection).applied_migrations())


def prune_backups(folder: Path, *, keep: int) -> Pruned:
    """Delete what is older than the newest so many whole backups of this folder. Each of these is read through first: a
    damaged one (a copy that was cut off, a disk that forgot) must not cost a good one its place. Raises OSError."""
    found = sorted(folder.glob("daily-papers-*.tar"), reverse=True)
    if len(found) <= keep:
        return Pruned(gone=[], damaged=[])
    whole, damaged = 0, []
    while found and whole < keep:
        path = found.pop(0)
        if _is_whole(path):
            whole += 1
        else:
            damaged.append(path)
    # The oldest first, so that those left by a kill are the newest. Another backup may delete the same ones.
    gone = found[::-1]
    for path in gone:
        path.unlink(missing_ok=True)
    return Pruned(gone=gone, damaged=damaged)


def _free_name(folder: Path, *, at: dt.datetime) -> Path:
    # One of the very same second must not take the place of another.
    while (path := folder / NAME.format(at=at)).exists():
        at += dt.timedelta(seconds=1)
    return path


def _is_whole(path: Path) -> bool:
    try:
        read_backup(path)
    except (BadBackupError, OSError):
        return False
    return True


def _keep_names(folder: Path) -> None:
    """Have the disk remember the names as well as the octets, before what is older goes."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _pack(draft: Path, *, database: Path, rows: Mapping[str, int], now: dt.datetime) -> None:
    keys = json.dumps({name: getattr(settings, name) for name in KEY_NAMES}, indent=1).encode()
    with database.open("rb") as file:
        sums = {DATABASE: _sum(file), KEYS: hashlib.sha256(keys).hexdigest()}
    said = {
        "format": FORMAT,
        "made_at": now.astimezone(dt.UTC).isoformat(),
        "version": settings.VERSION,
        "vendor": connection.vendor,
        "migrations": sorted(applied_migrations()),
        "rows": dict(rows),
        "sums": sums,
    }
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as written:
        with tarfile.open(fileobj=written, mode="w") as tar:
            _add(tar, LIST, json.dumps(said, indent=1).encode())
            _add(tar, KEYS, keys)
            tar.add(database, arcname=DATABASE)
        written.flush()
        os.fsync(written.fileno())


def _add(tar: tarfile.TarFile, name: str, octets: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(octets), 0o600
    tar.addfile(entry, io.BytesIO(octets))


def _member(tar: tarfile.TarFile, name: str) -> Any:
    found = tar.extractfile(name)
    if found is None:
        raise KeyError(name)
    return found


def _sum(file: Any) -> str:
    found = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        found.update(chunk)
    return found.hexdigest()


def _contents(said: Mapping[str, Any]) -> Contents:
    if said["format"] != FORMAT:
        raise BadBackupError(f"This backup has the format {said['format']}, which this version does not know.")
    return Contents(
        made_at=dt.datetime.fromisoformat(said["made_at"]),
        version=str(said["version"]),
        vendor=str(said["vendor"]),
        migrations=frozenset((str(app), str(name)) for app, name in said["migrations"]),
        rows={str(table): int(count) for table, count in said["rows"].items()},
        sums={str(name): str(value) for name, value in said["sums"].items()},
    )

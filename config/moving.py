"""From SQLite to PostgreSQL, in one transaction, with every table held against the other afterwards."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, connections, models, transaction
from django.db.migrations.recorder import MigrationRecorder

from subscriptions.models import SendingHold, Subscriber

SOURCE = "moved-from"
_CHUNK = 2000
# Made anew by each installation for itself.
_NOT_MOVED = {"django_migrations", "django_content_type", "auth_permission"}


# Why sending is held in the target until everything is there.
_UNFINISHED = (
    "A move from SQLite into this database did not come to its end: run manage.py move_database again. To begin anew "
    "instead, take an empty database."
)
_HAS_READERS = (
    "The PostgreSQL has readers already: a move never mixes two installations. If they came by a move that was killed "
    "at its very end, everything is there, as manage.py status shows; if not, take an empty database and migrate it."
)


class CannotMoveError(RuntimeError):
    """It cannot be moved, or came out different; the message says what, and nothing came over."""


def move(file: Path, *, dry_run: bool, told: Callable[[str, int], object]) -> dict[str, int]:
    """Copy everything. Returns the number of rows by table. Raises CannotMoveError."""
    if connection.vendor != "postgresql":
        raise CannotMoveError("The database that is configured is no PostgreSQL: set DATABASE_URL.")
    _open_source(file)
    try:
        _compare_migrations()
        _refuse_readers()
        tables = list(_models())
        if dry_run:
            return {model._meta.db_table: _rows(model).count() for model in tables}
        # Seen by whoever starts here too early, and gone by the very commit that brings everything.
        SendingHold.objects.update_or_create(pk=1, defaults={"reason": _UNFINISHED})
        with transaction.atomic():
            return _copy_all(tables, told=told)
    finally:
        connections[SOURCE].close()
        del connections.databases[SOURCE]


def is_unfinished_move(hold: SendingHold | None) -> bool:
    """Whether this is the target of a move, and not everything is there."""
    return hold is not None and hold.reason == _UNFINISHED


def _refuse_readers() -> None:
    if Subscriber.objects.exists():
        raise CannotMoveError(_HAS_READERS)


def _open_source(file: Path) -> None:
    try:
        file.open("rb").close()
    except FileNotFoundError as error:
        raise CannotMoveError(f"There is no file {file}.") from error
    except OSError as error:
        raise CannotMoveError(f"{file} cannot be read: {error.strerror}.") from error
    # Only read: a mistake here cannot cost what is there. Where nothing waits in its log, not even a lock is written
    # beside it, for which a folder that is mounted to be read would have no room.
    file = file.resolve()
    name = f"file:{quote(str(file))}?mode=ro" + ("" if file.with_name(f"{file.name}-wal").exists() else "&immutable=1")
    settings = {**connections.databases["default"], "ENGINE": "django.db.backends.sqlite3", "NAME": name}
    connections.databases[SOURCE] = {
        **settings, "OPTIONS": {"uri": True}, "HOST": "", "PORT": "", "USER": "", "PASSWORD": "", "CONN_MAX_AGE": 0
    }  # fmt: skip


def _compare_migrations() -> None:
    there = set(MigrationRecorder(connections[SOURCE]).applied_migrations())
    here = set(MigrationRecorder(connection).applied_migrations())
    if there != here:
        differing = ", ".join(sorted(f"{app}.{name}" for app, name in there ^ here)[:3])
        raise CannotMoveError(f"The two are not migrated alike ({differing}): run manage.py migrate on both first.")


def _models() -> Iterator[type[models.Model]]:
    """Every table, those that others point to first; constraints wait for the end of the transaction anyway."""
    for model in apps.get_models(include_auto_created=True):
        meta = model._meta
        if meta.managed and not meta.proxy and meta.db_table not in _NOT_MOVED:
            yield model


def _rows(model: type[models.Model]) -> models.QuerySet[Any]:
    return model._base_manager.using(SOURCE).order_by("pk")


def _copy_all(tables: list[type[models.Model]], *, told: Callable[[str, int], object]) -> dict[str, int]:
    with connection.cursor() as cursor:
        # From this look on nobody signs up here until everything is there.
        cursor.execute(f"LOCK TABLE {Subscriber._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        _refuse_readers()
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        names = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in tables)
        # What migrations put there (topics, roles) is in the source as well, perhaps changed by its owner.
        cursor.execute(f"TRUNCATE {names} CASCADE")
    moved = {}
    for model in tables:
        moved[model._meta.db_table] = _copy(model)
        told(model._meta.db_table, moved[model._meta.db_table])
    for model in tables:
        if _sum(model, SOURCE) != _sum(model, "default"):
            raise CannotMoveError(f"{model._meta.db_table} came out different: nothing came over.")
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), tables):
            cursor.execute(statement)
    return moved


def _copy(model: type[models.Model]) -> int:
    kinds = _same_kinds(model)
    count, chunk = 0, []
    for row in _rows(model).iterator(chunk_size=_CHUNK):
        for name, known in kinds.items():
            setattr(row, name, known.get(getattr(row, name)))
        chunk.append(row)
        count += 1
        if len(chunk) == _CHUNK:
            model._base_manager.using("default").bulk_create(chunk)
            chunk = []
    model._base_manager.using("default").bulk_create(chunk)
    return count


def _same_kinds(model: type[models.Model]) -> dict[str, dict[int, int]]:
    """Content types and permissions have numbers of their own in each database: by field, theirs to ours."""
    found = {}
    for field in model._meta.concrete_fields:
        table = field.related_model._meta.db_table if isinstance(field.related_model, type) else ""
        if table in {"django_content_type", "auth_permission"}:
            found[field.attname] = _numbers(table)
    return found


def _numbers(table: str) -> dict[int, int]:
    keys = (
        "app_label, model" if table == "django_content_type"
        else "codename, (SELECT app_label || '.' || model FROM django_content_type c WHERE c.id = content_type_id)"
    )  # fmt: skip
    sides = []
    for alias in (SOURCE, "default"):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SELECT {keys}, id FROM {table}")  # noqa: S608 - words of ours
            sides.append({(row[0], row[1]): row[2] for row in cursor.fetchall()})
    there, here = sides
    return {number: here[key] for key, number in there.items() if key in here}


def _sum(model: type[models.Model], alias: str) -> str:
    """A sum over every value of every row, in the order of their keys."""
    skipped = set(_same_kinds(model))
    fields = [field for field in model._meta.concrete_fields if field.attname not in skipped]
    found = hashlib.sha256()
    rows = model._base_manager.using(alias).order_by("pk").values_list(*(field.attname for field in fields))
    for row in rows.iterator(chunk_size=_CHUNK):
        found.update(repr([bytes(one) if isinstance(one, memoryview) else one for one in row]).encode())
    return found.hexdigest()

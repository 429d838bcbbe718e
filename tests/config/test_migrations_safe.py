"""Migrations that may run while the release before still serves: they add, and hold no large table for long."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

OURS = ("papers", "subscriptions", "digests", "limits")
# Tables on which making an index in the usual way would stand in the way of everybody.
LARGE = {
    "paper",
    "announcement",
    "entry",
    "delivery",
    "notice",
    "mailevent",
    "subscriber",
    "editionpaper",
    "dailysignal",
}
# Before the first release nobody ran these over data of theirs.
BEFORE_THE_FIRST_RELEASE = {"papers": 10, "subscriptions": 12, "digests": 10, "limits": 1}


def faults(operation: Operation) -> list[str]:
    """Why this operation is not safe under load."""
    name = type(operation).__name__
    if isinstance(operation, migrations.RemoveField | migrations.DeleteModel):
        return [f"{name}: the release before still reads it; remove it one release after the code"]
    if isinstance(operation, migrations.RenameField | migrations.RenameModel | migrations.AlterModelTable):
        return [f"{name}: the release before knows the old name; add, copy, and remove later"]
    if isinstance(operation, migrations.AddField) and not _may_be_left_out(operation.field):
        return [f"{name} {operation.name}: rows of the release before do not say it; give it db_default or null"]
    if isinstance(operation, migrations.AlterField) and not operation.field.null and operation.field.has_default():
        return []
    if isinstance(operation, migrations.AddIndex) and operation.model_name.lower() in LARGE:
        return [f"{name}: holds a large table; use AddIndexConcurrently in a migration that is not atomic"]
    if isinstance(operation, migrations.RunSQL) and operation.reverse_sql is None:
        return [f"{name}: cannot be taken back"]
    if isinstance(operation, migrations.RunPython) and operation.reverse_code is None:
        return [f"{name}: cannot be taken back"]
    return []


def _may_be_left_out(field: models.Field[Any, Any]) -> bool:
    return field.null or field.many_to_many is True or field.db_default is not models.NOT_PROVIDED


def test_every_migration_since_the_first_release_is_safe():
    found = []
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        if app in OURS and int(name[:4]) > BEFORE_THE_FIRST_RELEASE[app]:
            found += [f"{app}.{name}: {fault}" for operation in migration.operations for fault in faults(operation)]
    assert found == []


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        (migrations.RemoveField("paper", "doi"), "still reads it"),
        (migrations.DeleteModel("Fetch"), "still reads it"),
        (migrations.RenameField("paper", "doi", "id2"), "the old name"),
        (migrations.AddField("paper", "x", models.IntegerField(default=1)), "do not say it"),
        (migrations.AddIndex("paper", models.Index(fields=["doi"], name="x")), "holds a large table"),
        (migrations.RunSQL("SELECT 1"), "taken back"),
        (migrations.RunPython(lambda apps, editor: None), "taken back"),
    ],
)
def test_what_is_not_safe_is_named(operation: Operation, words: str):
    assert any(words in fault for fault in faults(operation))


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("paper", "x", models.IntegerField(null=True)),
        migrations.AddField("paper", "x", models.IntegerField(db_default=0)),
        migrations.CreateModel("X", [("id", models.BigAutoField(primary_key=True))]),
        migrations.RunSQL("SELECT 1", migrations.RunSQL.noop),
    ],
)
def test_what_is_safe_passes(operation: Operation):
    assert faults(operation) == []


@pytest.mark.db
@pytest.mark.django_db(transaction=True)
def test_a_table_that_somebody_holds_stops_a_migration_and_nothing_is_done(monkeypatch: pytest.MonkeyPatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one lock for everything, and waits for it")
    from config.management.commands import migrate

    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    call_command("migrate", "limits", "zero", verbosity=0)
    holder = connections.create_connection("default")
    try:
        with holder.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CommandError, match="Run it again at a quieter minute"):
            call_command("migrate", "limits", verbosity=0)
    finally:
        holder.close()
    call_command("migrate", "limits", verbosity=0)
    assert "limits_bucket" in connection.introspection.table_names()

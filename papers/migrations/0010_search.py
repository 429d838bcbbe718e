"""The full-text index. Not in one transaction: on a large table the words are filled in some thousands at a time."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from papers import search_index


def _add(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    search_index.install(using=schema_editor.connection.alias)
    search_index.fill(using=schema_editor.connection.alias)


def _remove(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    search_index.remove(using=schema_editor.connection.alias)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("papers", "0009_corrections"),
    ]

    operations = [migrations.RunPython(_add, _remove)]

"""What the admin pages of all packages share: saving what was changed at the desk, and nothing else."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Model


def save_changed(row: Model, form: Any, *, also: Iterable[str] = ()) -> None:
    """Save the fields that were changed in this form, and those in `also`.

    Django's admin writes the whole row as it was when the request began, which would undo what others did meanwhile:
    an edition published, a reader gone. Where nothing was changed nothing is written.
    """
    columns = {field.name for field in row._meta.concrete_fields}
    row.save(update_fields=[*columns.intersection(form.changed_data), *also])

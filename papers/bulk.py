"""Many rows in one go, faster than by a model instance each: a feed has thousands, a back-fill tens of thousands.

`bulk_create` spends most of its time per value in Python (in a profile, a third to a half of storing a feed). Here the
values go to the driver as they are, but for those that a database needs in another shape (JSON, dates).
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from django.db import connection, models
from django.db.models.fields import NOT_PROVIDED


def insert_rows(
    model: type[models.Model],
    rows: Sequence[Mapping[str, Any]],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Insert these rows, given by attribute name; a field that is not named gets its default.

    All rows name the same fields. A row that is there already stays as it is, or with `unique` and `update` gets these
    fields of the new one. Call it inside a transaction.
    """
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key and _is_needed(field, rows[0])]
    shapes = [_shape_of(field, rows[0]) for field in fields]
    quote = connection.ops.quote_name
    table, columns = quote(model._meta.db_table), ", ".join(quote(str(field.column)) for field in fields)
    places, conflict = ", ".join(["%s"] * len(fields)), _on_conflict(model, unique, update)
    sql = f"INSERT INTO {table} ({columns}) VALUES ({places}) {conflict}"  # noqa: S608 - names of ours; values are bound
    with connection.cursor() as cursor:
        cursor.executemany(sql, [[shape(row) for shape in shapes] for row in rows])


def _is_needed(field: models.Field[Any, Any], row: Mapping[str, Any]) -> bool:
    return field.attname in row or field.db_default is NOT_PROVIDED


def _shape_of(field: models.Field[Any, Any], row: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Any]:
    name = field.attname
    if name not in row:
        default = field.get_db_prep_save(field.get_default(), connection)
        return lambda _: default
    if isinstance(field, models.JSONField):
        return lambda row: connection.ops.adapt_json_value(row[name], field.encoder)
    if isinstance(field, models.DateField):  # date-times too
        # A document has few different days and instants.
        known: dict[Any, Any] = {None: None}

        def shape(row: Mapping[str, Any]) -> Any:
            value = row[name]
            if value not in known:
                known[value] = field.get_db_prep_save(value, connection)
            return known[value]

        return shape
    return itemgetter(name)


def _on_conflict(model: type[models.Model], unique: Sequence[str], update: Sequence[str]) -> str:
    if not update:
        return "ON CONFLICT DO NOTHING"
    names = {field.attname: connection.ops.quote_name(str(field.column)) for field in model._meta.concrete_fields}
    taken = ", ".join(f"{names[name]} = excluded.{names[name]}" for name in update)
    return f"ON CONFLICT ({', '.join(names[name] for name in unique)}) DO UPDATE SET {taken}"

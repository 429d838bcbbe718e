"""What the admin pages of all packages share: saving what was changed and nothing else, and writing down what was."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import construct_change_message
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from papers.long_lists import LongList

MOST_LETTERS = 200
# Of an action on more rows than this one line is written, which says how many they were.
MOST_ROWS = 100
# Whose values are nobody's to read in a log.
_SECRET = {"password", "password1", "password2", "email", "key"}


def save_changed(row: Model, form: Any, *, also: Iterable[str] = ()) -> None:
    """Save the fields that were changed in this form, and those in `also`.

    Django's admin writes the whole row as it was when the request began, which would undo what others did meanwhile:
    an edition published, a reader gone. Where nothing was changed nothing is written.
    """
    columns = {field.name for field in row._meta.concrete_fields}
    row.save(update_fields=[*columns.intersection(form.changed_data), *also])


class Audited:
    """Mixin for admin classes: the history of each row says what every field was before and is now, and every action of
    a list says who ran it on which rows. Django's own log knows who and when, and the names of fields alone."""

    # An admin whose actions write lines of their own sets this to False.
    logs_actions = True
    model: Any

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Django's message, with the values."""
        message = construct_change_message(form, formsets, add)
        if add:
            return message
        for part in message:
            changed = part.get("changed")
            if changed and "name" not in changed:
                changed["fields"] = [_from_to(form, name) for name in form.changed_data]
        return message

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the action, and write down that it was run."""
        ids = request.POST.getlist("_selected_action")
        rows = list(self.model._default_manager.filter(pk__in=ids[: MOST_ROWS + 1])) if self.logs_actions else []
        response = super().response_action(request, queryset, *args, **kwargs)  # type: ignore[misc]
        name = request.POST.get("action", "")
        if rows and name and name != "delete_selected":
            self._log_action(request, rows, name)
        return response

    def _log_action(self, request: HttpRequest, rows: list[Any], name: str) -> None:
        actions = self.get_actions(request)  # type: ignore[attr-defined]
        words = f"Action: {actions[name][2] if name in actions else name}"
        user_id = request.user.pk or 0
        is_all = request.POST.get("select_across", "0") == "1"
        if is_all or len(rows) > MOST_ROWS:
            LogEntry.objects.create(
                user_id=user_id,
                content_type=ContentType.objects.get_for_model(self.model),
                object_repr="all that were listed" if is_all else f"more than {MOST_ROWS}",
                action_flag=CHANGE,
                change_message=words,
            )
            return
        LogEntry.objects.log_actions(user_id, rows, CHANGE, words)


class DeskTable(Audited, LongList):
    """Mixin for our admin classes: a history that tells values, and lists that stay quick however long they grow."""


def _from_to(form: Any, name: str) -> str:
    field = form.fields[name]
    label = str(field.label or name)
    if name in _SECRET:
        return label
    before, after = form.get_initial_for_field(field, name), form.cleaned_data.get(name)
    return f"{label} (from «{_shown(before)}» to «{_shown(after)}»)"


def _shown(value: Any) -> str:
    if isinstance(value, QuerySet | list | tuple | set):
        value = ", ".join(sorted(_each(value)))
    text = "" if value is None else str(value)
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _each(values: Iterable[Any]) -> Iterator[str]:
    return (value if isinstance(value, str) else json.dumps(value, default=str).strip('"') for value in values)

"""Curators and owners decide about what readers bring; viewers look at it."""

from importlib import import_module

from django.db import migrations

MODELS = ("submission", "authorclaim")
RIGHTS = {"Viewer": ("view",), "Curator": ("view", "change"), "Owner": ("view", "change")}


def add_rights(apps, schema_editor):
    permission = import_module("digests.migrations.0009_roles").permission
    for name, actions in RIGHTS.items():
        # A group that the owner did away with stays away.
        for group in apps.get_model("auth", "Group").objects.filter(name=name):
            group.permissions.add(
                *[permission(apps, "subscriptions", model, action) for model in MODELS for action in actions]
            )


class Migration(migrations.Migration):
    dependencies = [("digests", "0009_roles"), ("subscriptions", "0011_community")]
    operations = [migrations.RunPython(add_rights, migrations.RunPython.noop)]

"""The sources and topics a new installation starts with. What an owner changes or deletes stays changed."""

from django.db import migrations

from papers.defaults import DEFAULT_SOURCES, DEFAULT_TOPICS


def add_defaults(apps, schema_editor):
    source, topic = apps.get_model("papers", "Source"), apps.get_model("papers", "Topic")
    for values in DEFAULT_SOURCES:
        source.objects.get_or_create(slug=values["slug"], defaults=values)
    known = {field.name for field in topic._meta.get_fields()}
    for values in DEFAULT_TOPICS:
        defaults = {name: value for name, value in values.items() if name in known}
        topic.objects.get_or_create(slug=values["slug"], defaults=defaults)


class Migration(migrations.Migration):
    dependencies = [("papers", "0001_initial")]
    operations = [migrations.RunPython(add_defaults, migrations.RunPython.noop)]

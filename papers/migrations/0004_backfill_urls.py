"""The back-fill addresses of the sources a new installation starts with. What an owner set stays."""

from django.db import migrations

from papers.defaults import BACKFILL_URLS


def add_backfill_urls(apps, schema_editor):
    source = apps.get_model("papers", "Source")
    for slug, url in BACKFILL_URLS.items():
        source.objects.filter(slug=slug, kind="arxiv", backfill_url="").update(backfill_url=url)


class Migration(migrations.Migration):
    dependencies = [("papers", "0003_sources")]
    operations = [migrations.RunPython(add_backfill_urls, migrations.RunPython.noop)]

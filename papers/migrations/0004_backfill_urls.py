"""The back-fill addresses of the sources a new installation starts with: the same categories as OAI-PMH sets, from
where days that went missing are made good. What an owner set stays."""

from django.db import migrations

RECORDS = "https://oaipmh.arxiv.org/oai?verb=ListRecords&metadataPrefix=arXiv&set=cs:cs:"
BACKFILL_URLS = {
    "arxiv-cs-cl": f"{RECORDS}CL",
    "arxiv-cs-lg": f"{RECORDS}LG",
    "arxiv-cs-cv": f"{RECORDS}CV",
    "arxiv-cs-ai": f"{RECORDS}AI",
}


def add_backfill_urls(apps, schema_editor):
    source = apps.get_model("papers", "Source")
    for slug, url in BACKFILL_URLS.items():
        source.objects.filter(slug=slug, kind="arxiv", backfill_url="").update(backfill_url=url)


class Migration(migrations.Migration):
    dependencies = [("papers", "0003_sources")]
    operations = [migrations.RunPython(add_backfill_urls, migrations.RunPython.noop)]

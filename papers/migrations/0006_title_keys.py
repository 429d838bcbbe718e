"""Papers from before titles were compared get what they are compared by."""

from django.db import migrations

from papers.same_work import title_key

CHUNK = 500


def fill_title_keys(apps, schema_editor):
    paper = apps.get_model("papers", "Paper")
    last_id = 0
    # By id, not by what is still empty: a title that says too little stays without a key.
    while rows := list(paper.objects.filter(id__gt=last_id, title_key="").order_by("id")[:CHUNK]):
        last_id = rows[-1].pk
        for row in rows:
            row.title_key = title_key(row.title, row.authors)
        paper.objects.bulk_update([row for row in rows if row.title_key], ["title_key"])


class Migration(migrations.Migration):
    # Each chunk for itself, so that nobody waits for all of them; what a killed run left is done by the next.
    atomic = False
    dependencies = [("papers", "0005_watched_since")]
    operations = [migrations.RunPython(fill_title_keys, migrations.RunPython.noop)]

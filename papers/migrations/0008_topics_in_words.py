"""Topics may be described in plain words, stand under a heading, and there are more to start with."""

from django.db import migrations, models

from papers.defaults import DEFAULT_TOPICS


FIRST = frozenset(
    """language machine-learning vision artificial-intelligence robotics information-retrieval sound people-and-computers
    security software-engineering statistics neural-computing agents reasoning-and-post-training efficiency""".split()
)


def add_topics(apps, schema_editor):
    """Topics that are new among those to start with, and headings for the first. What an owner changed or deleted of
    these stays so."""
    topic = apps.get_model("papers", "Topic")
    for values in DEFAULT_TOPICS:
        if values["slug"] not in FIRST:
            topic.objects.get_or_create(slug=values["slug"], defaults=values)
        if values.get("heading"):
            topic.objects.filter(slug=values["slug"], heading="").update(heading=values["heading"])


class Migration(migrations.Migration):
    dependencies = [
        ("papers", "0007_one_liners"),
    ]

    operations = [
        migrations.AddField(
            model_name="topic",
            name="heading",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Under what readers find it. Default: the science of its first category.",
                max_length=60,
            ),
        ),
        migrations.AddField(
            model_name="topic",
            name="in_plain_words",
            field=models.TextField(
                blank=True,
                default="",
                help_text="Papers that speak of these things fit too, as if they had one of the words.",
                max_length=1000,
            ),
        ),
        migrations.AddField(
            model_name="topic",
            name="word_weights",
            field=models.JSONField(default=list, editable=False, help_text="What of that says how much."),
        ),
        migrations.AlterField(
            model_name="topic",
            name="description",
            field=models.CharField(blank=True, help_text="For readers: what it is about.", max_length=300),
        ),
        migrations.RunPython(add_topics, migrations.RunPython.noop),
    ]

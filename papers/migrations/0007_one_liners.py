import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("papers", "0006_title_keys"),
    ]

    operations = [
        migrations.CreateModel(
            name="OneLinerDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("date", models.DateField(unique=True)),
                ("asked", models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="OneLiner",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.CharField(blank=True, max_length=200)),
                ("model", models.CharField(blank=True, help_text="Which machine.", max_length=100)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("asked_at", models.DateTimeField()),
                ("written_at", models.DateTimeField(blank=True, null=True)),
                (
                    "is_removed",
                    models.BooleanField(
                        default=False, help_text="By a curator: it is not asked for again.", verbose_name="taken out"
                    ),
                ),
                (
                    "paper",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="one_liner", to="papers.paper"
                    ),
                ),
            ],
            options={
                "verbose_name": "line by a machine",
                "verbose_name_plural": "lines by a machine",
            },
        ),
    ]

import subscriptions.models
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0007_reader_preferences"),
    ]

    operations = [
        migrations.AddField(
            model_name="subscriber",
            name="language",
            field=models.CharField(
                blank=True, choices=subscriptions.models.language_choices, default="", max_length=10
            ),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("confirmation", "Please confirm"),
                    ("already_subscribed", "You are already subscribed"),
                    ("goodbye", "Goodbye"),
                    ("fresh_link", "A link that was asked for"),
                    ("new_address", "Please confirm your new address"),
                    ("still_wanted", "Do you still want this?"),
                    ("source_stalled", "To the owner: a source has stalled"),
                    ("source_back", "To the owner: a source is back"),
                    ("days_missing", "To the owner: days went missing"),
                    ("sending_paused", "To the owner: an edition was paused"),
                    ("mail_blocked", "To the owner: our mail is being blocked"),
                    ("digest_too_big", "To the owner: digests are too big to send"),
                ],
                max_length=20,
            ),
        ),
    ]

"""What is limited, and how far each limit is used up."""

from django.db import models
from django.db.models.functions import Now


class Bucket(models.Model):
    """One limit that all processes on all hosts share, and that survives a restart.

    `free_at` is the theoretical arrival time of the generic cell rate algorithm (ITU-T I.371): the instant at which the
    bucket would be full again. All instants are the database's.
    """

    name = models.CharField(max_length=255, primary_key=True, help_text="What is limited: fetch:arxiv.org, say.")
    free_at = models.DateTimeField(db_default=Now())
    closed_until = models.DateTimeField(null=True, blank=True, help_text="Nothing passes before.")
    holder = models.CharField(max_length=32, blank=True, help_text="Who is the one that passes now.")
    held_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name

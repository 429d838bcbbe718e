"""`manage.py match_topics`: give topics the recent papers that fit their rules."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from papers.management.answering import AnsweringCommand
from papers.matching import rematch_topic
from papers.models import Topic


class Command(AnsweringCommand):
    """The doorway of `papers.matching`."""

    help = (
        "Match the papers of the last month with the rules of the topics as they are now: each topic gets what fits it "
        "and gives back what does not. A worker does this by itself after a rule was changed in the admin; this is for "
        "when no worker runs. Done twice it changes nothing the second time. Exit code 2: no such topic."
    )
    has_dry_run = True

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--topic", metavar="SLUG", help="This topic alone. Default: every topic.")
        super().add_arguments(parser)

    def run(self, options: Mapping[str, Any]) -> None:
        self.answer = {"topics": {}}
        for topic in _topics(options["topic"]):
            came, went = rematch_topic(topic_id=topic.pk, now=timezone.now(), dry_run=options["dry_run"])
            self.answer["topics"][topic.slug] = {"came": came, "went": went}
            self.say(options, f"{topic.slug}: {came} papers came, {went} went.")


def _topics(slug: str | None) -> list[Topic]:
    topics = Topic.objects.filter(slug=slug) if slug else Topic.objects.all()
    if slug and not topics:
        known = ", ".join(Topic.objects.values_list("slug", flat=True))
        raise CommandError(f"There is no topic {slug!r}. There are: {known}.", returncode=2)
    return list(topics)

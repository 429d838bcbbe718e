"""`manage.py evaluate_topics PATH`: how well is a subject found by five papers of it?"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from digests.management.measuring import MeasuringCommand, NothingToMeasureError


class Command(MeasuringCommand):
    """The doorway of `digests.evaluation.topics`."""

    help = (
        "Measure topics that are described by examples: for each primary category with 100 papers, five of them are "
        "given and all others ranked, categories hidden. Macro AUC beside TF-IDF with 95 % intervals, and the macro F1 "
        "of a matcher trained on the earlier months. Each line of PATH is an object with id, date, title, abstract and "
        "categories. Exit code 2: the file cannot be measured on, with the reason."
    )
    part = "topics"

    def measure(self, papers: list[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        from digests.evaluation.topics import NoTopicsError, evaluate_topics

        try:
            return evaluate_topics(papers, tick=self.tick)
        except NoTopicsError as error:
            raise NothingToMeasureError(f"{options['path']}: {error}.") from error

    def text_of(self, answer: Mapping[str, Any], *, corpus: str, today: dt.date) -> str:
        from digests.evaluation.page import topics_part
        from digests.evaluation.topics import DRAWS

        return topics_part(answer, corpus=corpus, today=today, draws=DRAWS)

"""`manage.py evaluate_ranking PATH`: how good is the choice of papers for a reader?"""

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any

from digests.management.measuring import MeasuringCommand, NothingToMeasureError

ENCODED_AT_ONCE = 64
METHODS = (
    "ours", "ours_without_freshness", "random", "upvotes", "tfidf_max", "tfidf_mean", "tfidf_svm", "tfidf_logistic",
)  # fmt: skip


class Command(MeasuringCommand):
    """The doorway of `digests.evaluation.running`."""

    help = (
        "Measure the personal ranking on a corpus in time order, with the code that makes digests, beside the usual "
        "ways of doing it: nDCG@10, MRR, recall@10 and AUC with 95 % intervals over readers, and paired differences. "
        "With the setting ENCODER ours goes by its vectors too. "
        "Each line of PATH is an object with id, date, title, abstract, submitter, reader_authors and upvotes. "
        "Takes about half a minute for 5,000 papers. Exit code 2: the file cannot be measured on, with the reason."
    )
    part = "ranking"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--method", choices=METHODS, default="ours", help="Whom to measure as «ours».")

    def measure(self, papers: list[Any], options: Mapping[str, Any]) -> dict[str, Any]:
        from digests.evaluation.running import NothingToJudgeError, evaluate

        try:
            return evaluate(papers, method=options["method"], vectors=self._vectors(papers), tick=self.tick)
        except NothingToJudgeError as error:
            raise NothingToMeasureError(f"{options['path']}: {error}.") from error

    def _vectors(self, papers: list[Any]) -> Any:
        """Those of the encoder in the settings, where there is one."""
        from digests.dense import encode, load_encoder
        from digests.ranking.features import paper_text

        encoder = load_encoder()
        if encoder is None:
            return None
        import numpy as np

        found = []
        for start in range(0, len(papers), ENCODED_AT_ONCE):
            some = papers[start : start + ENCODED_AT_ONCE]
            found.append(encode(encoder, [paper_text(title=one.title, abstract=one.abstract) for one in some]))
            self.tick(min(start + ENCODED_AT_ONCE, len(papers)), len(papers))
        return np.concatenate(found)

    def text_of(self, answer: Mapping[str, Any], *, corpus: str, today: dt.date) -> str:
        from digests.evaluation.page import ranking_part

        return ranking_part(answer, corpus=corpus, today=today)

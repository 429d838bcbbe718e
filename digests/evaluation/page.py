"""docs/relevance.md, written out of what was measured. Pure: returns text."""

import datetime as dt
import json
import re
from collections.abc import Mapping
from typing import Any

from digests.evaluation.metrics import METRICS

HEAD = """# How good the choice is

This page is written by `manage.py evaluate_ranking PATH --page docs/relevance.md` and `manage.py evaluate_topics PATH
--page docs/relevance.md`; change `digests/evaluation/page.py`, not the page. Intervals are 95 % bootstrap intervals.
"""
RANKING = """## Personal ranking

Measured on {today} on `{corpus}`: {readers} readers, {judgements} judgements. In time order: after a reader's first 6
papers each further one is judged among all papers of its day and the 3 days before, with nothing known that is not
older. Differences are paired: the same readers for both.

{table}

**Read this with it.** A judged day is one on which the reader did something, so papers of that very day are right more
often than those of the days before, and a ranker that prefers today's papers is rewarded for it. Ours does, because a
digest should, and the baselines do not know of days. `ours_without_freshness` is what the words alone are worth.
"""
TOPICS = """## Topics by example

Measured on {today} on `{corpus}`: five papers of a primary category (with 100 papers or more) are given, all other
papers ranked, categories hidden; {draws} fixed draws. `ours` is the latent space with feedback that describes a topic
by examples, the baseline the mean TF-IDF likeness of the same words. Intervals are over the draws.

{table}

A matcher trained on the earlier months and tested on the last has a macro F1 of {f1}.
"""
_PARTS = ("ranking", "topics")


def write_part(page: str, name: str, text: str) -> str:
    """The page with this part of it written anew, the others as they were."""
    parts = {part: _part(page, part) for part in _PARTS} | {name: text}
    marked = [f"<!-- {part} -->\n{held}\n<!-- end of {part} -->" for part, held in parts.items() if held]
    return HEAD + "\n" + "\n\n".join(marked) + "\n"


def ranking_part(answer: Mapping[str, Any], *, corpus: str, today: dt.date) -> str:
    """What `evaluate_ranking` found."""
    rows = [(answer["method"], answer["ours"], ""), *((name, row, "") for name, row in answer["without"].items())]
    rows += [(name, row, _range(answer["paired"][name]["ndcg@10"])) for name, row in answer["baselines"].items()]
    head = ["| ranker | " + " | ".join((*METRICS, "ours is better by (nDCG@10)")) + " |", "|---" * 6 + "|"]
    lines = [
        f"| {name} | " + " | ".join(_range(row[metric]) for metric in METRICS) + f" | {better} |"
        for name, row, better in rows
    ]
    return RANKING.format(
        today=today, corpus=corpus, table="\n".join([*head, *lines]),
        readers=answer["readers"], judgements=answer["judgements"],
    )  # fmt: skip


def topics_part(answer: Mapping[str, Any], *, corpus: str, today: dt.date, draws: int) -> str:
    """What `evaluate_topics` found."""
    table = [
        "| matcher | macro AUC |", "|---|---|",
        f"| ours | {_range(answer['ours']['auc'])} |",
        f"| tfidf_mean | {_range(answer['baselines']['tfidf_mean']['auc'])} |",
        f"| the difference | {_range(answer['paired']['tfidf_mean']['auc'])} |",
        *(f"| ours, {topic} | {value} |" for topic, value in answer["topics"].items()),
    ]  # fmt: skip
    return TOPICS.format(today=today, corpus=corpus, table="\n".join(table), draws=draws, f1=answer["ours"]["f1"])


def as_json(answer: Mapping[str, Any]) -> str:
    """The answer for programs."""
    return json.dumps(answer, indent=2) + "\n"


def _part(page: str, name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- end of {name} -->", page, re.DOTALL)
    return found[1] if found else ""


def _range(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.3f} ({value['low']:.3f} to {value['high']:.3f})"

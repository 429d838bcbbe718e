"""The API's JSON beside what Hugging Face really answers, key by key."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from papers.feeds import parse_feed
from papers.models import OneLiner
from tests.factories import NOW, TODAY, make_edition, make_paper

pytestmark = pytest.mark.django_db
CAPTURES = sorted(Path(__file__).parents[4].joinpath("shared/data/feeds").glob("hf_daily_*.json"))
# A machine's words and keywords: ours are only there where the owner has them made.
_OPTIONAL = {"[].paper.ai_summary", "[].paper.ai_keywords"}


@pytest.fixture(autouse=True)
def monday() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


def kinds(document: Any) -> tuple[dict[str, str], set[str]]:
    """The JSON type of every key, by its path, and the paths that are there wherever they could be."""
    types: dict[str, str] = {}
    counts: Counter[str] = Counter()
    parents: Counter[str] = Counter()

    def walk(value: Any, path: str) -> None:
        if isinstance(value, dict):
            parents[path] += 1
            for name, inner in value.items():
                counts[f"{path}.{name}"] += 1
                types[f"{path}.{name}"] = type(inner).__name__
                walk(inner, f"{path}.{name}")
        elif isinstance(value, list):
            for inner in value:
                walk(inner, f"{path}[]")

    walk(document, "")
    return types, {path for path in counts if counts[path] == parents[path.rpartition(".")[0]]}


def whole_day(client: Client) -> Any:
    paper = make_paper(
        upvotes=5, comments=2, github_stars=9, code_link="https://github.com/a/b", project_link="https://example.org/p"
    )
    OneLiner.objects.create(paper=paper, text="Says the gist.", asked_at=NOW, written_at=NOW)
    make_edition([paper], published_at=NOW)
    return json.loads(client.get("/api/daily_papers").content)


@pytest.mark.skipif(not CAPTURES, reason="the real captures are not on this machine")
def test_every_key_that_the_hub_always_sends_is_there_with_the_same_type(client: Client):
    ours, _ = kinds(whole_day(client))
    for capture in CAPTURES:
        types, always = kinds(json.loads(capture.read_bytes()))
        optional = {path for path in always if ".user." in path or path.endswith((".user", ".status"))}
        always -= _OPTIONAL | {path for path in optional if not path.startswith("[].paper.submittedOnDailyBy")}
        always -= {path for path in always if path.endswith(("statusLastChangedAt", ".mediaUrls", "followerCount"))}
        assert always <= set(ours), capture.name
        assert {path: ours[path] for path in always} == {path: types[path] for path in always}


@pytest.mark.skipif(not CAPTURES, reason="the real captures are not on this machine")
def test_no_key_of_ours_is_unknown_to_the_hub(client: Client):
    known: set[str] = set()
    for capture in CAPTURES:
        known |= set(kinds(json.loads(capture.read_bytes()))[0])
    assert set(kinds(whole_day(client))[0]) - known == set()


def test_our_own_reader_of_the_hub_reads_our_api(client: Client):
    paper = make_paper(title="A paper", upvotes=5, code_link="https://github.com/a/b")
    make_edition([paper], published_at=NOW)
    feed = parse_feed(body=client.get("/api/daily_papers").content, kind="hf")
    assert feed.problems == ()
    (entry,) = feed.entries
    assert (entry.key, entry.title, entry.announced_date) == (paper.key, "A paper", TODAY)
    assert (entry.signals.upvotes, entry.code_link) == (5, "https://github.com/a/b")

"""What a run complains of: what its own troubles do not explain, and nothing else."""

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos.conductor import judge_run
from tests.chaos.journal import GIVEN_UP, Row
from tests.chaos.scenarios import SHORT
from tests.chaos.sink_process import Arrivals

READERS = [f"reader{number}@example.org" for number in range(4)]


def complaints(states: list[str], *, kills: int, connections: int = 1) -> list[str]:
    """Of a run in which these became of the readers' mails, and what was accepted arrived."""
    reason = {"failed": f"{GIVEN_UP} 2 workers."}
    rows = [
        Row(id=number, state=state, reason=reason.get(state, ""), claim_token="", recipient=reader)
        for number, (state, reader) in enumerate(zip(states, READERS, strict=True))
    ]
    arrived = Counter(row.recipient for row in rows if row.state == "accepted")
    stage: Any = SimpleNamespace(
        sink=SimpleNamespace(arrivals=lambda: Arrivals(arrived, frozenset(), ambiguous=0, later=0)),
        journal=SimpleNamespace(readers=lambda: READERS, rows=lambda: rows),
        fleet=SimpleNamespace(concurrency=1),
        kills=kills,
        connections=connections,
        unanswered_commits=0,
    )
    scenario = SHORT[0]
    judged = judge_run(scenario, stage=stage, seconds=1.0, complaints=[])
    return [words for words in judged.complaints if "kills fell" not in words]


def test_a_run_that_adds_up_is_complained_of_by_nobody():
    assert complaints(["accepted"] * 4, kills=0) == []


@pytest.mark.parametrize(("kills", "is_explained"), [(1, False), (2, True)])
def test_mails_given_up_are_explained_by_a_kill_each(kills: int, *, is_explained: bool):
    found = complaints(["accepted", "accepted", "failed", "failed"], kills=kills)
    assert found == ([] if is_explained else ["2 were given up, more than kills explain"])


@pytest.mark.parametrize(("connections", "is_explained"), [(1, False), (2, True)])
def test_unknown_mails_are_explained_by_one_a_connection_and_kill(connections: int, *, is_explained: bool):
    found = complaints(["accepted", "accepted", "unknown", "unknown"], kills=1, connections=connections)
    assert found == ([] if is_explained else ["2 are unknown, more than kills and silences explain"])


def test_a_mail_that_is_still_open_or_failed_for_no_reason_breaks_a_promise():
    assert "a promise is broken" in complaints(["accepted", "accepted", "accepted", "queued"], kills=0)

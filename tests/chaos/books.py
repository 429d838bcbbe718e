"""What arrived, compared with what the books say: the promises of the send, as sums."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tests.chaos.journal import GIVEN_UP, OPEN, Row
from tests.chaos.sink_process import Arrivals


@dataclass(frozen=True, slots=True)
class Comparison:
    """Counts of one run."""

    due: int
    arrived: int
    accepted: int
    failed: int
    refused: int
    given_up: int
    skipped: int
    unknown: int
    lost: int
    duplicates: int
    balanced: bool


def compare(*, due: Sequence[str], rows: Sequence[Row], arrivals: Arrivals) -> Comparison:
    """The comparison. `due` are the addresses of all who were due.

    lost: due, did not arrive, and the books do not say unknown, failed or skipped. duplicates: arrivals beyond a
    reader's first. balanced: one row a reader, none still open; nobody failed but who was refused for good (or was in
    hand at two deaths), and whoever was refused either failed or is unknown because the answer was lost.
    """
    by_reader = {row.recipient: row.state for row in rows}
    given_up = {row.recipient for row in rows if row.state == "failed" and row.reason.startswith(GIVEN_UP)}
    failed = {row.recipient for row in rows if row.state == "failed"}
    unknown = {row.recipient for row in rows if row.state == "unknown"}
    accounted = {reader for reader, state in by_reader.items() if state in {"unknown", "failed", "skipped"}}
    lost = [reader for reader in due if not arrivals.arrived[reader] and reader not in accounted]
    states = Counter(row.state for row in rows)
    return Comparison(
        due=len(due),
        arrived=len(arrivals.arrived),
        accepted=states["accepted"],
        failed=len(failed),
        refused=len(arrivals.refused),
        given_up=len(given_up),
        skipped=states["skipped"],
        unknown=len(unknown),
        lost=len(lost),
        duplicates=sum(arrivals.arrived.values()) - len(arrivals.arrived),
        balanced=(
            len(rows) == len(by_reader) == len(due)
            and set(by_reader) == set(due)
            and not any(states[state] for state in OPEN)
            and failed - given_up <= arrivals.refused <= failed | unknown
            and not failed & set(arrivals.arrived)
            and sum(states.values()) == len(due)
        ),
    )

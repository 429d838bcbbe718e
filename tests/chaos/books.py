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
    # What does not add up, in words, the first few.
    oddities: tuple[str, ...] = ()


def compare(*, due: Sequence[str], rows: Sequence[Row], arrivals: Arrivals) -> Comparison:
    """The comparison. `due` are the addresses of all who were due.

    lost: due, did not arrive, and the books do not say unknown, failed or skipped. duplicates: arrivals beyond a
    reader's first. balanced: one row a reader, none still open; nobody failed but who was refused for good (or was in
    hand at two deaths), and whoever was refused either failed or is unknown because the answer was lost.
    """
    by_reader = {row.recipient: row for row in rows}
    given_up = {row.recipient for row in rows if row.state == "failed" and row.reason.startswith(GIVEN_UP)}
    failed = {row.recipient for row in rows if row.state == "failed"}
    unknown = {row.recipient for row in rows if row.state == "unknown"}
    skipped = {row.recipient for row in rows if row.state == "skipped"}
    arrived = set(arrivals.arrived)
    lost = set(due) - arrived - unknown - failed - skipped
    states = Counter(row.state for row in rows)
    odd = {
        "lost": lost,
        "arrived more than once": {reader for reader, count in arrivals.arrived.items() if count > 1},
        "arrived, but was not due": arrived - set(due),
        "failed without a refusal": failed - given_up - arrivals.refused,
        "refused, but neither failed nor unknown": arrivals.refused - failed - unknown,
        "failed or skipped, but arrived": (failed | skipped) & arrived,
        "still open": {row.recipient for row in rows if row.state in OPEN},
        "without a row": set(due) - set(by_reader),
        "with several rows": {row.recipient for row in rows if by_reader[row.recipient] is not row},
    }
    return Comparison(
        due=len(due),
        arrived=len(arrived),
        accepted=states["accepted"],
        failed=len(failed),
        refused=len(arrivals.refused),
        given_up=len(given_up),
        skipped=len(skipped),
        unknown=len(unknown),
        lost=len(lost),
        duplicates=sum(arrivals.arrived.values()) - len(arrived),
        balanced=sum(states.values()) == len(due) and not any(odd.values()),
        oddities=tuple(
            f"{what}: {reader} ({by_reader[reader].state}: {by_reader[reader].reason})"
            if reader in by_reader
            else f"{what}: {reader}"
            for what, readers in odd.items()
            for reader in sorted(readers)[:3]
        ),
    )

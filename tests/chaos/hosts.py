"""Scale out: workers on four hosts, one PostgreSQL, one Valkey, one mail server. One host has a thin line, one is cut
off in the middle of its hand-offs and comes back, one stands still for longer than its lease, one dies.
"""

import time
from collections.abc import Callable

from tests.chaos.books import compare
from tests.chaos.conductor import Result
from tests.chaos.ground import Ground, ground, main, run_inside, show

NAME = "four hosts, SMTP, PostgreSQL"
SHARE = 0.06
THIN, CUT, STILL, DYING = range(4)
SECONDS_AT_MOST, SECONDS_A_DIGEST = 150.0, 0.1
# What happens at which share of the send; nobody starts what died again.
PLAN: dict[str, tuple[float, Callable[[Ground], bool]]] = {
    "cut off": (0.1, lambda scene: scene.cut_off_in_the_middle(CUT)),
    "stands still": (0.3, lambda scene: scene.freeze_in_the_middle(STILL)),
    "dies": (0.5, lambda scene: scene.kill_in_the_middle(DYING)),
}


def run_hosts(*, digests: int, say: Callable[[str], None]) -> Result:
    """Run it in a namespace of its own. Raises NoNetworkError where that cannot be."""
    return run_inside("tests.chaos.hosts", digests=digests, say=say)


def _run(digests: int) -> Result:
    with ground(hosts_wanted=4, digests=digests, delay=(0.1, 0.3), env={}) as scene:
        scene.start_valkey()
        for number in range(4):
            scene.start_worker(number)
        scene.network[THIN].slow_down(kilobits=2000)
        scene.start_beat()
        started = time.monotonic()
        complaints = _conduct(scene, digests=digests)
        seconds = time.monotonic() - started
        books = compare(due=scene.journal.readers(), rows=scene.journal.rows(), arrivals=scene.sink.arrivals())
        return scene.result(NAME, books=books, seconds=seconds, complaints=complaints)


def _conduct(scene: Ground, *, digests: int) -> list[str]:
    happened: set[str] = set()
    until = time.monotonic() + SECONDS_AT_MOST + SECONDS_A_DIGEST * digests
    while time.monotonic() < until:
        scene.do_what_is_due()
        counts, settled = scene.settled()
        show(f"{NAME}: {settled} of {digests} settled, {', '.join(sorted(happened)) or 'all well'}")
        if counts.total() == digests == settled and scene.is_quiet:
            return [f"it never came to: {name}" for name in PLAN.keys() - happened]
        scene.journal.let_waiting_end()
        for name, (share, act) in PLAN.items():
            if name not in happened and settled >= share * digests:
                if act(scene):
                    happened.add(name)
                break
        time.sleep(0.2)
    return [f"not finished in time: {dict(counts)}"]


if __name__ == "__main__":
    main(_run)

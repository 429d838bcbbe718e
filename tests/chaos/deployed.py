"""The whole product on three hosts (the site, and two workers) around one PostgreSQL and one Valkey, while people read
and sign up all the time. One worker has a thin line; one is cut off in the middle of its hand-offs for longer than a
lease; one is killed in the middle of them and started again. Then the queue is away for a while, the database, the line
to the site, and the site itself.

Beside the books of the send the site is held to what it told people: whoever was told that a mail is on its way has it,
once, or is accounted for as unknown.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from subprocess import Popen

from tests.benchmarks.pages import collect_static
from tests.chaos.books import compare
from tests.chaos.conductor import Result
from tests.chaos.ground import Ground, ground, main, run_inside, show
from tests.chaos.journal import OPEN
from tests.chaos.processes import wait_for
from tests.chaos.visitor import Answer, Visitor

NAME = "site and two workers, three hosts"
SITE, THIN, OTHER = range(3)
PORT = 8000
SECONDS_AT_MOST, SECONDS_A_DIGEST = 200.0, 0.15
RESTART_SECONDS = 3.0
# How long the site may take to be well again once what it needs is there again.
RECOVERY_SECONDS = 30.0
# The trouble is known to everybody after this, and its end is not yet.
EDGE_SECONDS = 1.5
# Sign-ups as fast as they come, for this one visitor is many.
ENV = {"SIGNUPS_PER_NETWORK": "100000", "SIGNUPS_CALM": "10000", "CONFIRMATIONS_PER_HOUR": "100000"}


@dataclass
class Play:
    """The run: what has happened, and what is to be complained of."""

    scene: Ground
    visitor: Visitor
    web: Popen[bytes] = field(init=False)
    happened: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def cut_a_worker(self) -> bool:
        return self.scene.cut_off_in_the_middle(OTHER)

    def kill_a_worker(self) -> bool:
        if not self.scene.kill_in_the_middle(THIN):
            return False
        self.scene.after(RESTART_SECONDS, lambda: self.scene.start_worker(THIN))
        return True

    def lose_the_queue(self) -> bool:
        """Pages are read and sign-ups taken as ever."""
        when = self._away(self.scene.kill_valkey, self.scene.start_valkey, seconds=5)
        self._expect("without the queue", self.visitor.between(*when, sign_ups=False), {200})
        self._expect("sign-ups without the queue", self.visitor.between(*when, sign_ups=True), {200, 302})
        return True

    def lose_the_database(self) -> bool:
        """What is not in memory says calmly to come again, and nothing is promised."""
        self.scene.left_behind += 2 * self.scene.most_in_hand
        when = self._away(self.scene.postgres.crash, self.scene.postgres.start, seconds=6)
        pages = self.visitor.between(*when, sign_ups=False)
        sign_ups = self.visitor.between(*when, sign_ups=True)
        self._expect("without the database", pages, {200, 503})
        self._expect("sign-ups without the database", sign_ups, {503})
        if any(answer.status == 503 and not answer.retry_after for answer in pages + sign_ups):
            self.complaints.append("a 503 without Retry-After")
        return True

    def cut_the_site(self) -> bool:
        """Nobody reaches it and it reaches nobody; connections to the database are dead without a word."""
        host = self.scene.network[SITE]
        self._away(host.cut, host.mend, seconds=6)
        return True

    def kill_the_site(self) -> bool:
        """All its processes, in the middle of whatever they were at; started again, as an orchestrator would."""
        self._away(lambda: self.scene.fleet.processes.kill_group(self.web), self.start_web, seconds=RESTART_SECONDS)
        return True

    def start_web(self) -> None:
        site = self.scene.network[SITE]
        env = {**self.scene.env_at(site.centre), "BIND": f"0.0.0.0:{PORT}"}
        command = (sys.executable, "-m", "gunicorn", "config.wsgi", "--config", "python:config.gunicorn")
        self.web = self.scene.fleet.processes.start("web", (*site.inside, *command), env=env)

    def _away(
        self, take: Callable[[], object], give_back: Callable[[], None], *, seconds: float
    ) -> tuple[float, float]:
        """Take something away for so long, then wait until the site is well without anybody's help.

        Returns from when to when it was away, without the moment in which that became known.
        """
        take()
        start = time.monotonic() + EDGE_SECONDS
        time.sleep(seconds)
        end = time.monotonic()
        give_back()
        back = time.monotonic()
        # What is taken for being well has to be asked after that.
        time.sleep(2)
        if not wait_for(self.visitor.is_well, seconds=RECOVERY_SECONDS, pause=0.2):
            self.complaints.append(f"the site is not well {RECOVERY_SECONDS:.0f} seconds after it could be")
        show(f"{NAME}: well again {time.monotonic() - back:.1f} s after the end of the trouble")
        return start, end

    def _expect(self, when: str, answers: list[Answer], statuses: set[int]) -> None:
        found = Counter(answer.status for answer in answers)
        if not found:
            self.complaints.append(f"nobody asked {when}")
        if found.keys() - statuses:
            self.complaints.append(f"answers {when}: {dict(found)}")
        show(f"{NAME}: {when}: {dict(found)}, slowest {max((a.seconds for a in answers), default=0):.1f} s")


# At which share of the send each comes; each waits until the one before it is over.
PLAN: tuple[tuple[float, Callable[[Play], bool]], ...] = (
    (0.05, Play.cut_a_worker),
    (0.2, Play.kill_a_worker),
    (0.3, Play.lose_the_queue),
    (0.4, Play.lose_the_database),
    (0.5, Play.cut_the_site),
    (0.6, Play.kill_the_site),
)


def run_deployed(*, digests: int, say: Callable[[str], None]) -> Result:
    """Run it in a namespace of its own. Raises NoNetworkError where that cannot be."""
    return run_inside("tests.chaos.deployed", digests=digests, say=say)


def _run(digests: int) -> Result:
    with ground(hosts_wanted=3, digests=digests, delay=(0.2, 0.5), env=ENV) as scene:
        readers = scene.journal.readers()
        play = Play(scene, Visitor(scene.network[SITE].address, PORT))
        _start(play)
        started = time.monotonic()
        with play.visitor:
            _conduct(play, digests=digests)
        _settle_promises(play)
        return _result(play, readers=readers, seconds=time.monotonic() - started)


def _start(play: Play) -> None:
    scene = play.scene
    scene.start_valkey()
    collect_static(scene.env_at("127.0.0.1"))
    play.start_web()
    for number in (THIN, OTHER):
        scene.start_worker(number)
    scene.network[THIN].slow_down(kilobits=2000)
    scene.start_beat()


def _conduct(play: Play, *, digests: int) -> None:
    scene, waiting = play.scene, list(PLAN)
    until = time.monotonic() + SECONDS_AT_MOST + SECONDS_A_DIGEST * digests
    while time.monotonic() < until:
        scene.do_what_is_due()
        counts, settled = scene.settled()
        show(f"{NAME}: {settled} of {digests} settled, {', '.join(play.happened) or 'all well'}")
        if counts.total() == digests == settled and scene.is_quiet:
            play.complaints += [f"there was no time left for: {act.__name__}" for _, act in waiting]
            return
        scene.journal.let_waiting_end()
        if waiting and scene.is_quiet and settled >= waiting[0][0] * digests and waiting[0][1](play):
            play.happened.append(waiting.pop(0)[1].__name__)
        time.sleep(0.2)
    play.complaints.append(f"not finished in time: {dict(counts)}")


def _settle_promises(play: Play) -> None:
    """Wait until every confirmation that was promised has left or is accounted for."""

    def open_notices() -> int:
        play.scene.journal.let_waiting_end()
        return play.scene.journal.count_notices(OPEN)

    if not wait_for(lambda: not open_notices(), seconds=60, pause=0.5):
        play.complaints.append(f"{open_notices()} confirmations still wait")


def _result(play: Play, *, readers: list[str], seconds: float) -> Result:
    scene = play.scene
    arrivals = scene.sink.arrivals()
    books = compare(due=readers, rows=scene.journal.rows(), arrivals=arrivals.only(set(readers)))
    _hold_to_promises(play, arrived=arrivals.arrived)
    return scene.result(NAME, books=books, seconds=seconds, complaints=play.complaints)


def _hold_to_promises(play: Play, *, arrived: Counter[str]) -> None:
    unknown = set(play.scene.journal.notices_in("unknown"))
    promised = play.visitor.promised()
    lost = [address for address in promised if not arrived[address] and address not in unknown]
    twice = [address for address, count in arrived.items() if count > 1 and address.startswith("visitor")]
    told = f"{len(promised)} were promised a mail: {len(lost)} lost, {len(twice)} mailed twice, {len(unknown)} unknown"
    show(f"{NAME}: {told}")
    if not promised:
        play.complaints.append("nobody could sign up")
    play.complaints += [f"promised a mail, and has none: {address}" for address in lost[:3]]
    play.complaints += [f"mailed twice: {address}" for address in twice[:3]]
    statuses = Counter(answer.status for answer in play.visitor.answers)
    if statuses.keys() - {0, 200, 302, 503}:
        play.complaints.append(f"the site answered {dict(statuses)}")


if __name__ == "__main__":
    main(_run)

"""How a sink misbehaves: by recipient, by chance with a seed, or because it was told to."""

import hashlib
import random
from dataclasses import dataclass, field
from enum import StrEnum


class Fate(StrEnum):
    """What becomes of one message that a sink is given."""

    TAKEN = "taken"
    LATER = "later"  # refused for now
    NEVER = "never"  # refused for good
    CUT = "cut"  # taken, and the connection cut in place of the answer
    CUT_UNTAKEN = "cut_untaken"  # not taken, and the same silence
    HANG = "hang"  # taken, and no answer until the client gives up
    HANG_UNTAKEN = "hang_untaken"


AMBIGUOUS = {Fate.CUT, Fate.CUT_UNTAKEN, Fate.HANG, Fate.HANG_UNTAKEN}
TAKEN = {Fate.TAKEN, Fate.CUT, Fate.HANG}


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares between 0 and 1: `never` of the recipients, the others of the attempts. `delay` is in seconds."""

    never: float = 0.0
    later: float = 0.0
    cut: float = 0.0
    delay: tuple[float, float] = (0.005, 0.020)
    hang_seconds: float = 6.0
    seed: int = 1


@dataclass
class Dice:
    """Throws for each attempt; what was ordered comes first."""

    faults: Faults
    ordered: list[Fate] = field(default_factory=list)
    _random: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self._random.seed(self.faults.seed)

    def fate(self, recipient: str) -> Fate:
        """What happens to the message to `recipient` this time. Whoever is refused for good is so each time."""
        if is_refused(recipient, share=self.faults.never):
            return Fate.NEVER
        if self.ordered:
            return self.ordered.pop(0)
        throw = self._random.random()
        if throw < self.faults.later:
            return Fate.LATER
        if throw < self.faults.later + self.faults.cut:
            return self._random.choice([Fate.CUT, Fate.CUT_UNTAKEN])
        return Fate.TAKEN

    def delay(self) -> float:
        """How long the answer takes."""
        return self._random.uniform(*self.faults.delay)

    def coin(self) -> bool:
        """One of two ways to do the same."""
        return self._random.random() < 0.5


def is_refused(recipient: str, *, share: float) -> bool:
    """Whether this recipient is one of those that are refused for good."""
    return int.from_bytes(hashlib.sha256(recipient.encode()).digest()[:4]) < share * 2**32

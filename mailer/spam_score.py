"""What a spam filter on this machine says of a message, where there is one: SpamAssassin with its local rules alone.

For looking at a mail before it goes; nothing that sends asks for it.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass

SECONDS = 20
_POINTS = re.compile(r"Content analysis details:\s+\((-?[\d.]+) points, ([\d.]+) required\)")
_RULE = re.compile(r"^\s*(-?\d+\.\d+)\s+([A-Z][A-Z0-9_]+)\s+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SpamScore:
    """Points, from how many on a mail counts as spam, and the rules that gave any."""

    points: float
    limit: float
    rules: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.points:g} of {self.limit:g} points"


def is_available() -> bool:
    """Whether SpamAssassin is installed here."""
    return shutil.which("spamassassin") is not None


def spam_score(source: bytes) -> SpamScore | None:
    """The score of a whole message; None where there is no filter here, or it says nothing in time. Takes a second."""
    program = shutil.which("spamassassin")
    if program is None:
        return None
    try:
        # S603: the program is found on the path, and the message goes in on its input.
        done = subprocess.run(  # noqa: S603
            [program, "--local", "--test-mode"], input=source, capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.decode("utf-8", "replace")
    found = list(_POINTS.finditer(said))
    if not found:
        return None
    rules = _RULE.findall(said[found[-1].end() :])
    kept = tuple(f"{points} {name}: {words.strip()}" for points, name, words in rules if float(points))
    return SpamScore(points=float(found[-1][1]), limit=float(found[-1][2]), rules=kept)

"""The table of threats: each row names tests, and each of them is there."""

import re
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|\n").split("|")]
    for line in (REPOSITORY / "docs" / "threats.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| door"))
]


def named() -> set[str]:
    """Every test that the table names."""
    return {test for row in ROWS for test in re.findall(r"`(tests/[^`]+)`", row[3])}


def test_each_row_says_who_what_and_how_and_names_a_test():
    assert len(ROWS) > 30
    for row in ROWS:
        assert len(row) == 4, row
        assert all(row), row
        assert re.search(r"`tests/[^`]+::test_\w+`", row[3]), row


def test_every_test_that_is_named_is_there():
    files = sorted({test.partition("::")[0] for test in named()})
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    there = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}
    assert named() <= there, sorted(named() - there)

"""docs/mail.md says which tests hold what: they must be there, and the pictures too."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "mail.md"
LARGEST_PICTURE = 300 * 1024


def test_every_test_that_the_page_names_is_there():
    written = "\n".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)\(", written, re.MULTILINE))
    named = re.findall(r"`(test_\w+)`", PAGE.read_text())
    assert len(named) > 40
    assert set(named) - there == set()


def test_every_row_names_a_test():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    assert [row for row in rows if "`test_" not in row] == []


def test_every_picture_that_the_page_shows_is_there_and_small():
    pictures = re.findall(r"\((pictures/mails/[\w\-]+\.png)\)", PAGE.read_text())
    assert len(pictures) >= 8
    sizes = {name: (PAGE.parent / name).stat().st_size for name in pictures}
    assert max(sizes.values()) < LARGEST_PICTURE

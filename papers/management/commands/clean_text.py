"""The doorway to `papers.text.clean_text`: the very function ingest uses, for trying and measuring."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papers.text import clean_text

HELP = r"""Show what becomes of titles, abstracts and author names as their sources write them.

Reads JSON lines from standard input and answers each with one line on standard output:

  {"raw": "T\\\"ULU 3 gains 40\\%"}   →   {"text": "TÜLU 3 gains 40%", "kept_raw": false}

"text" is what readers see: TeX as Unicode, white space folded, control characters gone. "kept_raw" is true where
reading the TeX would have lost a word, or failed: then the text is the source's own, TeX and all.

To clean all titles of a file:

  zcat papers.jsonl.gz | jq -c '{raw: .title}' | ./manage.py clean_text

Empty lines are passed over. At a line that is not an object with a text under "raw" it stops, says which one, and
ends with exit code 2; the lines before it have been answered."""


class BadLineError(ValueError):
    """Says which line of the input could not be understood, and why."""


class Command(BaseCommand):
    help = HELP
    requires_system_checks = ()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(prog_name, subcommand, **kwargs)

    def handle(self, *_args: Any, **_options: Any) -> None:
        try:
            for answer in answer_lines(sys.stdin.buffer):
                self.stdout.write(answer)
                self.stdout.flush()  # Whoever writes line by line waits for each answer.
        except BadLineError as error:
            raise CommandError(str(error), returncode=2) from error


def answer_lines(lines: Iterable[bytes]) -> Iterator[str]:
    """The answer to each JSON line, in its order. Raises BadLineError at the first that asks nothing."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _answer(number, line)


def _answer(number: int, line: bytes) -> str:
    try:
        asked = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        message = f"line {number} is not JSON in UTF-8: {error}"
        raise BadLineError(message) from error
    raw = asked.get("raw") if isinstance(asked, dict) else None
    if not isinstance(raw, str):
        message = f'line {number} is not an object with a text under "raw"'
        raise BadLineError(message)
    clean = clean_text(raw)
    return json.dumps({"text": clean.text, "kept_raw": clean.kept_raw}, ensure_ascii=False)

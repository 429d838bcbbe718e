"""Text parts that read well in a terminal: paragraphs wrapped, links left whole, blank runs folded. Pure."""

import re
import textwrap

WIDTH = 72
_INDENT = re.compile(r"^(\s*(?:[-*•]|\[?\d+[.\]])?\s*)")


def wrap_text(text: str) -> str:
    """Wrap each line at 72 columns, keeping its indent for what follows; a link is never broken. Blank lines that
    template tags leave behind are folded to one."""
    lines = [_wrap_line(line.rstrip()) for line in text.strip().splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _wrap_line(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    found = _INDENT.match(line)
    indent = found.group(1) if found else ""
    return textwrap.fill(
        line[len(indent) :],
        WIDTH,
        initial_indent=indent,
        subsequent_indent=" " * len(indent),
        break_long_words=False,
        break_on_hyphens=False,
    )

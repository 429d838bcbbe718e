"""Lines that mail programs and mail servers like: text wrapped for a terminal, HTML with no line too long. Pure."""

import re

WIDTH = 72
# RFC 5322, section 2.1.1: a line has at most 998 octets. Folding starts a little earlier.
LONGEST_LINE = 998
_FOLD_AT = 900
_INDENT = re.compile(r"^(\s*(?:[-*•]|\[[\d.]+\]|\d+[.\]])?\s*)")
_BLANK_RUNS = re.compile(r"\n{3,}")
# A tag with its attributes, whose values stand in double quotes, or a run of text.
_TAG_OR_TEXT = re.compile(r'<!--.*?-->|<(?:"[^"]*"|[^>"])*>|[^<]+|<')


def wrap_text(text: str) -> str:
    """Wrap each line at 72 columns, keeping its indent for what follows; a link is never broken. Blank lines that
    template tags leave behind are folded to one."""
    return fold_blanks("\n".join(wrap_line(line.rstrip()) for line in text.strip().splitlines())) + "\n"


def fold_blanks(text: str) -> str:
    """At most one blank line in a row."""
    return _BLANK_RUNS.sub("\n\n", text)


def wrap_line(line: str) -> str:
    """One line as one or more, each under the words of the first. Words stay whole, whatever they are."""
    if len(line) <= WIDTH:
        return line
    found = _INDENT.match(line)
    indent = found.group(1) if found else ""
    below = " " * len(indent)
    lines: list[str] = []
    current = indent
    is_empty = True
    for word in line[len(indent) :].split():
        if is_empty:
            current += word
            is_empty = False
        elif len(current) + 1 + len(word) <= WIDTH:
            current += f" {word}"
        else:
            lines.append(current)
            current = below + word
    return "\n".join([*lines, current])


def fold_html(html: str) -> str:
    """The same HTML with no line of text longer than mail allows: a space between words becomes a line break, which
    HTML reads the same. A single word or tag that is longer stays whole."""
    if len(html) * 4 <= LONGEST_LINE:
        return html
    return "\n".join(_fold_line(line) if len(line) * 4 > _FOLD_AT else line for line in html.split("\n"))


def _fold_line(line: str) -> str:
    if len(line.encode()) <= _FOLD_AT:
        return line
    folded: list[str] = []
    length = 0
    for token in _TAG_OR_TEXT.findall(line):
        if token.startswith("<"):
            folded.append(token)
            length += len(token.encode())
            continue
        for number, word in enumerate(token.split(" ")):
            size = len(word.encode())
            if number and length + size >= _FOLD_AT:
                folded.append("\n")
                length = 0
            elif number:
                folded.append(" ")
                length += 1
            folded.append(word)
            length += size
    return "".join(folded)

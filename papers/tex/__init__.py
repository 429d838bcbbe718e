r"""TeX as people write it in titles, abstracts and names, read into Unicode.

Not a TeX engine, and never strict: what is no TeX after all (`Q&A`, `50% more`, `$5 to $10`, a lone brace) stays as it
is, a command nobody knows (`\ours`) becomes its name, and one that wraps something becomes what it wraps.

Why not pylatexenc's own parser: it takes a bare `%` for a comment to the end of the line, knows neither money nor
`\href`, and overflows the stack on deep nesting. Its table of symbols is what `symbols.py` builds on.

A command more: a name in one of the tables of `symbols.py`, or a function in `commands.py`.
"""

import re

from papers.tex.commands import COMMANDS, read_unknown
from papers.tex.maths import Maths, find_maths
from papers.tex.notation import CITATION, CITATION_OPTIONS, URL
from papers.tex.reader import Reader, Source, TexError

__all__ = ["CITATION", "CITATION_OPTIONS", "URL", "Maths", "TexError", "find_maths", "read_tex"]

# All read a bounded stretch, so that many openings without an end cost little.
_QUOTED = re.compile(r'(?<![\w}\\])\\"(?=\w)([^"\\${}\n]{1,300})(?<!\s)\\"(?![A-Za-z{\\])')
_SINGLE_QUOTED = re.compile(r"(?<![\w`\\])`(?=[^\s`'])([^`'\\${}]{1,200})'(?![\w'])")
_HALF_QUOTED = re.compile(r"""``([^`"']{1,200})"(?!\w)|(?<![\\\w])"(?=\w)([^`"']{1,200})''(?!\w)""")
_APOSTROPHE = re.compile(r"(?<=[A-Za-z0-9]{2})\\'(?=(?:s|t|d|m|ve|re|ll)(?![A-Za-z]))")


def read_tex(text: str) -> str:
    """The text as a reader should see it; white space is not folded. Control characters must be gone before.

    Raises TexError where it nests deeper than any real text."""
    text = _QUOTED.sub(r'"\1"', text)
    text = _SINGLE_QUOTED.sub(r"‘\1’", text)
    text = _HALF_QUOTED.sub(lambda found: f"“{found[1] or found[2]}”", text)
    text = _APOSTROPHE.sub("'", text)
    return Reader(Source(text, COMMANDS, read_unknown)).read()

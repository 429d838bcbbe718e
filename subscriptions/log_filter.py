"""What must not stand in a log: whoever reads a reader's link there could use it."""

import logging
import re

from subscriptions.tokens import Purpose

_TOKEN = re.compile(rf"(/(?:{'|'.join(Purpose)})/)[^/\s\"'<>?#]+")


class WithoutTokens(logging.Filter):
    """Cuts the tokens of readers' links out of every record, whoever wrote it: Django logs the path of each refusal."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: nothing is kept out but the tokens."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            # Its arguments do not fit its words; the handler reports that in its own way.
            return True
        without = _TOKEN.sub(r"\1…", message)
        if without != message:
            record.msg, record.args = without, ()
        return True

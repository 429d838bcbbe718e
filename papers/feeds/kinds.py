"""The kinds of source we can read."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Which adapter reads a source's documents."""

    ARXIV = "arxiv"
    HF = "hf"
    RSS = "rss"

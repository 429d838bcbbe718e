"""The kinds of source we can read."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Which adapter reads a source's documents."""

    ARXIV = "arxiv"
    HF = "hf"
    RSS = "rss"


KIND_NAMES = {
    SourceKind.ARXIV: "arXiv (RSS or Atom)",
    SourceKind.HF: "Hugging Face Daily Papers",
    SourceKind.RSS: "any RSS or Atom feed",
}
